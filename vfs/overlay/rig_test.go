package overlay

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/astrid-go/astrid/vfs"
)

// rig is an overlay over a workspace, both on disk.
type rig struct {
	*Overlay
	t            testing.TB
	lower, upper string // directories
}

const roomy = 64 << 20

// tree is files by path: a content, "dir", "-> target", or "mode:content".
type tree map[string]string

func newRig(t testing.TB, files tree) *rig {
	t.Helper()
	r := &rig{t: t, lower: t.TempDir(), upper: t.TempDir()}
	plant(t, r.lower, files)
	r.open(roomy)
	return r
}

func plant(t testing.TB, dir string, files tree) {
	t.Helper()
	for _, p := range slices.Sorted(maps.Keys(files)) {
		body, at := files[p], filepath.Join(dir, p)
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		switch {
		case body == "dir":
			must(t, os.MkdirAll(at, 0o755))
		case strings.HasPrefix(body, "-> "):
			must(t, os.Symlink(body[3:], at))
		default:
			must(t, os.WriteFile(at, []byte(body), 0o644))
		}
	}
}

// open opens the overlay, again if it is open.
func (r *rig) open(limit int64) {
	r.t.Helper()
	if r.Overlay != nil {
		must(r.t, r.Close())
	}
	lower, err := vfs.OpenHost(r.lower)
	must(r.t, err)
	r.Overlay, err = Open(Config{Lower: lower, UpperDir: r.upper, MaxBytes: limit})
	must(r.t, err)
	o := r.Overlay
	r.t.Cleanup(func() { o.Close(); lower.Close() })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func name(t testing.TB, s string) vfs.Name {
	t.Helper()
	n, err := vfs.ParseName(s)
	must(t, err)
	return n
}

func (r *rig) names(paths ...string) (out []vfs.Name) {
	for _, p := range paths {
		out = append(out, name(r.t, p))
	}
	return out
}

func (r *rig) write(p, body string) {
	r.t.Helper()
	must(r.t, r.WriteFile(name(r.t, p), []byte(body)))
}

func (r *rig) removeAll(p string) {
	r.t.Helper()
	_, err := r.RemoveAll(name(r.t, p))
	must(r.t, err)
}

func (r *rig) commit(paths ...string) {
	r.t.Helper()
	_, err := r.Commit(context.Background(), r.names(paths...))
	must(r.t, err)
}

func (r *rig) rollback(paths ...string) {
	r.t.Helper()
	_, err := r.Rollback(context.Background(), r.names(paths...))
	must(r.t, err)
}

// changed lists the changes as "kind path", with "!" for a conflict.
func (r *rig) changed() []string {
	r.t.Helper()
	set, err := r.Changes(context.Background())
	must(r.t, err)
	out := []string{}
	for _, c := range set {
		mark := map[bool]string{true: "!"}[c.Conflict]
		out = append(out, fmt.Sprintf("%s%s %s", mark, c.Kind, c.Path))
	}
	return out
}

func (r *rig) wantChanges(want ...string) {
	r.t.Helper()
	same(r.t, "changes", r.changed(), append([]string{}, want...))
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s: -want +got\n%s", what, diff)
	}
}

// view is the merged tree as the agent sees it.
func (r *rig) view() tree {
	r.t.Helper()
	return treeOf(r.t, r.Overlay)
}

func treeOf(t testing.TB, f vfs.FS) tree {
	t.Helper()
	out := tree{}
	var walk func(vfs.Name)
	walk = func(n vfs.Name) {
		i, err := f.Lstat(n)
		must(t, err)
		switch {
		case i.IsDir():
			names, err := f.ReadDir(n)
			must(t, err)
			for _, e := range names {
				walk(n.Join(e))
			}
			if len(names) == 0 && !n.IsRoot() {
				out[n.String()] = "dir"
			}
		case i.IsLink():
			target, err := f.ReadLink(n)
			must(t, err)
			out[n.String()] = "-> " + target
		default:
			body, err := f.ReadFile(n)
			must(t, err)
			out[n.String()] = string(body)
		}
	}
	walk(vfs.Root())
	return out
}

func (r *rig) wantView(want tree) {
	r.t.Helper()
	same(r.t, "view", r.view(), want)
}

// wantLower compares the workspace itself, seen with plain os calls: nothing
// hidden may be in it.
func (r *rig) wantLower(want tree) {
	r.t.Helper()
	same(r.t, "lower", onDisk(r.t, r.lower), want)
}

func onDisk(t testing.TB, dir string) tree {
	t.Helper()
	out := tree{}
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		delete(out, filepath.Dir(rel))
		switch {
		case d.IsDir():
			out[rel] = "dir"
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			out[rel] = "-> " + target
			return err
		}
		body, err := os.ReadFile(p)
		out[rel] = string(body)
		return err
	}))
	for p, body := range out { // a directory shows only when it is empty
		for dir := filepath.Dir(p); body != "" && dir != "."; dir = filepath.Dir(dir) {
			delete(out, dir)
		}
	}
	return out
}

func wantCode(t testing.TB, what string, err error, want vfs.Code) {
	t.Helper()
	if got := vfs.CodeOf(err); err == nil || got != want {
		t.Errorf("%s: got %v (code %s), want code %s", what, err, got, want)
	}
}
