package capsule

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lay writes a capsule with a wasm file into dir.
func lay(t *testing.T, dir, name, more string) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	text := strings.Replace(head, `"a"`, `"`+name+`"`, 1) + "[[component]]\nfile = \"x.wasm\"\n" + more
	must(t, os.WriteFile(filepath.Join(dir, ManifestFile), []byte(text), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "x.wasm"), []byte("wasm of "+name), 0o600))
}

func openStore(t *testing.T) (*Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := OpenStore(dir)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s, dir
}

func TestStore(t *testing.T) {
	s, dir := openStore(t)
	h, err := s.Put([]byte("wasm"))
	must(t, err)
	again, err := s.Put([]byte("wasm"))
	if err != nil || again != h {
		t.Fatalf("stored twice as %s and %s, %v", h, again, err)
	}
	if got, err := s.Get(h); err != nil || string(got) != "wasm" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := s.Get(Sum([]byte("other"))); !errors.Is(err, ErrNotStored) {
		t.Errorf("what is not there: %v", err)
	}
	path := filepath.Join(dir, h.String()+".wasm")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	must(t, os.WriteFile(path, []byte("evil"), 0o600))
	_, err = s.Get(h)
	if wrong, ok := errors.AsType[*CorruptError](err); !ok || wrong.Want != h || wrong.Path != path || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("a damaged file: %v", err)
	}
	_, err = s.Put([]byte("wasm"))
	must(t, err)
	if got, err := s.Get(h); err != nil || string(got) != "wasm" {
		t.Errorf("after it was stored again: %q, %v", got, err)
	}
}

func TestStoreReadsRegularFilesOnly(t *testing.T) {
	s, dir := openStore(t)
	h := Sum([]byte("wasm"))
	path := filepath.Join(dir, h.String()+".wasm")
	for rule, prepare := range map[string]func() error{
		"a symlink to the right content": func() error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "real"), []byte("wasm"), 0o600), os.Symlink("real", path))
		},
		"a pipe":      func() error { return syscall.Mkfifo(path, 0o600) },
		"a directory": func() error { return os.Mkdir(path, 0o700) },
		"a file too large": func() error {
			f, err := os.Create(path)
			if err != nil {
				return err
			}
			return errors.Join(f.Truncate(MaxWasmBytes+1), f.Close())
		},
	} {
		t.Run(rule, func(t *testing.T) {
			must(t, prepare())
			if got, err := s.Get(h); err == nil {
				t.Errorf("got %q", got)
			}
			must(t, os.RemoveAll(path))
		})
	}
	if _, err := s.Put(make([]byte, MaxWasmBytes+1)); err == nil {
		t.Error("stored a file that is too large")
	}
}

func TestParseHash(t *testing.T) {
	h := Sum([]byte("x"))
	if got, err := ParseHash(h.String()); err != nil || got != h {
		t.Fatal(got, err)
	}
	for _, bad := range []string{"", "ab", strings.ToUpper(h.String()), h.String() + "0", strings.Repeat("z", 64), h.String()[1:] + "é"} {
		if got, err := ParseHash(bad); err == nil || !got.IsZero() {
			t.Errorf("%q is %s", bad, got)
		}
	}
}

func TestDiscover(t *testing.T) {
	base := t.TempDir()
	home, work := filepath.Join(base, "home"), filepath.Join(base, "work")
	lay(t, filepath.Join(home, "b"), "beta", "")
	lay(t, filepath.Join(home, "a"), "alpha", "")
	lay(t, filepath.Join(work, "x"), "alpha", "") // the home's wins
	lay(t, filepath.Join(work, "y"), "gamma", "")
	lay(t, filepath.Join(work, "bad"), "delta", "[capabilites]\n")
	lay(t, filepath.Join(work, "unsafe"), "epsilon", "[capabilities]\nhost_process = [\"sh\"]\n")
	lay(t, filepath.Join(base, "outside"), "outside", "")
	must(t, os.Symlink("loop", filepath.Join(work, "loop")))
	must(t, os.Symlink(filepath.Join(base, "outside"), filepath.Join(work, "leaves")))
	must(t, os.Symlink("y", filepath.Join(work, "inside"))) // the same capsule again
	must(t, os.Symlink("gone", filepath.Join(work, "dangling")))
	must(t, os.MkdirAll(filepath.Join(work, "empty"), 0o700))
	must(t, os.WriteFile(filepath.Join(work, "README"), nil, 0o600))
	must(t, os.MkdirAll(filepath.Join(work, "pipe"), 0o700))
	must(t, syscall.Mkfifo(filepath.Join(work, "pipe", ManifestFile), 0o600))
	lay(t, filepath.Join(work, ".hidden"), "hidden", "")

	found := Discover([]string{filepath.Join(base, "absent"), home, work}, nil)
	var names []string
	for _, c := range found.Capsules {
		names = append(names, c.Manifest.Name()+" in "+strings.TrimPrefix(c.Dir, base))
	}
	check(t, "capsules", []string{"alpha in /home/a", "beta in /home/b", "gamma in /work/inside"}, names)
	reasons := map[string]string{}
	for _, f := range found.Failures {
		reasons[strings.TrimPrefix(f.Dir, work+"/")] = f.Name + ": " + f.Reason
	}
	for dir, want := range map[string]string{
		"x":        "alpha: the capsule alpha of " + filepath.Join(home, "a") + " was found first",
		"y":        "gamma: the capsule gamma of " + filepath.Join(work, "inside") + " was found first",
		"bad":      `bad: Capsule.toml:6:2: unknown key "capabilites"; did you mean "capabilities"?`,
		"unsafe":   "epsilon: Capsule.toml:7: capabilities.host_process: this version starts no native processes",
		"loop":     "loop: is a symlink that leads in a circle: remove it",
		"leaves":   "leaves: is or has a symlink that leaves the directory: copy the capsule instead",
		"dangling": "dangling: statat dangling: no such file or directory",
		"pipe":     "pipe: read manifest: Capsule.toml is not a regular file",
	} {
		if reasons[dir] != want {
			t.Errorf("%s failed with %q, want %q", dir, reasons[dir], want)
		}
	}
	if len(found.Failures) != 8 {
		t.Errorf("failures %v", found.Failures)
	}
}

