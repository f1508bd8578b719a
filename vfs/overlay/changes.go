package overlay

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/zeebo/blake3"

	"github.com/astrid-go/astrid/vfs"
)

// Kind says what happened to a path.
type Kind string

// The kinds.
const (
	Added    Kind = "added"
	Modified Kind = "modified"
	Deleted  Kind = "deleted"
)

// Change is one path that differs from the lower.
type Change struct {
	Path vfs.Name
	Kind Kind
	// Old and New describe the path in the lower and the upper; the one that is
	// not there is zero.
	Old, New vfs.Info
	// Conflict says that the lower is not what it was when the path was first
	// changed.
	Conflict bool

	was string // identity of the path in the lower
}

// ChangeSet is sorted by path, what is in a directory right behind it.
type ChangeSet []Change

// Under returns the changes at or below any of the names; none means all.
func (s ChangeSet) Under(names []vfs.Name) ChangeSet {
	if len(names) == 0 {
		return s
	}
	var out ChangeSet
	for _, c := range s {
		if slices.ContainsFunc(names, c.Path.Under) {
			out = append(out, c)
		}
	}
	return out
}

// The identities of what is not there and of any directory.
const (
	absent    = "absent"
	directory = "directory"
)

// below is the identity of a path in the lower. What is behind a link is not at
// the path: it is absent.
func (o *Overlay) below(n vfs.Name) (string, error) {
	dir := vfs.Root()
	for _, part := range n.Dir().Parts() { // from the top: nothing is looked up through a link
		dir = dir.Join(part)
		i, err := o.lower.Lstat(dir)
		if missing(err) || err == nil && !i.IsDir() {
			return absent, nil
		}
		if err != nil {
			return "", err
		}
	}
	return identity(o.lower, n)
}

// identity says what stands at a name in a layer, so that two identities are
// equal only if type, mode and content are.
func identity(layer *vfs.Host, n vfs.Name) (string, error) {
	i, err := layer.Lstat(n)
	switch {
	case missing(err):
		return absent, nil
	case err != nil:
		return "", err
	case i.IsDir():
		return directory, nil
	case i.IsLink():
		target, err := layer.ReadLink(n)
		return "link " + target, err
	case !i.Mode.IsRegular():
		return "other " + i.Mode.Type().String(), nil
	}
	sum, err := hash(layer, n)
	return fmt.Sprintf("file %o %s", i.Mode.Perm(), sum), err
}

func hash(layer *vfs.Host, n vfs.Name) (string, error) {
	f, err := layer.Open(n)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := blake3.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", vfs.Wrap("read", n, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Changes compares both layers. It reads what changed and nothing else.
func (o *Overlay) Changes(ctx context.Context) (ChangeSet, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if err := o.check("list changes", vfs.Root()); err != nil {
		return nil, err
	}
	set, err := o.changes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list changes: %w", err)
	}
	return set.Files(), nil
}

// Files leaves out directories below which something else is in the set: they
// come and go with it.
func (s ChangeSet) Files() ChangeSet {
	var out ChangeSet
	for i, c := range s {
		dir := c.Kind != Modified && (c.Old.IsDir() || c.New.IsDir())
		if dir && i+1 < len(s) && s[i+1].Path.Under(c.Path) {
			continue
		}
		out = append(out, c)
	}
	return out
}

// changes looks at every path that the upper holds or that has a base: what a
// whiteout hides and the agent never saw is no change.
func (o *Overlay) changes(ctx context.Context) (ChangeSet, error) {
	var set ChangeSet
	for _, p := range o.candidates() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := vfs.ParseName(p)
		if err != nil {
			return nil, err
		}
		c, differs, err := o.compare(n)
		if err != nil {
			return nil, err
		}
		if differs {
			set = append(set, c)
		}
	}
	slices.SortFunc(set, func(a, b Change) int { return compareNames(a.Path, b.Path) })
	return set, nil
}

func (o *Overlay) candidates() []string {
	paths := slices.Collect(maps.Keys(o.upper.names))
	for p := range o.index.base {
		if _, both := o.upper.names[p]; !both {
			paths = append(paths, p)
		}
	}
	return paths
}

// compareNames orders by elements: the slash comes before every other byte, so
// that nothing stands between a directory and what is in it.
func compareNames(a, b vfs.Name) int {
	x, y := a.String(), b.String()
	for i := range min(len(x), len(y)) {
		switch {
		case x[i] == y[i]:
			continue
		case x[i] == '/':
			return -1
		case y[i] == '/':
			return 1
		}
		return cmp.Compare(x[i], y[i])
	}
	return cmp.Compare(len(x), len(y))
}

// compare says how a path differs. A directory differs when only one layer has
// it: what else happened to it shows in its files.
func (o *Overlay) compare(n vfs.Name) (c Change, differs bool, err error) {
	base, known := o.index.base[n.String()]
	_, hidden := o.index.hides(n.String())
	held := o.upper.has(n)
	if !held && !hidden {
		return c, false, nil
	}
	if !known {
		base = directory // it only leads to changes, so it was there
	}
	before, err := o.below(n)
	if err != nil {
		return c, false, err
	}
	after := absent
	if held {
		after, err = identity(o.upper.Host, n)
	}
	if err != nil || before == after {
		return c, false, err
	}
	c = Change{Path: n, Kind: Modified, Conflict: base != before, was: before}
	switch absent {
	case before:
		c.Kind = Added
	case after:
		c.Kind = Deleted
	}
	if before != absent {
		c.Old, err = o.lower.Lstat(n)
	}
	if after != absent && err == nil {
		c.New, err = o.upper.Lstat(n)
	}
	return c, true, err
}
