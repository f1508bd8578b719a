// Package vfstest holds what every [vfs.FS] must do, as tests.
//
// The model: [Run] plants a small tree through a function of the caller's and
// then works on it through the interface alone; [IO] shows a tree as an io/fs
// file system for testing/fstest. Nothing here keeps state or starts anything.
//
// Not tested here: links that lead out and everything else that needs a
// directory of the machine; each implementation does that for itself.
package vfstest

import (
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/astrid-go/astrid/vfs"
)

// Make returns a file system that holds nothing but the files: a path to a
// content, or to "-> target" for a link.
type Make func(t *testing.T, files map[string]string) vfs.FS

// Run tests what the interface promises.
func Run(t *testing.T, make Make) {
	for what, test := range map[string]func(*testing.T, suite){
		"FSTest": testIO, "Writing": testWriting, "Directories": testDirectories, "Removing": testRemoving,
		"Moving": testMoving, "Links": testLinks, "Codes": testCodes, "Concurrency": testConcurrency,
	} {
		t.Run(what, func(t *testing.T) { test(t, suite{t, make(t, fixture)}) })
	}
}

var fixture = map[string]string{
	"a": "alpha", "dir/b": "beta", "dir/sub/c": "gamma", "here": "-> dir/b", "down": "-> dir", "dangling": "-> dir/none", "loop": "-> loop",
}

type suite struct {
	*testing.T
	fs vfs.FS
}

