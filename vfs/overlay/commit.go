package overlay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/astrid-go/astrid/internal/durable"
	"github.com/astrid-go/astrid/vfs"
)

// The files of a commit under way; see the package comment.
const (
	stagingFile = "staging"
	journalFile = "journal"
)

// ConflictError names the paths that changed in the workspace below a change.
// Nothing was applied.
type ConflictError struct{ Paths []vfs.Name }

// Error lists the paths.
func (e *ConflictError) Error() string {
	return "the workspace changed below: " + join(e.Paths) + "; nothing was applied"
}

func join(names []vfs.Name) string {
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(n.String())
	}
	return b.String()
}

// op is one step of a commit. Steps can be repeated: one that was done already
// changes nothing.
type op struct {
	Path string `json:"path"`
	// Temp is the finished file that takes the place of Path.
	Temp string `json:"temp,omitempty"`
	// Dir makes a directory, Remove removes what is there.
	Dir    bool `json:"dir,omitempty"`
	Remove bool `json:"remove,omitempty"`
}

// plan is what the staging and journal files hold.
type plan struct {
	Version int  `json:"version"`
	Ops     []op `json:"ops"`
}

const planVersion = 1

// Commit applies the changes at or below the names, or all of them, to the
// lower: every one or none. It returns the paths it applied. A *ConflictError
// leaves both layers as they are. When it fails after its commit point, the next
// Open finishes it.
func (o *Overlay) Commit(ctx context.Context, names []vfs.Name) ([]vfs.Name, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.check("commit", vfs.Root()); err != nil {
		return nil, err
	}
	set, err := o.selected(ctx, names)
	if err != nil || len(set) == 0 {
		return nil, err
	}
	p := o.plan(set)
	if err := o.stage(ctx, p); err != nil {
		return nil, errors.Join(fmt.Errorf("commit: %w", err), o.unstage(p))
	}
	if err := o.finish(p); err != nil {
		return nil, fmt.Errorf("commit: %w; it is finished when the overlay is opened again", err)
	}
	return set.Files().paths(), nil
}

// selected returns the changes to commit, the new directories above them too,
// and refuses conflicts.
func (o *Overlay) selected(ctx context.Context, names []vfs.Name) (ChangeSet, error) {
	all, err := o.changes(ctx)
	if err != nil {
		return nil, err
	}
	set := all.Under(names)
	var conflict ConflictError
	for _, c := range set {
		if c.Conflict {
			conflict.Paths = append(conflict.Paths, c.Path)
		}
	}
	if len(conflict.Paths) > 0 {
		return nil, &conflict
	}
	if len(names) == 0 {
		return set, nil
	}
	var above ChangeSet
	for _, c := range all {
		below := func(s Change) bool { return s.Path != c.Path && s.Path.Under(c.Path) && s.Kind != Deleted }
		if c.Kind == Added && c.New.IsDir() && slices.ContainsFunc(set, below) && !slices.Contains(set.paths(), c.Path) {
			above = append(above, c)
		}
	}
	return append(above, set...), nil
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
func (o *Overlay) plan(set ChangeSet) plan {
	p := plan{Version: planVersion}
	for _, c := range slices.Backward(set) {
		if c.Kind == Deleted || c.Kind == Modified && c.Old.IsDir() != c.New.IsDir() {
			p.Ops = append(p.Ops, op{Path: c.Path.String(), Remove: true})
		}
	}
	for _, c := range set {
		if c.Kind != Deleted && c.New.IsDir() {
			p.Ops = append(p.Ops, op{Path: c.Path.String(), Dir: true})
		}
	}
	for _, c := range set {
		if c.Kind != Deleted && !c.New.IsDir() {
			temp := path.Join(o.nearest(c.Path).String(), vfs.TempName())
			p.Ops = append(p.Ops, op{Path: c.Path.String(), Temp: temp})
		}
	}
	return p
}

func (o *Overlay) nearest(n vfs.Name) vfs.Name {
	for dir := n.Dir(); ; dir = dir.Dir() {
		if i, err := o.lower.Lstat(dir); dir.IsRoot() || err == nil && i.IsDir() {
			return dir
		}
	}
}

// stage writes the temporary files and syncs them, then makes the plan the
// journal: the commit point.
func (o *Overlay) stage(ctx context.Context, p plan) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := o.dir.Replace(stagingFile, body, durable.Private); err != nil {
		return err
	}
	for _, step := range p.Ops {
		if step.Temp == "" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := o.stageFile(step); err != nil {
			return fmt.Errorf("stage %s: %w", step.Path, err)
		}
	}
	if err := o.dir.Root().Rename(stagingFile, journalFile); err != nil {
		return err
	}
	return o.dir.Sync()
}

