package overlay

import (
	"context"
	"fmt"

	"github.com/astrid-go/astrid/vfs"
)

// Rollback drops the changes at or below the names, or all of them, and returns
// their paths. Each path is dropped for good as soon as it is; a crash leaves
// the rest changed.
func (o *Overlay) Rollback(ctx context.Context, names []vfs.Name) ([]vfs.Name, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.check("roll back", vfs.Root()); err != nil {
		return nil, err
	}
	all, err := o.changes(ctx)
	if err != nil {
		return nil, err
	}
	set := all.Under(names)
	if len(set) == len(all) {
		return set.Files().paths(), o.reset()
	}
	for i := len(set) - 1; i >= 0; i-- {
		if err := o.forget(set[i].Path); err != nil {
			return nil, fmt.Errorf("roll back %s: %w", set[i].Path, err)
		}
	}
	return set.Files().paths(), nil
}

// reset drops everything. Data goes first: what is left of it after a crash
// still shows as changes.
func (o *Overlay) reset() error {
	names, err := o.upper.ReadDir(vfs.Root())
	if err != nil {
		return err
	}
	for _, e := range names {
		if err := o.drop(vfs.Root().Join(e)); err != nil {
			return fmt.Errorf("roll back: %w", err)
		}
	}
	return o.index.clear()
}

// forget makes one path show the lower again. What is below a directory stays as
// it is, so callers go from the deepest up.
func (o *Overlay) forget(n vfs.Name) error {
	if err := o.uncover(n); err != nil {
		return err
	}
	i, err := o.upper.Lstat(n)
	if err == nil {
		held := i.Size
		err = o.upper.Remove(n)
		if i.IsDir() && vfs.CodeOf(err) == vfs.CodeNotEmpty {
			return nil // changes below it are kept
		}
		if err == nil && i.Mode.IsRegular() {
			o.used -= held
		}
	}
	if code := vfs.CodeOf(err); err != nil && code != vfs.CodeNotFound && code != vfs.CodeNotDirectory {
		return err
	}
	return o.index.add(entry{Path: n.String(), Forget: true})
}

// uncover takes a path out of the whiteout that hides it. A whiteout of a
// directory above it is split, so that everything else stays hidden.
func (o *Overlay) uncover(n vfs.Name) error {
	p := n.String()
	by, hidden := o.index.hides(p)
	if !hidden {
		return nil
	}
	lines := []entry{white(by, false)}
	if by != p {
		top, err := vfs.ParseName(by)
		if err != nil {
			return err
		}
		below := map[vfs.Name]bool{}
		if err := o.hidden(top, below); err != nil {
			return err
		}
		for other := range below {
			if !n.Under(other) {
				lines = append(lines, white(other.String(), true))
			}
		}
	}
	return o.index.add(lines...)
}