func TestADirectoryMayBeACapsuleItself(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, "alone", "")
	lay(t, filepath.Join(dir, "sub"), "sub", "")
	found := Discover([]string{dir}, nil)
	if len(found.Capsules) != 1 || found.Capsules[0].Manifest.Name() != "alone" || len(found.Failures) > 0 {
		t.Fatalf("found %+v", found)
	}
}

func TestDiscoverIsBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range maxFound + 10 {
		must(t, os.Mkdir(filepath.Join(dir, fmt.Sprint(i)), 0o700))
	}
	found := Discover([]string{dir}, nil)
	if len(found.Failures) != 1 || !strings.Contains(found.Failures[0].Reason, "more than 256 entries") {
		t.Fatalf("failures %v", found.Failures)
	}
}

func TestReadWasm(t *testing.T) {
	store, _ := openStore(t)
	hash := Sum([]byte("wasm of a"))
	stored, err := store.Put([]byte("stored"))
	must(t, err)
	for _, c := range []struct {
		rule, want, fault string
		prepare           func(dir string) error
	}{
		{rule: "a file", want: "wasm of a"},
		{rule: "a file that meta.json vouches for", want: "wasm of a", prepare: func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "meta.json"), []byte(`{"wasm_hash":"`+hash.String()+`","other":1}`), 0o600)
		}},
		{rule: "a meta.json without a hash", want: "wasm of a", prepare: func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "meta.json"), []byte(`{}`), 0o600)
		}},
		{rule: "a file that was changed", fault: "but meta.json says", prepare: func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "meta.json"), []byte(`{"wasm_hash":"`+hash.String()+`"}`), 0o600),
				os.WriteFile(filepath.Join(dir, "x.wasm"), []byte("evil"), 0o600))
		}},
		{rule: "a meta.json that is none", fault: "meta.json", prepare: func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "meta.json"), []byte(`{`), 0o600)
		}},
		{rule: "a hash that is none", fault: "wasm_hash", prepare: func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "meta.json"), []byte(`{"wasm_hash":"x"}`), 0o600)
		}},
		{rule: "a file in the store", want: "stored", prepare: func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "meta.json"), []byte(`{"wasm_hash":"`+stored.String()+`"}`), 0o600),
				os.Remove(filepath.Join(dir, "x.wasm")))
		}},
		{rule: "no file", fault: "no such file", prepare: func(dir string) error { return os.Remove(filepath.Join(dir, "x.wasm")) }},
		{rule: "a symlink", fault: "not a regular file", prepare: func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(dir, "x.wasm"), filepath.Join(dir, "y.wasm")), os.Symlink("y.wasm", filepath.Join(dir, "x.wasm")))
		}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			dir := t.TempDir()
			lay(t, dir, "a", "")
			if c.prepare != nil {
				must(t, c.prepare(dir))
			}
			wasm, h, err := Discover([]string{dir}, nil).Capsules[0].ReadWasm(store)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) || !strings.Contains(err.Error(), "capsule a") {
					t.Fatalf("got %q, %v", wasm, err)
				}
				return
			}
			if err != nil || string(wasm) != c.want || h != Sum(wasm) {
				t.Fatalf("got %q with %s, %v", wasm, h, err)
			}
		})
	}
	none := Installed{Manifest: parse(t, head), Dir: t.TempDir()}
	if wasm, h, err := none.ReadWasm(store); wasm != nil || !h.IsZero() || err != nil {
		t.Errorf("a capsule without components has %q, %s, %v", wasm, h, err)
	}
}

func TestStoreUnderConcurrency(t *testing.T) {
	s, _ := openStore(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			h, err := s.Put(fmt.Appendf(nil, "wasm %d", i%2))
			if err == nil {
				_, err = s.Get(h)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
