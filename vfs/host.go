package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"syscall"
)

// Host is a directory of the machine. The kernel of the system keeps names
// inside: every step of a path is taken relative to an open directory, so that
// a link swapped in meanwhile leads nowhere else.
type Host struct{ root *os.Root }

// OpenHost opens a directory. The caller closes it.
func OpenHost(dir string) (*Host, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Host{root}, nil
}

// Close gives the directory up. It is safe twice.
func (h *Host) Close() error { return h.root.Close() }

// Root returns the handle, for the overlay's own bookkeeping.
func (h *Host) Root() *os.Root { return h.root }

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
func (h *Host) Open(n Name) (*os.File, error) { return h.open("read", n, os.O_RDONLY, 0) }

func (h *Host) open(op string, n Name, flag int, mode fs.FileMode) (*os.File, error) {
	f, err := h.root.OpenFile(n.text, flag|syscall.O_NONBLOCK, mode)
	if err != nil {
		return nil, Wrap(op, n, err)
	}
	i, err := f.Stat()
	switch {
	case err != nil:
	case i.IsDir():
		err = fail(op, n.text, CodeIsDirectory, "it is a directory")
	case !i.Mode().IsRegular():
		err = fail(op, n.text, CodeAccess, "it is neither a file nor a directory")
	default:
		return f, nil
	}
	return nil, errors.Join(Wrap(op, n, err), f.Close())
}

// ReadFile implements FS.
func (h *Host) ReadFile(n Name) ([]byte, error) {
	f, err := h.Open(n)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, Wrap("read", n, err)
	}
	if len(b) > MaxFileBytes {
		return nil, fail("read", n.text, CodeTooLarge, "file is larger than 10 MiB")
	}
	return b, nil
}

// ReadDir implements FS.
func (h *Host) ReadDir(n Name) ([]string, error) {
	d, err := h.root.Open(n.text)
	if err != nil {
		return nil, Wrap("list", n, err)
	}
	defer d.Close()
	names, err := d.Readdirnames(MaxEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, Wrap("list", n, err)
	}
	if len(names) > MaxEntries {
		return nil, fail("list", n.text, CodeTooLarge, "directory has more than 4096 entries")
	}
	slices.Sort(names)
	return names, nil
}

// WriteFile implements FS. The content is replaced in one step: a reader, and
// whoever comes after a crash, sees the old file or the new one.
func (h *Host) WriteFile(n Name, data []byte) error {
	mode := fs.FileMode(0o644)
	if old, err := h.Stat(n); err == nil {
		if old.IsDir() {
			return fail("write", n.text, CodeIsDirectory, "it is a directory")
		}
		mode = old.Mode.Perm()
	}
	return h.Replace(n, data, mode)
}

// Replace writes a file with a mode. What stood there, a link too, is replaced.
func (h *Host) Replace(n Name, data []byte, mode fs.FileMode) error {
	if len(data) > MaxFileBytes {
		return fail("write", n.text, CodeTooLarge, "content is larger than 10 MiB")
	}
	temp := Name{path.Join(path.Dir(n.text), TempName())}
	f, err := h.open("write", temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Wrap("write", n, unwrapped(err))
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(mode.Perm()), f.Close()); err != nil {
		return errors.Join(Wrap("write", n, err), h.root.Remove(temp.text))
	}
	if err := h.root.Rename(temp.text, n.text); err != nil {
		return errors.Join(Wrap("write", n, err), h.root.Remove(temp.text))
	}
	return nil
}

func unwrapped(err error) error {
	var p *PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Append implements FS.
func (h *Host) Append(n Name, data []byte) error {
	f, err := h.open("append", n, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return Wrap("append", n, errors.Join(err, f.Close()))
}

// Mkdir implements FS.
func (h *Host) Mkdir(n Name) error { return Wrap("make directory", n, h.root.Mkdir(n.text, 0o755)) }

// MkdirAll implements FS.
func (h *Host) MkdirAll(n Name) error {
	return Wrap("make directory", n, h.root.MkdirAll(n.text, 0o755))
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
		entries, err := h.ReadDir(n)
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
	if from.IsRoot() || to.IsRoot() || to != from && to.Under(from) {
		return fail("move", from.text, CodeInvalid, "a directory cannot move into itself")
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
