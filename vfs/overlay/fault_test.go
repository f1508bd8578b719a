package overlay

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/astrid-go/astrid/vfs"
)

func TestAFullDiskRefusesAndLosesNothing(t *testing.T) {
	r := &rig{t: t, lower: t.TempDir(), upper: t.TempDir()}
	if err := syscall.Mount("tmpfs", r.upper, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a small disk cannot be mounted: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(r.upper, syscall.MNT_DETACH)) })
	plant(t, r.lower, tree{"f": "f", "gone": "g"})
	for i := range 4000 {
		plant(t, r.lower, tree{fmt.Sprintf("many/%s%d", strings.Repeat("n", 40), i): ""})
	}
	r.open(roomy)
	t.Cleanup(func() { r.Close() })
	r.write("f", "F")
	must(t, r.Remove(name(t, "gone")))
	want := r.view()
	wantCode(t, "a large file", r.WriteFile(name(t, "large"), make([]byte, 1<<20)), vfs.CodeQuota)
	_, err := r.RemoveAll(name(t, "many")) // its bases do not fit into the index
	wantCode(t, "a large removal", err, vfs.CodeQuota)
	if strings.Contains(err.Error(), r.upper) {
		t.Errorf("%v shows a path of the host", err)
	}
	r.wantChanges("modified f", "deleted gone")
	r.write("small", "fits again")
	want["small"] = "fits again"
	r.wantView(want)
	r.open(roomy)
	r.wantView(want)
	r.commit()
	r.wantLower(want)
}

func TestEverythingAtOnceIsWhole(t *testing.T) {
	r := newRig(t, tree{"shared": strings.Repeat("0", 500), "d/x": "x"})
	var all sync.WaitGroup
	run := func(times int, do func(i int) error) {
		all.Go(func() {
			for i := range times {
				if err := do(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for w := range 3 {
		run(30, func(i int) error {
			return r.WriteFile(name(t, "shared"), bytes.Repeat([]byte{byte('a' + w)}, 500))
		})
	}
	run(60, func(int) error {
		b, err := r.ReadFile(name(t, "shared"))
		if err == nil && (len(b) != 500 || bytes.Count(b, b[:1]) != 500) {
			err = fmt.Errorf("read a mixture of %d bytes", len(b))
		}
		return err
	})
	run(30, func(i int) error { return r.MkdirAll(name(t, fmt.Sprintf("d/%d/deep", i%3))) })
	run(30, func(int) error { return second(r.ReadDir(name(t, "d"))) })
	run(10, func(int) error { return second(r.Changes(t.Context())) })
	run(5, func(int) error { return second(r.Commit(t.Context(), nil)) })
	run(3, func(int) error { return second(r.Rollback(t.Context(), r.names("d"))) })
	all.Wait()
	r.commit()
	r.wantLower(r.view())
}

func TestTheNumberOfChangesIsBounded(t *testing.T) {
	r := newRig(t, tree{"f": "f"})
	for i := range maxUpper {
		r.Overlay.upper.names[fmt.Sprint("pretended/", i)] = 0
	}
	wantCode(t, "a file", r.WriteFile(name(t, "new"), nil), vfs.CodeQuota)
	wantCode(t, "a directory", r.Mkdir(name(t, "dir")), vfs.CodeQuota)
}

func FuzzReplay(f *testing.F) {
	f.Add([]byte(`{"p":"a/b","base":"absent"}` + "\n" + `{"p":"a","white":true}` + "\n"))
	f.Add([]byte(`{"p":"a","forget":true}` + "\n" + `{"p":"a","white":fal`))
	f.Add([]byte(`{"p":"../x"}` + "\n"))
	f.Add([]byte("\n\x00\n"))
	f.Fuzz(func(t *testing.T, log []byte) {
		x := &index{base: map[string]string{}, white: map[string]bool{}}
		good, err := x.replay(bytes.NewReader(log))
		if err != nil {
			return
		}
		if good > int64(len(log)) || good > 0 && log[good-1] != '\n' || bytes.IndexByte(log[good:], '\n') >= 0 {
			t.Fatalf("%d bytes of %q are good", good, log)
		}
		for p := range x.base {
			if n, err := vfs.ParseName(p); err != nil || n.String() != p {
				t.Fatalf("%q is no name: %v", p, err)
			}
		}
		again := &index{base: map[string]string{}, white: map[string]bool{}}
		if half, err := again.replay(bytes.NewReader(log[:good])); err != nil || half != good {
			t.Fatalf("the good part is not good: %d, %v", half, err)
		}
		same(t, "bases", again.base, x.base)
		same(t, "whiteouts", again.white, x.white)
	})
}

func TestADamagedIndexIsNotGuessedAt(t *testing.T) {
	r := newRig(t, tree{"f": "f"})
	must(t, r.Close())
	for _, line := range []string{"junk", `{"p":"a","unknown":1}`, `{"p":"../a"}`, `{"p":"a//b"}`, `{"p":"."}`, `{"p":"a"} {"p":"b"}`, ""} {
		must(t, os.WriteFile(filepath.Join(r.upper, indexFile), []byte(line+"\n"), 0o600))
		if _, err := Open(Config{Lower: r.Overlay.lower, UpperDir: r.upper, MaxBytes: roomy}); err == nil {
			t.Errorf("%q was accepted", line)
		}
	}
}
