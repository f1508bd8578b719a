package vfs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/astrid-go/astrid/vfs"
	"github.com/astrid-go/astrid/vfs/overlay"
	"github.com/astrid-go/astrid/vfs/vfstest"
)

// An attack is a link planted inside, and a path that follows it to the file
// "secret" beside the workspace.
var attacks = []struct {
	what  string
	links map[string]string
	path  string
}{
	{"a relative link", map[string]string{"x": "../secret"}, "x"},
	{"a link to the parent", map[string]string{"x": ".."}, "x/secret"},
	{"a link in the middle", map[string]string{"d/x": "../.."}, "d/x/secret"},
	{"an absolute link", map[string]string{"x": "{outside}/secret"}, "x"},
	{"an absolute link to a directory", map[string]string{"x": "{outside}"}, "x/secret"},
	{"a chain", map[string]string{"a": "b", "b": "c", "c": "../secret"}, "a"},
	{"a chain through directories", map[string]string{"d/a": "../e", "e": "d/b", "d/b": "../.."}, "d/a/secret"},
	{"up through a link that is inside", map[string]string{"d/e/in": ".", "x": "d/e/in/../../../secret"}, "x"},
	{"out and in again", map[string]string{"x": "../inside/../secret"}, "x"},
	{"slashes and dots", map[string]string{"x": ".//.././/secret"}, "x"},
}

func TestNoLinkLeadsOut(t *testing.T) {
	for _, a := range attacks {
		h, dir := open(t, nil)
		outside := filepath.Dir(dir)
		check(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o644))
		for p, target := range a.links {
			at := filepath.Join(dir, p)
			check(t, os.MkdirAll(filepath.Dir(at), 0o755))
			if after, is := cutOutside(target); is {
				target = outside + after
			}
			check(t, os.Symlink(target, at))
		}
		if b, err := os.ReadFile(filepath.Join(dir, a.path)); err != nil || string(b) != "secret" {
			t.Errorf("%s: the attack is none: without the guard it reads %q, %v", a.what, b, err)
		}
		o, err := overlay.Open(overlay.Config{Lower: h, UpperDir: t.TempDir(), MaxBytes: 1 << 20})
		check(t, err)
		n := vfstest.Name(t, a.path)
		for layer, f := range map[string]vfs.FS{"host": h, "overlay": o} {
			for verb, err := range map[string]error{
				"read": second(f.ReadFile(n)), "write": f.WriteFile(n, []byte("pwned")), "append": f.Append(n, []byte("pwned")),
				"stat": second(f.Stat(n)), "list": second(f.ReadDir(n)), "make": f.MkdirAll(n.Join("made")),
			} {
				wantCode(t, layer+": "+verb+" through "+a.what, err, vfs.CodeEscape)
			}
		}
		check(t, o.Close())
		if b, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(b) != "secret" {
			t.Errorf("%s: the secret is %q, %v", a.what, b, err)
		}
	}
}

func cutOutside(target string) (rest string, is bool) {
	const mark = "{outside}"
	if len(target) < len(mark) || target[:len(mark)] != mark {
		return "", false
	}
	return target[len(mark):], true
}

// A program with its own access to the workspace swaps a directory for a link
// while the guest reads and writes through it.
func TestALinkThatIsSwappedInLeadsNowhereElse(t *testing.T) {
	h, dir := open(t, map[string]string{"d/f": "inside", "spare/f": "inside"})
	outside := filepath.Join(filepath.Dir(dir), "outside")
	check(t, os.Mkdir(outside, 0o755))
	check(t, os.WriteFile(filepath.Join(outside, "f"), []byte("secret"), 0o644))
	o, err := overlay.Open(overlay.Config{Lower: h, UpperDir: t.TempDir(), MaxBytes: 1 << 20})
	check(t, err)
	t.Cleanup(func() { o.Close() })

	stop, done := make(chan struct{}), make(chan struct{})
	go func() { // ends at stop, waited for below
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				swap(dir, outside)
			}
		}
	}()
	f := vfstest.Name(t, "d/f")
	for range 3000 {
		for _, fs := range []vfs.FS{h, o} {
			if b, err := fs.ReadFile(f); err == nil && string(b) != "inside" {
				t.Errorf("read %q", b)
			}
		}
		_ = h.WriteFile(f, []byte("inside"))
	}
	close(stop)
	<-done
	if b, err := os.ReadFile(filepath.Join(outside, "f")); err != nil || string(b) != "secret" {
		t.Errorf("outside holds %q, %v", b, err)
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
		t.Errorf("made outside: %v, %v", entries, err)
	}
}

func swap(dir, outside string) {
	d, spare := filepath.Join(dir, "d"), filepath.Join(dir, "away")
	_ = os.Rename(d, spare)
	_ = os.Symlink(outside, d)
	_ = os.Remove(d)
	_ = os.Rename(spare, d)
}