// Name parses a path that a test wrote.
func Name(t testing.TB, p string) vfs.Name {
	t.Helper()
	n, err := vfs.ParseName(p)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (s suite) name(p string) vfs.Name { return Name(s.T, p) }

func (s suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// holds checks the content of a file.
func (s suite) holds(p, want string) {
	s.Helper()
	if got, err := s.fs.ReadFile(s.name(p)); err != nil || string(got) != want {
		s.Errorf("%s holds %q, %v; want %q", p, got, err, want)
	}
}

// lists checks the entries of a directory.
func (s suite) lists(p string, want ...string) {
	s.Helper()
	if got, err := s.fs.ReadDir(s.name(p)); err != nil || !slices.Equal(got, want) {
		s.Errorf("%s lists %q, %v; want %q", p, got, err, want)
	}
}

// refuses checks that an operation failed for a reason.
func (s suite) refuses(what string, err error, code vfs.Code) {
	s.Helper()
	if err == nil || vfs.CodeOf(err) != code {
		s.Errorf("%s: %v (%s), want %s", what, err, vfs.CodeOf(err), code)
	}
}

func testIO(t *testing.T, s suite) {
	s.ok(s.fs.Remove(s.name("dangling"))) // testing/fstest opens every entry
	s.ok(s.fs.Remove(s.name("loop")))
	if err := fstest.TestFS(IO(s.fs), "a", "dir/b", "dir/sub/c", "here"); err != nil {
		t.Error(err)
	}
}

func testWriting(t *testing.T, s suite) {
	n := s.name("dir/new")
	s.ok(s.fs.WriteFile(n, []byte("one")))
	s.ok(s.fs.Append(n, []byte("+two")))
	s.holds("dir/new", "one+two")
	s.ok(s.fs.WriteFile(n, nil))
	s.holds("dir/new", "")
	if i, err := s.fs.Stat(n); err != nil || i.Mode != 0o644 || i.Size != 0 {
		t.Errorf("a new file: %v, %v", i, err)
	}
	s.ok(s.fs.Append(s.name("dir/appended"), []byte("x")))
	s.holds("dir/appended", "x")
}

func testDirectories(t *testing.T, s suite) {
	s.ok(s.fs.Mkdir(s.name("dir/made")))
	s.ok(s.fs.MkdirAll(s.name("dir/made/of/many")))
	s.ok(s.fs.MkdirAll(s.name("dir/made/of/many")))
	s.lists("dir", "b", "made", "sub")
	if i, err := s.fs.Stat(s.name("dir/made/of")); err != nil || !i.IsDir() || i.Mode.Perm() != 0o755 {
		t.Errorf("a new directory: %v, %v", i, err)
	}
}

func testRemoving(t *testing.T, s suite) {
	s.refuses("a directory that is not empty", s.fs.Remove(s.name("dir")), vfs.CodeNotEmpty)
	s.ok(s.fs.Remove(s.name("down")))
	s.holds("dir/b", "beta")
	if n, err := s.fs.RemoveAll(s.name("dir")); n != 4 || err != nil {
		t.Errorf("removed %d, %v; want 4", n, err)
	}
	s.lists(".", "a", "dangling", "here", "loop")
}

func testMoving(_ *testing.T, s suite) {
	s.ok(s.fs.Rename(s.name("a"), s.name("dir/b")))
	s.holds("dir/b", "alpha")
	s.ok(s.fs.Rename(s.name("dir"), s.name("moved")))
	s.holds("moved/sub/c", "gamma")
	s.lists(".", "dangling", "down", "here", "loop", "moved")
	s.ok(s.fs.Rename(s.name("moved"), s.name("moved")))
}

func testLinks(t *testing.T, s suite) {
	s.holds("here", "beta")
	s.holds("down/sub/c", "gamma")
	s.lists("down", "b", "sub")
	s.ok(s.fs.WriteFile(s.name("here"), []byte("through")))
	s.holds("dir/b", "through")
	s.ok(s.fs.Append(s.name("down/b"), []byte("+")))
	s.holds("here", "through+")
	s.ok(s.fs.WriteFile(s.name("dangling"), []byte("made")))
	s.holds("dir/none", "made")
	if i, err := s.fs.Lstat(s.name("here")); err != nil || !i.IsLink() {
		t.Errorf("the link became %v, %v", i.Mode, err)
	}
	if target, err := s.fs.ReadLink(s.name("here")); target != "dir/b" || err != nil {
		t.Errorf("the link leads to %q, %v", target, err)
	}
}

func testCodes(_ *testing.T, s suite) {
	_, err := s.fs.ReadFile(s.name("none"))
	s.refuses("reading nothing", err, vfs.CodeNotFound)
	_, err = s.fs.ReadFile(s.name("dir"))
	s.refuses("reading a directory", err, vfs.CodeIsDirectory)
	_, err = s.fs.ReadFile(s.name("a/b"))
	s.refuses("reading below a file", err, vfs.CodeNotDirectory)
	_, err = s.fs.ReadFile(s.name("loop"))
	s.refuses("reading a loop", err, vfs.CodeEscape)
	_, err = s.fs.ReadDir(s.name("a"))
	s.refuses("listing a file", err, vfs.CodeNotDirectory)
	_, err = s.fs.ReadLink(s.name("a"))
	s.refuses("a file as a link", err, vfs.CodeInvalid)
	s.refuses("writing a directory", s.fs.WriteFile(s.name("dir"), nil), vfs.CodeIsDirectory)
	s.refuses("writing below nothing", s.fs.WriteFile(s.name("none/x"), nil), vfs.CodeNotFound)
	s.refuses("writing too much", s.fs.WriteFile(s.name("x"), make([]byte, vfs.MaxFileBytes+1)), vfs.CodeTooLarge)
	s.refuses("making what is there", s.fs.Mkdir(s.name("dir")), vfs.CodeExists)
	s.refuses("making a link's target", s.fs.Mkdir(s.name("dangling")), vfs.CodeExists)
	s.refuses("making over a file", s.fs.MkdirAll(s.name("a")), vfs.CodeExists)
	s.refuses("removing nothing", s.fs.Remove(s.name("none")), vfs.CodeNotFound)
	s.refuses("removing the root", s.fs.Remove(vfs.Root()), vfs.CodeAccess)
	s.refuses("moving over a directory", s.fs.Rename(s.name("a"), s.name("dir")), vfs.CodeExists)
	s.refuses("moving into itself", s.fs.Rename(s.name("dir"), s.name("dir/x")), vfs.CodeInvalid)
	s.refuses("moving nothing", s.fs.Rename(s.name("none"), s.name("x")), vfs.CodeNotFound)
}

// testConcurrency has writers replace one file and readers see only whole
// contents; run it with the race detector.
func testConcurrency(t *testing.T, s suite) {
	var all sync.WaitGroup
	for w := range 4 {
		content := strings.Repeat(string(rune('a'+w)), 1000)
		all.Go(func() {
			for range 25 {
				if err := s.fs.WriteFile(s.name("dir/b"), []byte(content)); err != nil {
					t.Error(err)
				}
				got, err := s.fs.ReadFile(s.name("here"))
				if err != nil || len(got) != 1000 || strings.Trim(string(got), string(got[:1])) != "" {
					t.Errorf("read %d mixed bytes, %v", len(got), err)
				}
				if _, err := s.fs.ReadDir(s.name("dir")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

var _ fs.ReadLinkFS = ioFS{}
