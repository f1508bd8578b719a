package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"sync"
	"syscall"
)

// Host is a directory of the machine. The kernel of the system keeps names
// inside: every step of a path is taken relative to an open directory, so that
// a link swapped in meanwhile leads nowhere else.
//
// Entries whose names [ParseName] refuses are not listed: nothing could open
// them.
type Host struct {
	root *os.Root
	turn sync.Mutex // held by Exclusive alone; it guards no field
}

// OpenHost opens a directory. The caller closes it.
func OpenHost(dir string) (*Host, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Host{root: root}, nil
}

// Close gives the directory up. It is safe twice.
func (h *Host) Close() error { return h.root.Close() }

// Root returns the handle, for the overlay's own bookkeeping.
func (h *Host) Root() *os.Root { return h.root }

// Exclusive runs do while no other Exclusive of this Host runs.
func (h *Host) Exclusive(do func() error) error {
	h.turn.Lock()
	defer h.turn.Unlock()
	return do()
}

func info(i fs.FileInfo) Info { return Info{Size: i.Size(), Mode: i.Mode(), Modified: i.ModTime()} }

// Stat implements FS.
func (h *Host) Stat(n Name) (Info, error) {
	i, err := h.root.Stat(n.text)
	if err != nil {
		return Info{}, Wrap("stat", n, err)
	}
	return info(i), nil
}

// Lstat implements FS.
func (h *Host) Lstat(n Name) (Info, error) {
	i, err := h.root.Lstat(n.text)
	if err != nil {
		return Info{}, Wrap("stat", n, err)
	}
	return info(i), nil
}

// Open opens a regular file for reading. It never waits for the other end of a
// pipe.
func (h *Host) Open(n Name) (*os.File, error) {
	f, _, err := h.open("read", n, os.O_RDONLY, 0)
	return f, err
}

func (h *Host) open(op string, n Name, flag int, mode fs.FileMode) (*os.File, fs.FileInfo, error) {
	f, err := h.root.OpenFile(n.text, flag|syscall.O_NONBLOCK, mode)
	if err != nil {
		return nil, nil, Wrap(op, n, err)
	}
	i, err := f.Stat()
	switch {
	case err != nil:
	case i.IsDir():
		err = fail(op, n.text, CodeIsDirectory, "it is a directory")
	case !i.Mode().IsRegular():
		err = fail(op, n.text, CodeAccess, "it is neither a file nor a directory")
	default:
		return f, i, nil
	}
	return nil, nil, errors.Join(Wrap(op, n, err), f.Close())
}

// ReadFile implements FS.
func (h *Host) ReadFile(n Name) ([]byte, error) {
	f, i, err := h.open("read", n, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer // with room for the end of file, which is read too
	b.Grow(int(min(i.Size(), MaxFileBytes)) + bytes.MinRead)
	if _, err := b.ReadFrom(io.LimitReader(f, MaxFileBytes+1)); err != nil {
		return nil, Wrap("read", n, err)
	}
	if b.Len() > MaxFileBytes {
		return nil, fail("read", n.text, CodeTooLarge, "file is larger than 10 MiB")
	}
	return b.Bytes(), nil
}

// ReadDir implements FS.
func (h *Host) ReadDir(n Name) ([]string, error) {
	names, err := h.readDir(n, MaxEntries+1)
	if err == nil && len(names) > MaxEntries {
		err = fail("list", n.text, CodeTooLarge, "directory has more than 4096 entries")
	}
	if err != nil {
		return nil, err
	}
	return presentable(n, names), nil
}

// Entries is ReadDir without its bound, for callers of ours that must see all.
func (h *Host) Entries(n Name) ([]string, error) {
	names, err := h.readDir(n, -1)
	return presentable(n, names), err
}

func (h *Host) readDir(n Name, most int) ([]string, error) {
	d, err := h.root.OpenFile(n.text, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, Wrap("list", n, err)
	}
	defer d.Close()
	names, err := d.Readdirnames(most)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, Wrap("list", n, err)
	}
	slices.Sort(names)
	return names, nil
}

// presentable leaves out what no name can lead to.
func presentable(dir Name, entries []string) []string {
	return slices.DeleteFunc(entries, func(e string) bool {
		_, err := ParseName(dir.Join(e).text)
		return err != nil
	})
}

