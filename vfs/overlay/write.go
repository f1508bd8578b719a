package overlay

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/astrid-go/astrid/vfs"
)

// change begins a changing operation: it takes the lock, which release gives
// back, and resolves the name.
func (o *Overlay) change(op string, n vfs.Name, last bool) (at vfs.Name, release func(), err error) {
	o.mu.Lock()
	if err := o.check(op, n); err != nil {
		return n, o.mu.Unlock, err
	}
	if err := o.settle(op, n); err != nil {
		return n, o.mu.Unlock, err
	}
	at, err = o.resolve(op, n, last)
	return at, o.mu.Unlock, err
}

// settle finishes the commit that failed behind its commit point: until it has,
// nothing may change what it still has to forget.
func (o *Overlay) settle(op string, n vfs.Name) error {
	if o.pending == nil {
		return nil
	}
	if _, err := o.finish(*o.pending); err != nil {
		why := fmt.Errorf("an earlier commit is not finished: %w", err)
		return &vfs.PathError{Op: op, Name: n.String(), Code: vfs.CodeOf(err), Err: why}
	}
	o.pending = nil
	return nil
}

// WriteFile implements vfs.FS. A new file has mode 0644, a replaced one keeps
// its own.
func (o *Overlay) WriteFile(n vfs.Name, data []byte) error {
	at, release, err := o.change("write", n, true)
	defer release()
	if err != nil {
		return err
	}
	return o.write(at, data, 0o644)
}

// Append implements vfs.FS.
func (o *Overlay) Append(n vfs.Name, data []byte) error {
	at, release, err := o.change("append", n, true)
	defer release()
	if err != nil {
		return err
	}
	old, err := o.content(at)
	if err != nil && vfs.CodeOf(err) != vfs.CodeNotFound {
		return err
	}
	return o.write(at, append(old, data...), 0o644)
}

// write puts a whole file into the upper: its base goes into the index first, as
// the package comment says, then the data in one rename.
func (o *Overlay) write(at vfs.Name, data []byte, mode fs.FileMode) error {
	old, _, err := o.layer(at)
	switch {
	case err == nil && old.IsDir():
		return fail("write", at, vfs.CodeIsDirectory, "it is a directory")
	case err == nil && !old.Mode.IsRegular():
		return fail("write", at, vfs.CodeAccess, "it is neither a file nor a directory")
	case err == nil:
		mode = old.Mode.Perm()
	case vfs.CodeOf(err) != vfs.CodeNotFound:
		return err
	}
	if err = o.parents("write", at); err == nil {
		err = o.remember(at)
	}
	if err == nil {
		err = o.upper.put(at, data, mode)
	}
	if err != nil {
		return errors.Join(err, o.prune(at.Dir())) // the way to it, if it is of no use
	}
	return nil
}

// parents makes the directory of a path in the upper; it must exist in the
// merged view.
func (o *Overlay) parents(op string, at vfs.Name) error {
	dir := at.Dir()
	i, _, err := o.layer(dir)
	if err != nil {
		return err
	}
	if !i.IsDir() {
		return fail(op, at, vfs.CodeNotDirectory, "what is above it is no directory")
	}
	return o.upper.mkdirAll(dir)
}

// remember records what the lower has at a path when it is first changed.
func (o *Overlay) remember(at vfs.Name) error {
	if o.changed(at) {
		return nil
	}
	id, err := o.below(at)
	if err != nil {
		return err
	}
	return o.index.add(entry{Path: at.String(), Base: id})
}

// changed reports whether the base of a path is that of a change which still
// holds. One without a change is left over from an operation that failed.
func (o *Overlay) changed(at vfs.Name) bool {
	_, known := o.index.base[at.String()]
	_, hidden := o.index.hides(at.String())
	return known && (hidden || o.upper.has(at))
}

// Mkdir implements vfs.FS.
func (o *Overlay) Mkdir(n vfs.Name) error {
	at, release, err := o.change("make directory", n, false)
	defer release()
	if err != nil {
		return err
	}
	return o.mkdir(at)
}

// mkdir makes a directory whose name has no links.
func (o *Overlay) mkdir(at vfs.Name) error {
	if _, _, err := o.layer(at); err == nil {
		return fail("make directory", at, vfs.CodeExists, "it exists")
	}
	if err := o.parents("make directory", at); err != nil {
		return err
	}
	if err := o.remember(at); err != nil {
		return err
	}
	return o.upper.mkdirAll(at)
}

// MkdirAll implements vfs.FS.
func (o *Overlay) MkdirAll(n vfs.Name) error {
	_, release, err := o.change("make directory", n, true)
	defer release()
	if err != nil {
		return err
	}
	return o.mkdirAll(n)
}

func (o *Overlay) mkdirAll(n vfs.Name) error {
	at, err := o.resolve("make directory", n, true)
	if err != nil {
		return err
	}
	i, _, err := o.layer(at)
	switch {
	case err == nil && i.IsDir():
		return nil
	case err == nil:
		return fail("make directory", n, vfs.CodeExists, "it exists, and is no directory")
	case vfs.CodeOf(err) != vfs.CodeNotFound:
		return err
	}
	if err := o.mkdirAll(n.Dir()); err != nil {
		return err
	}
	if at, err = o.resolve("make directory", n, false); err != nil {
		return err
	}
	return o.mkdir(at)
}

