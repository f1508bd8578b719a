// Package durable changes directories so that success survives power loss.
//
// Model:
//   - A Dir is a directory held by handle; names in it are single path elements.
//   - Replace and Create write a hidden sibling, sync it, give it its name in one
//     step (rename or link), then sync the directory.
//   - Append writes to the end of a file and syncs it.
//   - Mkdir makes a directory with a mode and syncs its parent.
//   - Every verb returns nil only after the last sync.
//
// The commit point of Replace and Create is the rename or link: a crash before
// it leaves the old state and perhaps a hidden temporary file (Sweep removes
// them), a crash after it and before the directory sync leaves either the old
// state or the new one, whole.
//
// What it relies on: rename(2) and link(2) are atomic on one file system
// (POSIX.1-2024, rename, link), fsync(2) of a file does not cover its directory
// entry, so the directory is synced too (Linux man-pages, fsync(2)).
// It does not promise anything on file systems whose fsync lies, and it does
// not lock: two writers of one name leave one of the two contents.
//
// A Dir belongs to whoever opened it, who closes it; it is safe for concurrent
// use. Tests of packages which use it need a temporary directory, no fake.
package durable

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tempPrefix marks unfinished files; no name of a caller may begin with it.
const tempPrefix = ".durable-"

// Private is the mode of files and PrivateDir the mode of directories which
// only the owner of the home may read.
const (
	Private    fs.FileMode = 0o600
	PrivateDir fs.FileMode = 0o700
)

// Dir is an open directory. Names given to its methods are single elements.
type Dir struct {
	root *os.Root
	disk disk
}

// OpenDir opens an existing directory. The caller closes it.
func OpenDir(path string) (*Dir, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open directory: %w", err)
	}
	return FromRoot(root), nil
}

// FromRoot wraps a rooted directory; closing the Dir closes root.
func FromRoot(root *os.Root) *Dir { return &Dir{root: root, disk: osDisk{root}} }

// Root is the handle under the Dir, for reading.
func (d *Dir) Root() *os.Root { return d.root }

// Close releases the handle. It is safe twice.
func (d *Dir) Close() error { return d.root.Close() }

// Replace gives name the content data, whether name existed or not.
func (d *Dir) Replace(name string, data []byte, mode fs.FileMode) error {
	return d.place(name, data, mode, d.disk.rename)
}

// Create gives name the content data. If name exists it fails with an error
// that is fs.ErrExist and changes nothing.
func (d *Dir) Create(name string, data []byte, mode fs.FileMode) error {
	return d.place(name, data, mode, d.disk.link)
}

func (d *Dir) place(name string, data []byte, mode fs.FileMode, commit func(from, to string) error) error {
	if err := checkName(name); err != nil {
		return err
	}
	temp := tempPrefix + rand.Text()
	if err := d.writeTemp(temp, data, mode); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), d.discard(temp))
	}
	if err := commit(temp, name); err != nil {
		return errors.Join(fmt.Errorf("put %s in place: %w", name, err), d.discard(temp))
	}
	if err := d.discard(temp); err != nil { // a link leaves the first name behind
		return fmt.Errorf("write %s: %w", name, err)
	}
	return d.Sync()
}

// writeTemp opens with mode 0600 from the first byte; a wider mode comes after
// the content is complete.
func (d *Dir) writeTemp(temp string, data []byte, mode fs.FileMode) error {
	f, err := d.disk.open(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, Private)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && mode != Private {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (d *Dir) discard(temp string) error {
	if err := d.disk.remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove temporary file: %w", err)
	}
	return nil
}

// Append adds data to the end of name, which is made with mode if need be. The
// commit point is the sync of the file; a crash before it may leave any part of
// data, so the format of the file must show an unfinished end.
func (d *Dir) Append(name string, data []byte, mode fs.FileMode) error {
	if err := checkName(name); err != nil {
		return err
	}
	f, err := d.disk.open(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, mode)
	if err != nil {
		return fmt.Errorf("open %s to append: %w", name, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("append to %s: %w", name, err)
	}
	return d.Sync()
}

// Mkdir makes the directory name with exactly mode. If it exists it fails with
// an error that is fs.ErrExist.
func (d *Dir) Mkdir(name string, mode fs.FileMode) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := d.root.Mkdir(name, PrivateDir); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	if err := d.root.Chmod(name, mode); err != nil {
		return fmt.Errorf("set mode of directory: %w", err)
	}
	return d.Sync()
}

// Remove deletes a file or an empty directory.
func (d *Dir) Remove(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := d.disk.remove(name); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	return d.Sync()
}

// Sync makes the names in the directory durable.
func (d *Dir) Sync() error {
	f, err := d.disk.open(".", os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("open directory to sync: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// Sweep removes what interrupted Replace and Create calls left. Call it when
// no other writer works in the directory.
func (d *Dir) Sweep() error {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return fmt.Errorf("list directory: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			if err := d.discard(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkName(name string) error {
	if !filepath.IsLocal(name) || name != filepath.Base(name) || name == "." || strings.HasPrefix(name, tempPrefix) {
		return fmt.Errorf("file name %q: %w", name, fs.ErrInvalid)
	}
	return nil
}
