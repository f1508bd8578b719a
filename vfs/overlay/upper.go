package overlay

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/astrid-go/astrid/vfs"
)

// maxUpper bounds the entries of an upper: each costs an inode and memory, and
// no honest change set comes near.
const maxUpper = 100_000

// upper is the layer with the changes. It mirrors the names in it, so that
// looking for what never changed costs no call of the system. The overlay's lock
// guards it.
type upper struct {
	*vfs.Host
	limit int64
	used  int64                  // bytes of content
	names map[string]fs.FileMode // type of every entry
}

// openUpper reads what is there and removes unfinished files.
func openUpper(dir string, limit int64) (*upper, error) {
	host, err := vfs.OpenHost(dir)
	if err != nil {
		return nil, err
	}
	u := &upper{Host: host, limit: limit, names: map[string]fs.FileMode{}}
	if err := fs.WalkDir(host.Root().FS(), ".", u.count); err != nil {
		return nil, errors.Join(err, host.Close())
	}
	return u, nil
}

func (u *upper) count(p string, d fs.DirEntry, err error) error {
	if err != nil || p == "." {
		return err
	}
	if vfs.IsTemp(d.Name()) {
		return u.Root().Remove(p)
	}
	i, err := d.Info()
	if err != nil {
		return err
	}
	u.names[p] = i.Mode().Type()
	if i.Mode().IsRegular() {
		u.used += i.Size()
	}
	return nil
}

// has reports whether the upper holds a name.
func (u *upper) has(n vfs.Name) bool {
	_, ok := u.names[n.String()]
	return ok || n.IsRoot()
}

// blocks reports whether what the upper has above a name is no directory.
func (u *upper) blocks(n vfs.Name) bool {
	p := n.String()
	for i := strings.LastIndexByte(p, '/'); i > 0; i = strings.LastIndexByte(p, '/') {
		p = p[:i]
		if kind, ok := u.names[p]; ok {
			return !kind.IsDir()
		}
	}
	return false
}

func (u *upper) room(n vfs.Name) error {
	if !u.has(n) && len(u.names) >= maxUpper {
		return fail("write", n, vfs.CodeQuota, "too many files are changed")
	}
	return nil
}

// put writes a file.
func (u *upper) put(n vfs.Name, data []byte, mode fs.FileMode) error {
	held, err := u.held(n)
	if err == nil {
		err = u.room(n)
	}
	if err != nil {
		return err
	}
	if u.used-held+int64(len(data)) > u.limit {
		return fail("write", n, vfs.CodeQuota, "the storage quota of the principal is used up")
	}
	if err := u.Replace(n, data, mode); err != nil {
		return err
	}
	u.used += int64(len(data)) - held
	u.names[n.String()] = 0
	return nil
}

// held is the content that a name has already.
func (u *upper) held(n vfs.Name) (int64, error) {
	if kind, ok := u.names[n.String()]; !ok || !kind.IsRegular() {
		return 0, nil
	}
	i, err := u.Lstat(n)
	return i.Size, err
}

// mkdirAll makes a directory, and those above it.
func (u *upper) mkdirAll(n vfs.Name) error {
	if u.has(n) {
		return nil
	}
	if err := u.mkdirAll(n.Dir()); err != nil {
		return err
	}
	if err := u.room(n); err != nil {
		return err
	}
	if err := u.Mkdir(n); err != nil {
		return err
	}
	u.names[n.String()] = fs.ModeDir
	return nil
}

// link makes a symbolic link, in the place of a file if there is one.
func (u *upper) link(n vfs.Name, target string) error {
	held, err := u.held(n)
	if err == nil {
		err = u.room(n)
	}
	if err != nil {
		return err
	}
	temp := path.Join(n.Dir().String(), vfs.TempName())
	err = u.Root().Symlink(target, temp)
	if err == nil {
		err = u.Root().Rename(temp, n.String())
	}
	if err != nil {
		return errors.Join(vfs.Wrap("link", n, err), missingIsFine(u.Root().Remove(temp)))
	}
	u.used -= held
	u.names[n.String()] = fs.ModeSymlink
	return nil
}

// discard removes one entry; a directory must be empty.
func (u *upper) discard(n vfs.Name) error {
	held, err := u.held(n)
	if err == nil && u.has(n) {
		err = u.Remove(n)
	}
	if err != nil {
		return err
	}
	u.used -= held
	delete(u.names, n.String())
	return nil
}

// drop removes a name with all below it.
func (u *upper) drop(n vfs.Name) error {
	if !u.has(n) {
		return nil
	}
	if n.IsRoot() || u.names[n.String()].IsDir() {
		entries, err := u.Entries(n)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := u.drop(n.Join(e)); err != nil {
				return err
			}
		}
	}
	if n.IsRoot() {
		return nil
	}
	return u.discard(n)
}
