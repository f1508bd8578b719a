package overlay

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
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

// absent is the identity of what is not there.
const absent = "absent"

// identity says what stands at a name in a layer, so that two identities are
// equal only if type, mode and content are.
func identity(layer *vfs.Host, n vfs.Name) (string, error) {
	i, err := layer.Lstat(n)
	switch code := vfs.CodeOf(err); {
	case err != nil && (code == vfs.CodeNotFound || code == vfs.CodeNotDirectory):
		return absent, nil
	case err != nil:
		return "", err
	case i.IsDir():
		return "directory", nil
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
	return set.Files(), err
}

// Files leaves out directories below which something else is in the set: they
// come and go with it.
func (s ChangeSet) Files() ChangeSet {
	var out ChangeSet
	for i, c := range s {
		dir := c.Old.IsDir() || c.New.IsDir()
		if dir && i+1 < len(s) && s[i+1].Path.Under(c.Path) {
			continue
		}
		out = append(out, c)
	}
	return out
}

func (o *Overlay) changes(ctx context.Context) (ChangeSet, error) {
	found := map[vfs.Name]bool{}
	err := fs.WalkDir(o.upper.Root().FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == "." {
			return err
		}
		n, err := vfs.ParseName(p)
		found[n] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list changes: %w", err)
	}
	for p := range o.index.white {
		n, err := vfs.ParseName(p)
		if err != nil {
			return nil, err
		}
		if err := o.hidden(n, found); err != nil {
			return nil, err
		}
	}
	var set ChangeSet
	for n := range found {
		if err := ctx.Err(); err != nil {
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
	slices.SortFunc(set, func(a, b Change) int { return slices.Compare(a.Path.Parts(), b.Path.Parts()) })
	return set, nil
}

// hidden adds what a whiteout hides in the lower.
func (o *Overlay) hidden(n vfs.Name, found map[vfs.Name]bool) error {
	i, err := o.lower.Lstat(n)
	if code := vfs.CodeOf(err); err != nil && (code == vfs.CodeNotFound || code == vfs.CodeNotDirectory) {
		return nil
	}
	if err != nil {
		return err
	}
	found[n] = true
	if !i.IsDir() {
		return nil
	}
	names, err := o.lower.ReadDir(n)
	if err != nil {
		return err
	}
	for _, e := range names {
		if err := o.hidden(n.Join(e), found); err != nil {
			return err
		}
	}
	return nil
}

// compare says how a path differs. A directory differs when only one layer has
// it: what else happened to it shows in its files.
func (o *Overlay) compare(n vfs.Name) (c Change, differs bool, err error) {
	before, err := identity(o.lower, n)
	if err != nil {
		return c, false, err
	}
	after, err := identity(o.upper, n)
	if err != nil {
		return c, false, err
	}
	if _, hidden := o.index.hides(n.String()); after == absent && !hidden {
		after = before
	}
	if before == after {
		return c, false, nil
	}
	c = Change{Path: n, Kind: Modified}
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
	base, known := o.index.base[n.String()]
	c.Conflict = known && base != before
	return c, true, err
}
