package vfs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/astrid-go/astrid/vfs"
	"github.com/astrid-go/astrid/vfs/vfstest"
)

func open(t testing.TB, files map[string]string) (*vfs.Host, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "inside")
	for p, body := range files {
		at := filepath.Join(dir, p)
		check(t, os.MkdirAll(filepath.Dir(at), 0o755))
		if target, is := strings.CutPrefix(body, "-> "); is {
			check(t, os.Symlink(target, at))
			continue
		}
		check(t, os.WriteFile(at, []byte(body), 0o644))
	}
	check(t, os.MkdirAll(dir, 0o755))
	h, err := vfs.OpenHost(dir)
	check(t, err)
	t.Cleanup(func() { h.Close() })
	return h, dir
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, what string, err error, want vfs.Code) {
	t.Helper()
	if err == nil || vfs.CodeOf(err) != want {
		t.Errorf("%s: %v (%s), want %s", what, err, vfs.CodeOf(err), want)
	}
}

func second[T any](_ T, err error) error { return err }

func TestHostIsAFileSystem(t *testing.T) {
	vfstest.Run(t, func(t *testing.T, files map[string]string) vfs.FS {
		h, _ := open(t, files)
		return h
	})
}

func TestAWriteReplacesAFileInOneStepAndKeepsItsMode(t *testing.T) {
	h, dir := open(t, map[string]string{"f": "old", "ln": "-> f"})
	check(t, os.Chmod(filepath.Join(dir, "f"), 0o750))
	before, err := os.Open(filepath.Join(dir, "f"))
	check(t, err)
	defer before.Close()
	check(t, h.WriteFile(vfstest.Name(t, "ln"), []byte("new")))
	old := make([]byte, 9)
	if n, err := before.Read(old); err != nil || string(old[:n]) != "old" {
		t.Errorf("a reader that was there first sees %q, %v", old[:n], err)
	}
	if i, err := os.Lstat(filepath.Join(dir, "f")); err != nil || i.Mode() != 0o750 {
		t.Errorf("mode %v, %v", i.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestWhatIsNeitherFileNorDirectoryIsRefusedWithoutWaiting(t *testing.T) {
	h, dir := open(t, nil)
	check(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o666))
	nodes := []string{"pipe", "socket"}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(t, err)
	defer syscall.Close(fd)
	t.Chdir(dir) // the name of a socket is short
	check(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: "socket"}))
	if err := syscall.Mknod(filepath.Join(dir, "null"), syscall.S_IFCHR|0o666, 1<<8|3); err == nil {
		nodes = append(nodes, "null")
	} else {
		t.Logf("devices are not tested: %v", err)
	}
	for _, p := range nodes {
		n := vfstest.Name(t, p)
		wantCode(t, "read "+p, second(h.ReadFile(n)), vfs.CodeAccess)
		wantCode(t, "write "+p, h.WriteFile(n, nil), vfs.CodeAccess)
		wantCode(t, "append "+p, h.Append(n, nil), vfs.CodeAccess)
		wantCode(t, "list "+p, second(h.ReadDir(n)), vfs.CodeNotDirectory)
		check(t, h.Remove(n))
	}
}

func TestListingIsBounded(t *testing.T) {
	h, dir := open(t, nil)
	for i := range vfs.MaxEntries + 1 {
		check(t, os.WriteFile(filepath.Join(dir, strings.Repeat("n", 1+i/100)+string(rune('a'+i%100))), nil, 0o600))
	}
	wantCode(t, "list", second(h.ReadDir(vfs.Root())), vfs.CodeTooLarge)
	if all, err := h.Entries(vfs.Root()); err != nil || len(all) != vfs.MaxEntries+1 {
		t.Errorf("all %d entries, %v", len(all), err)
	}
}

func TestAFileThatIsTooLargeIsNotRead(t *testing.T) {
	h, dir := open(t, map[string]string{"big": ""})
	check(t, os.Truncate(filepath.Join(dir, "big"), vfs.MaxFileBytes+1))
	wantCode(t, "read", second(h.ReadFile(vfstest.Name(t, "big"))), vfs.CodeTooLarge)
	check(t, os.Truncate(filepath.Join(dir, "big"), vfs.MaxFileBytes))
	if b, err := h.ReadFile(vfstest.Name(t, "big")); err != nil || len(b) != vfs.MaxFileBytes {
		t.Errorf("the largest: %d bytes, %v", len(b), err)
	}
}

func TestUnfinishedFilesAreNotShownButGoWithTheirDirectory(t *testing.T) {
	h, dir := open(t, map[string]string{"d/" + vfs.TempName(): "half", "d/nfd-e\u0301": "e", "d/f": "f"})
	if names, err := h.ReadDir(vfstest.Name(t, "d")); err != nil || len(names) != 1 {
		t.Errorf("shown: %q, %v", names, err)
	}
	check(t, second(h.RemoveAll(vfstest.Name(t, "d"))))
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

func TestAClosedHostSaysSo(t *testing.T) {
	h, _ := open(t, map[string]string{"f": "f"})
	check(t, h.Close())
	check(t, h.Close())
	wantCode(t, "read", second(h.ReadFile(vfstest.Name(t, "f"))), vfs.CodeClosed)
}

func TestErrorsShowNoPathOfTheHost(t *testing.T) {
	h, dir := open(t, map[string]string{"f": "f", "out": "-> /etc", "d/x": "x"})
	n := vfstest.Name
	for _, err := range []error{
		second(h.ReadFile(n(t, "none"))), second(h.ReadFile(n(t, "out/passwd"))), h.WriteFile(n(t, "none/x"), nil),
		h.WriteFile(n(t, "out/x"), nil), h.Rename(n(t, "f"), n(t, "out/f")), h.Rename(n(t, "f"), n(t, "none/f")),
		h.Mkdir(n(t, "f/x")), h.Remove(n(t, "d")), second(h.ReadLink(n(t, "f"))), second(h.ReadDir(n(t, "f"))),
		second(h.ReadFile(n(t, "d"))), h.Link(n(t, "f"), "x"),
	} {
		if !errors.As(err, new(*vfs.PathError)) || vfs.CodeOf(err) == vfs.CodeUnknown || strings.Contains(err.Error(), filepath.Dir(dir)) || strings.Contains(err.Error(), "astrid-new") {
			t.Errorf("%v (%s)", err, vfs.CodeOf(err))
		}
	}
}
