package overlay

import (
	"context"
	"fmt"
	"path"
	"strings"

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
	if err := o.settle("roll back", vfs.Root()); err != nil {
		return nil, err
	}
	all, err := o.changes(ctx)
	if err != nil {
		return nil, err
	}
	set := all.restoring(names)
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

// restoring returns the changes at or below the names. A file of the agent's
// where the lower has the directory above one of them comes along: it is in the
// way.
func (s ChangeSet) restoring(names []vfs.Name) ChangeSet {
	chosen, above := map[vfs.Name]bool{}, map[vfs.Name]bool{}
	for _, c := range s.Under(names) {
		chosen[c.Path] = true
		for dir := c.Path.Dir(); c.Kind != Added && !dir.IsRoot(); dir = dir.Dir() {
			above[dir] = true
		}
	}
	var out ChangeSet
	for _, c := range s {
		if chosen[c.Path] || above[c.Path] && c.Kind == Modified && !c.New.IsDir() {
			out = append(out, c)
		}
	}
	return out
}

// reset drops everything. Data goes first: what is left of it after a crash
// still shows as changes.
func (o *Overlay) reset() error {
	if err := o.upper.drop(vfs.Root()); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return o.index.clear()
}

// forget makes one path show the lower again. What is below a directory stays as
// it is, so callers go from the deepest up.
func (o *Overlay) forget(n vfs.Name) error {
	if err := o.uncover(n); err != nil {
		return err
	}
	err := o.upper.discard(n)
	if err != nil && vfs.CodeOf(err) != vfs.CodeNotEmpty { // changes below are kept
		return err
	}
	if err := o.index.add(entry{Path: n.String(), Forget: true}); err != nil {
		return err
	}
	return o.prune(n.Dir())
}

// prune removes directories that only led to changes, when the last is gone:
// else they would still stand when the workspace removes its own.
func (o *Overlay) prune(n vfs.Name) error {
	for ; !n.IsRoot() && o.upper.has(n); n = n.Dir() {
		if _, changed := o.index.base[n.String()]; changed {
			return nil
		}
		if err := o.upper.discard(n); vfs.CodeOf(err) == vfs.CodeNotEmpty {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// uncover takes a path out of the whiteouts that hide it. A whiteout of a
// directory above it is split, so that everything else which the agent deleted
// stays hidden; what it never saw appears.
func (o *Overlay) uncover(n vfs.Name) error {
	p := n.String()
	for by, hidden := o.index.hides(p); hidden; by, hidden = o.index.hides(p) {
		if by != p {
			if id, err := o.below(n); err != nil || id == absent {
				return err // there is nothing to show
			}
		}
		if err := o.index.add(o.split(by, p)...); err != nil {
			return err
		}
	}
	return nil
}

// split takes back the whiteout by, which hides p, and gives one to each path
// beside the way from by down to p.
func (o *Overlay) split(by, p string) []entry {
	lines := []entry{white(by, false)}
	if by == p {
		return lines
	}
	for other, base := range o.index.base {
		dir := path.Dir(other)
		between := (dir == by || strings.HasPrefix(dir, by+"/")) && strings.HasPrefix(p, dir+"/")
		leads := other == p || strings.HasPrefix(p, other+"/")
		if between && !leads && base != absent {
			lines = append(lines, white(other, true))
		}
	}
	return lines
}
