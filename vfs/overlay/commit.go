package overlay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/astrid-go/astrid/vfs"
)

// ConflictError names the paths that changed in the workspace below a change.
// Nothing was applied.
type ConflictError struct{ Paths []vfs.Name }

// Error lists the paths.
func (e *ConflictError) Error() string {
	return "the workspace changed below: " + join(e.Paths) + "; nothing was applied"
}

func join(names []vfs.Name) string {
	shown := make([]string, len(names))
	for i, n := range names {
		shown[i] = n.Display()
	}
	return strings.Join(shown, ", ")
}

// Commit applies the changes at or below the names, or all of them, to the
// lower: every one or none. New directories above them come along. It returns
// the paths it applied. A *ConflictError leaves both layers as they are. When it
// fails after its commit point, the next change, or the next Open, finishes it
// first. Commits of overlays on one Host run one after the other.
func (o *Overlay) Commit(ctx context.Context, names []vfs.Name) (applied []vfs.Name, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.check("commit", vfs.Root()); err != nil {
		return nil, err
	}
	err = o.lower.Exclusive(func() error {
		if err := o.settle("commit", vfs.Root()); err != nil {
			return err
		}
		applied, err = o.commit(ctx, names)
		return err
	})
	return applied, err
}

func (o *Overlay) commit(ctx context.Context, names []vfs.Name) ([]vfs.Name, error) {
	set, err := o.selected(ctx, names)
	if err != nil || len(set) == 0 {
		return nil, err
	}
	p, err := o.plan(set)
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	if err := o.stage(ctx, p); err != nil {
		return nil, errors.Join(fmt.Errorf("commit: %w", err), o.unstage(p))
	}
	kept, err := o.finish(p)
	if err != nil {
		o.pending = &p
		return nil, fmt.Errorf("commit: %w; it is decided, and finished with the next change", err)
	}
	applied := slices.DeleteFunc(set.Files().paths(), func(n vfs.Name) bool { return slices.Contains(kept, n) })
	if len(kept) > 0 {
		return applied, fmt.Errorf("commit: somebody changed %s while it was applied; that is kept, and the change with it", join(kept))
	}
	return applied, nil
}

// selected returns the changes to commit, the new directories above them too,
// and refuses conflicts.
func (o *Overlay) selected(ctx context.Context, names []vfs.Name) (ChangeSet, error) {
	all, err := o.changes(ctx)
	if err != nil {
		return nil, err
	}
	set := all.Under(names)
	chosen, needed := map[vfs.Name]bool{}, map[vfs.Name]bool{}
	for _, c := range set {
		chosen[c.Path] = true
		for dir := c.Path.Dir(); c.Kind != Deleted && !dir.IsRoot(); dir = dir.Dir() {
			needed[dir] = true
		}
	}
	var out ChangeSet
	var conflict ConflictError
	for _, c := range all {
		if !chosen[c.Path] && (!needed[c.Path] || !c.New.IsDir()) {
			continue
		}
		out = append(out, c)
		foreign, err := o.foreign(c, chosen)
		if err != nil {
			return nil, err
		}
		if c.Conflict || foreign {
			conflict.Paths = append(conflict.Paths, c.Path)
		}
	}
	if len(conflict.Paths) > 0 {
		return nil, &conflict
	}
	return out, nil
}

// foreign reports whether a directory that is to become a file or a link holds,
// in the lower, what is not going away with it.
func (o *Overlay) foreign(c Change, chosen map[vfs.Name]bool) (bool, error) {
	if c.Kind != Modified || !c.Old.IsDir() {
		return false, nil
	}
	found := false
	err := fs.WalkDir(o.lower.Root().FS(), c.Path.String(), func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		n, err := vfs.ParseName(p)
		if err != nil || !chosen[n] {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	return found, err
}

func (s ChangeSet) paths() []vfs.Name {
	names := make([]vfs.Name, len(s))
	for i, c := range s {
		names[i] = c.Path
	}
	return names
}

// plan orders the steps: removals from the deepest up, then directories from the
// top down, then files. New files are put beside the nearest directory that the
// lower has already, so that the last step is a rename.
func (o *Overlay) plan(set ChangeSet) (plan, error) {
	p := plan{Version: planVersion}
	for _, c := range slices.Backward(set) {
		if c.Kind == Deleted || c.Kind == Modified && c.Old.IsDir() != c.New.IsDir() {
			p.Ops = append(p.Ops, op{Path: c.Path.String(), Remove: true, Was: c.was})
		}
	}
	for _, c := range set {
		if c.Kind != Deleted && c.New.IsDir() {
			p.Ops = append(p.Ops, op{Path: c.Path.String(), Dir: true, Was: c.was, Mode: c.New.Mode.Perm()})
		}
	}
	for _, c := range set {
		if c.Kind == Deleted || c.New.IsDir() {
			continue
		}
		dir, err := o.nearest(c.Path)
		if err != nil {
			return plan{}, err
		}
		temp := path.Join(dir.String(), vfs.TempName())
		p.Ops = append(p.Ops, op{Path: c.Path.String(), Temp: temp, Was: c.was})
	}
	return p, nil
}

func (o *Overlay) nearest(n vfs.Name) (vfs.Name, error) {
	for dir := n.Dir(); ; dir = dir.Dir() {
		if dir.IsRoot() {
			return dir, nil
		}
		if id, err := o.below(dir); err != nil || id == directory {
			return dir, err
		}
	}
}