// Remove implements vfs.FS.
func (o *Overlay) Remove(n vfs.Name) error {
	at, release, err := o.change("remove", n, false)
	defer release()
	if err != nil {
		return err
	}
	i, _, err := o.layer(at)
	if err != nil {
		return err
	}
	if i.IsDir() && !at.IsRoot() {
		names, err := o.list(at)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return fail("remove", n, vfs.CodeNotEmpty, "the directory is not empty")
		}
	}
	_, err = o.remove(at)
	return err
}

// RemoveAll implements vfs.FS.
func (o *Overlay) RemoveAll(n vfs.Name) (int, error) {
	at, release, err := o.change("remove", n, false)
	defer release()
	if err != nil {
		return 0, err
	}
	return o.remove(at)
}

// remove hides a path and what is below it. The whiteout is the commit point: it
// is written, with the bases of everything it hides, before data goes.
func (o *Overlay) remove(at vfs.Name) (int, error) {
	if at.IsRoot() {
		return 0, fail("remove", at, vfs.CodeAccess, "the root itself stays")
	}
	count, before, after, err := o.bases(at)
	if err != nil {
		return 0, err
	}
	if _, hidden := o.index.hides(at.String()); !hidden {
		id, err := o.below(at)
		if err != nil {
			return 0, err
		}
		if id != absent {
			before = append(before, white(at.String(), true))
		}
	}
	if err := o.index.add(before...); err != nil {
		return 0, err
	}
	if err := o.upper.drop(at); err != nil {
		return 0, err
	}
	err = o.index.add(after...) // what never was below is no change any more
	return count, errors.Join(err, o.prune(at.Dir()))
}

// bases counts a path and what is below it, and returns what the index must hold
// before all of it is removed, and what it must forget after that.
func (o *Overlay) bases(at vfs.Name) (count int, before, after []entry, err error) {
	err = o.walk(at, func(n vfs.Name, _ vfs.Info, _ bool) error {
		count++
		base := o.index.base[n.String()]
		if !o.changed(n) {
			id, err := o.below(n)
			if err != nil {
				return err
			}
			base = id
			before = append(before, entry{Path: n.String(), Base: id})
		}
		if base == absent {
			after = append(after, entry{Path: n.String(), Forget: true})
		}
		return nil
	})
	return count, before, after, err
}

// walk visits a path of the merged view and all below it, parents first.
func (o *Overlay) walk(at vfs.Name, visit func(vfs.Name, vfs.Info, bool) error) error {
	i, inUpper, err := o.layer(at)
	if err != nil {
		return err
	}
	if err := visit(at, i, inUpper); err != nil || !i.IsDir() {
		return err
	}
	names, err := o.list(at)
	if err != nil {
		return err
	}
	for _, e := range names {
		if err := o.walk(at.Join(e), visit); err != nil {
			return err
		}
	}
	return nil
}

// Rename implements vfs.FS. What is moved is copied and then removed: a crash
// in between leaves the source and of a directory perhaps a part of the copy.
func (o *Overlay) Rename(from, to vfs.Name) error {
	source, release, err := o.change("move", from, false)
	defer release()
	if err != nil {
		return err
	}
	dest, err := o.resolve("move", to, false)
	if err != nil {
		return err
	}
	i, _, err := o.layer(source)
	if err != nil || source == dest {
		return err
	}
	if source.IsRoot() || dest.IsRoot() || dest.Under(source) {
		return fail("move", from, vfs.CodeInvalid, "a directory cannot move into itself")
	}
	if old, _, err := o.layer(dest); err == nil && (old.IsDir() || i.IsDir()) {
		return fail("move", to, vfs.CodeExists, "a directory is moved, or is in the way")
	}
	if err := o.copy(source, dest); err != nil {
		if i.IsDir() { // nothing was at dest before
			err = errors.Join(err, o.upper.drop(dest))
		}
		return err
	}
	_, err = o.remove(source)
	return err
}

// copy makes a tree anew at dest, in the upper.
func (o *Overlay) copy(source, dest vfs.Name) error {
	return o.walk(source, func(n vfs.Name, i vfs.Info, inUpper bool) error {
		to := dest
		for _, part := range n.Parts()[len(source.Parts()):] {
			to = to.Join(part)
		}
		if err := o.parents("move", to); err != nil {
			return err
		}
		if err := o.remember(to); err != nil {
			return err
		}
		switch {
		case i.IsDir():
			if err := o.upper.mkdirAll(to); err != nil {
				return err
			}
			return vfs.Wrap("move", to, o.upper.Root().Chmod(to.String(), i.Mode.Perm()))
		case i.IsLink():
			target, err := o.target(n, inUpper)
			if err != nil {
				return err
			}
			return o.upper.link(to, target)
		}
		data, err := o.content(n)
		if err != nil {
			return err
		}
		return o.upper.put(to, data, i.Mode)
	})
}