func (o *Overlay) stageFile(step op) error {
	from, to := o.upper.Root(), o.lower.Root()
	info, err := from.Lstat(step.Path)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := from.Readlink(step.Path)
		if err != nil {
			return err
		}
		return to.Symlink(target, step.Temp)
	}
	in, err := from.Open(step.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := to.OpenFile(step.Temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(info.Mode().Perm()), out.Sync(), out.Close())
}

// unstage removes what a commit that did not reach its commit point left.
func (o *Overlay) unstage(p plan) error {
	var errs []error
	for _, step := range p.Ops {
		if step.Temp != "" {
			errs = append(errs, missingIsFine(o.lower.Root().Remove(step.Temp)))
		}
	}
	errs = append(errs, missingIsFine(o.dir.Root().Remove(stagingFile)), o.dir.Sync())
	return errors.Join(errs...)
}

// finish applies a journalled plan, forgets the changes and drops the journal.
// Each step may have been done before a crash.
func (o *Overlay) finish(p plan) error {
	touched := map[string]bool{}
	for _, step := range p.Ops {
		if err := o.apply(step); err != nil {
			return fmt.Errorf("apply %s: %w", step.Path, err)
		}
		touched[path.Dir(step.Path)] = true
		if step.Temp != "" {
			touched[path.Dir(step.Temp)] = true
		}
	}
	for dir := range touched {
		if err := o.sync(dir); err != nil {
			return err
		}
	}
	for _, step := range slices.Backward(p.Ops) {
		n, err := vfs.ParseName(step.Path)
		if err != nil {
			return err
		}
		if err := o.forget(n); err != nil {
			return err
		}
	}
	return errors.Join(missingIsFine(o.dir.Root().Remove(journalFile)), o.dir.Sync())
}

func (o *Overlay) apply(step op) error {
	root := o.lower.Root()
	switch {
	case step.Remove:
		err := missingIsFine(root.Remove(step.Path))
		if vfs.CodeOf(vfs.Wrap("remove", vfs.Root(), err)) == vfs.CodeNotEmpty {
			return nil // it holds what the agent never saw, so it stays
		}
		return err
	case step.Dir:
		if err := root.Mkdir(step.Path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	}
	return missingIsFine(root.Rename(step.Temp, step.Path))
}

// sync makes the names in a directory of the lower durable. One that is gone
// needs none.
func (o *Overlay) sync(dir string) error {
	d, err := o.lower.Root().Open(dir)
	if err != nil {
		return missingIsFine(err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func missingIsFine(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// recover deals with the commit that a crash left.
func (o *Overlay) recover() error {
	for _, file := range []struct {
		name string
		do   func(plan) error
	}{{journalFile, o.finish}, {stagingFile, o.unstage}} {
		body, err := o.dir.Root().ReadFile(file.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		var p plan
		if err := json.Unmarshal(body, &p); err != nil || p.Version != planVersion {
			return fmt.Errorf("the %s of a commit cannot be read: it was written by another version", file.name)
		}
		if err := file.do(p); err != nil {
			return fmt.Errorf("after a crash during a commit: %w", err)
		}
	}
	return nil
}