// WriteFile implements FS. The content is replaced in one step: a reader, and
// whoever comes after a crash, sees the old file or the new one.
func (h *Host) WriteFile(n Name, data []byte) error {
	old, err := h.Lstat(n)
	if err == nil && old.IsLink() {
		if n, err = Follow("write", n, true, h.look); err != nil {
			return err
		}
		old, err = h.Lstat(n)
	}
	switch {
	case err != nil:
		return h.Replace(n, data, 0o644) // it says what is wrong, if anything is
	case old.IsDir():
		return fail("write", n.text, CodeIsDirectory, "it is a directory")
	case !old.Mode.IsRegular():
		return fail("write", n.text, CodeAccess, "it is neither a file nor a directory")
	}
	return h.Replace(n, data, old.Mode)
}

func (h *Host) look(n Name) (i Info, target string, err error) {
	if i, err = h.Lstat(n); err == nil && i.IsLink() {
		target, err = h.ReadLink(n)
	}
	return i, target, err
}

// Replace writes a file with a mode. What stood there, a link too, is replaced.
func (h *Host) Replace(n Name, data []byte, mode fs.FileMode) error {
	if len(data) > MaxFileBytes {
		return fail("write", n.text, CodeTooLarge, "content is larger than 10 MiB")
	}
	temp := path.Join(path.Dir(n.text), TempName())
	f, err := h.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Wrap("write", n, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode.Perm()), f.Close())
	if err == nil {
		err = h.root.Rename(temp, n.text)
	}
	if err != nil {
		return errors.Join(Wrap("write", n, err), Wrap("tidy", n, h.root.Remove(temp)))
	}
	return nil
}

// Append implements FS.
func (h *Host) Append(n Name, data []byte) error {
	f, _, err := h.open("append", n, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return Wrap("append", n, errors.Join(err, f.Close()))
}

// Mkdir implements FS.
func (h *Host) Mkdir(n Name) error { return Wrap("make directory", n, h.root.Mkdir(n.text, 0o755)) }

// MkdirAll implements FS. Unlike that of os.Root it makes nothing through a link
// to what is not there.
func (h *Host) MkdirAll(n Name) error {
	i, err := h.Stat(n)
	switch {
	case err == nil && i.IsDir():
		return nil
	case err == nil:
		return fail("make directory", n.text, CodeExists, "it exists, and is no directory")
	case CodeOf(err) != CodeNotFound || n.IsRoot():
		return err
	}
	if err := h.MkdirAll(n.Dir()); err != nil {
		return err
	}
	err = h.Mkdir(n)
	if i, again := h.Stat(n); err != nil && again == nil && i.IsDir() {
		return nil // somebody else was faster
	}
	return err
}

// Remove implements FS.
func (h *Host) Remove(n Name) error {
	if n.IsRoot() {
		return fail("remove", ".", CodeAccess, "the root itself stays")
	}
	return Wrap("remove", n, h.root.Remove(n.text))
}

// RemoveAll implements FS.
func (h *Host) RemoveAll(n Name) (int, error) {
	i, err := h.Lstat(n)
	if err != nil {
		return 0, err
	}
	count := 0
	if i.IsDir() {
		entries, err := h.readDir(n, -1) // also what is not listed
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			removed, err := h.RemoveAll(n.Join(e))
			count += removed
			if err != nil {
				return count, err
			}
		}
	}
	if err := h.Remove(n); err != nil {
		return count, err
	}
	return count + 1, nil
}

// Rename implements FS.
func (h *Host) Rename(from, to Name) error {
	i, err := h.root.Lstat(from.text)
	if err != nil {
		return Wrap("move", from, err)
	}
	old, err := h.root.Lstat(to.text)
	switch {
	case err == nil && os.SameFile(i, old) && i.IsDir():
		return nil
	case from.IsRoot() || to.IsRoot() || i.IsDir() && to.Under(from):
		return fail("move", from.text, CodeInvalid, "a directory cannot move into itself")
	case err == nil && (old.IsDir() || i.IsDir()):
		return fail("move", to.text, CodeExists, "a directory is moved, or is in the way")
	}
	return Wrap("move", from, h.root.Rename(from.text, to.text))
}

// ReadLink implements FS.
func (h *Host) ReadLink(n Name) (string, error) {
	target, err := h.root.Readlink(n.text)
	return target, Wrap("read link", n, err)
}

// Link makes a symbolic link. It may point anywhere; following it does not.
func (h *Host) Link(n Name, target string) error {
	return Wrap("link", n, h.root.Symlink(target, n.text))
}
