package overlay

import (
	"path"
	"slices"
	"strings"

	"github.com/astrid-go/astrid/vfs"
)

// maxLinks bounds the links that one lookup follows; it is Linux's own limit.
const maxLinks = 40

// layer returns what stands at a name without links above it, and whether the
// upper holds it.
func (o *Overlay) layer(n vfs.Name) (i vfs.Info, inUpper bool, err error) {
	i, err = o.upper.Lstat(n)
	if err == nil {
		return i, true, nil
	}
	if code := vfs.CodeOf(err); code != vfs.CodeNotFound && code != vfs.CodeNotDirectory {
		return i, false, err
	}
	if _, hidden := o.index.hides(n.String()); hidden {
		return i, false, fail("stat", n, vfs.CodeNotFound, "no such file or directory")
	}
	i, err = o.lower.Lstat(n)
	return i, false, err
}

// resolve follows the links on the way to a name, and at its end when last is
// set, and returns the name of what it leads to. That need not exist.
func (o *Overlay) resolve(op string, n vfs.Name, last bool) (vfs.Name, error) {
	at, rest := vfs.Root(), n.Parts()
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if at.IsRoot() {
				return at, fail(op, n, vfs.CodeEscape, "a link on the path leads out of the workspace")
			}
			at = at.Dir()
			continue
		}
		next := at.Join(part)
		i, inUpper, err := o.layer(next)
		if err != nil || !i.IsLink() || len(rest) == 0 && !last {
			at = next // what is missing ends links; the operation says what it means
			continue
		}
		if links++; links > maxLinks {
			return at, fail(op, n, vfs.CodeEscape, "too many links on the path")
		}
		target, err := o.target(next, inUpper)
		if err != nil {
			return at, err
		}
		if path.IsAbs(target) {
			return at, fail(op, n, vfs.CodeEscape, "a link on the path leads out of the workspace")
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, nil
}

func (o *Overlay) target(n vfs.Name, inUpper bool) (string, error) {
	if inUpper {
		return o.upper.ReadLink(n)
	}
	return o.lower.ReadLink(n)
}

// look begins a reading operation: it takes the lock, which release gives back,
// and resolves the name.
func (o *Overlay) look(op string, n vfs.Name, last bool) (at vfs.Name, release func(), err error) {
	o.mu.RLock()
	if err := o.check(op, n); err != nil {
		return n, o.mu.RUnlock, err
	}
	at, err = o.resolve(op, n, last)
	return at, o.mu.RUnlock, err
}

// Stat implements vfs.FS.
func (o *Overlay) Stat(n vfs.Name) (vfs.Info, error) { return o.stat(n, true) }

// Lstat implements vfs.FS.
func (o *Overlay) Lstat(n vfs.Name) (vfs.Info, error) { return o.stat(n, false) }

func (o *Overlay) stat(n vfs.Name, last bool) (vfs.Info, error) {
	at, release, err := o.look("stat", n, last)
	defer release()
	if err != nil {
		return vfs.Info{}, err
	}
	i, _, err := o.layer(at)
	return i, err
}

// ReadFile implements vfs.FS.
func (o *Overlay) ReadFile(n vfs.Name) ([]byte, error) {
	at, release, err := o.look("read", n, true)
	defer release()
	if err != nil {
		return nil, err
	}
	return o.content(at)
}

// content reads a file whose name has no links.
func (o *Overlay) content(at vfs.Name) ([]byte, error) {
	_, inUpper, err := o.layer(at)
	switch {
	case err != nil:
		return nil, err
	case inUpper:
		return o.upper.ReadFile(at)
	}
	return o.lower.ReadFile(at)
}

// ReadLink implements vfs.FS.
func (o *Overlay) ReadLink(n vfs.Name) (string, error) {
	at, release, err := o.look("read link", n, false)
	defer release()
	if err != nil {
		return "", err
	}
	i, inUpper, err := o.layer(at)
	if err != nil {
		return "", err
	}
	if !i.IsLink() {
		return "", fail("read link", n, vfs.CodeInvalid, "it is no link")
	}
	return o.target(at, inUpper)
}

// ReadDir implements vfs.FS.
func (o *Overlay) ReadDir(n vfs.Name) ([]string, error) {
	at, release, err := o.look("list", n, true)
	defer release()
	if err != nil {
		return nil, err
	}
	return o.list(at)
}

// list merges the entries of both layers.
func (o *Overlay) list(at vfs.Name) ([]string, error) {
	i, _, err := o.layer(at)
	if err != nil {
		return nil, err
	}
	if !i.IsDir() {
		return nil, fail("list", at, vfs.CodeNotDirectory, "it is no directory")
	}
	names, err := entries(o.upper, at)
	if err != nil {
		return nil, err
	}
	if _, hidden := o.index.hides(at.String()); !hidden {
		below, err := entries(o.lower, at)
		if err != nil {
			return nil, err
		}
		for _, e := range below {
			if !o.index.white[at.Join(e).String()] && !vfs.IsTemp(e) {
				names = append(names, e)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > vfs.MaxEntries {
		return nil, fail("list", at, vfs.CodeTooLarge, "directory has too many entries")
	}
	return names, nil
}

// entries lists a directory of one layer; one that is not there has none.
func entries(layer *vfs.Host, at vfs.Name) ([]string, error) {
	names, err := layer.ReadDir(at)
	if code := vfs.CodeOf(err); err != nil && (code == vfs.CodeNotFound || code == vfs.CodeNotDirectory) {
		return nil, nil
	}
	return names, err
}
