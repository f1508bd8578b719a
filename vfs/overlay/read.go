package overlay

import (
	"slices"

	"github.com/astrid-go/astrid/vfs"
)

// where says which layer shows a name without links above it: the upper, or the
// lower when err is nil too.
func (o *Overlay) where(n vfs.Name) (inUpper bool, err error) {
	if o.upper.has(n) {
		return true, nil
	}
	if o.upper.blocks(n) {
		return false, fail("stat", n, vfs.CodeNotDirectory, "what is above it is no directory")
	}
	if _, hidden := o.index.hides(n.String()); hidden {
		return false, fail("stat", n, vfs.CodeNotFound, "no such file or directory")
	}
	return false, nil
}

// layer returns what stands at a name without links above it, and whether the
// upper holds it.
func (o *Overlay) layer(n vfs.Name) (i vfs.Info, inUpper bool, err error) {
	inUpper, err = o.where(n)
	switch {
	case err != nil:
	case inUpper:
		i, err = o.upper.Lstat(n)
	default:
		i, err = o.lower.Lstat(n)
	}
	return i, inUpper, err
}

// resolve follows links over both layers; see vfs.Follow.
func (o *Overlay) resolve(op string, n vfs.Name, last bool) (vfs.Name, error) {
	return vfs.Follow(op, n, last, func(at vfs.Name) (i vfs.Info, target string, err error) {
		i, inUpper, err := o.layer(at)
		if err == nil && i.IsLink() {
			target, err = o.target(at, inUpper)
		}
		return i, target, err
	})
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
	i, inUpper, err := o.layer(at)
	if err != nil || !inUpper || !i.IsDir() {
		return i, err
	}
	if _, hidden := o.index.hides(at.String()); !hidden {
		// A directory that only leads to a change is the lower's.
		if below, err := o.lower.Lstat(at); err == nil && below.IsDir() {
			i.Mode = below.Mode
		}
	}
	return i, nil
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
	inUpper, err := o.where(at)
	switch {
	case err != nil:
		return nil, err
	case inUpper:
		return o.upper.ReadFile(at)
	}
	return o.lower.ReadFile(at)
}

// Resolve implements vfs.FS.
func (o *Overlay) Resolve(n vfs.Name, last bool) (vfs.Name, error) {
	at, release, err := o.look("resolve", n, last)
	defer release()
	return at, err
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
	names, err := o.list(at)
	if err == nil && len(names) > vfs.MaxEntries {
		return nil, fail("list", at, vfs.CodeTooLarge, "directory has more than 4096 entries")
	}
	return names, err
}

// list merges the entries of both layers.
func (o *Overlay) list(at vfs.Name) ([]string, error) {
	i, inUpper, err := o.layer(at)
	if err != nil {
		return nil, err
	}
	if !i.IsDir() {
		return nil, fail("list", at, vfs.CodeNotDirectory, "it is no directory")
	}
	var names []string
	if inUpper {
		if names, err = o.upper.Entries(at); err != nil {
			return nil, err
		}
	}
	if _, hidden := o.index.hides(at.String()); !hidden {
		below, err := o.lower.Entries(at)
		if err != nil && !missing(err) {
			return nil, err
		}
		for _, e := range below {
			if !o.index.white[at.Join(e).String()] {
				names = append(names, e)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// missing reports whether err says that nothing is there.
func missing(err error) bool {
	code := vfs.CodeOf(err)
	return err != nil && (code == vfs.CodeNotFound || code == vfs.CodeNotDirectory)
}
