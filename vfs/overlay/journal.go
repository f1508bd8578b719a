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
	"syscall"

	"github.com/astrid-go/astrid/internal/durable"
	"github.com/astrid-go/astrid/vfs"
)

// The files of a commit under way; see the package comment.
const (
	stagingFile = "staging"
	journalFile = "journal"
)

// op is one step of a commit. Steps can be repeated: one that was done already
// changes nothing.
type op struct {
	Path string `json:"path"`
	// Was is the identity of Path in the lower before the commit.
	Was string `json:"was"`
	// Temp is the finished file that takes the place of Path.
	Temp string `json:"temp,omitempty"`
	// Dir makes a directory with Mode, Remove removes what is there.
	Dir    bool        `json:"dir,omitempty"`
	Mode   fs.FileMode `json:"mode,omitempty"`
	Remove bool        `json:"remove,omitempty"`
}

// plan is what the staging and journal files hold.
type plan struct {
	Version int  `json:"version"`
	Ops     []op `json:"ops"`
}

const planVersion = 1

// stage writes the temporary files, syncs them and the directories they are in,
// then makes the plan the journal: the commit point.
func (o *Overlay) stage(ctx context.Context, p plan) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := o.dir.Replace(stagingFile, body, durable.Private); err != nil {
		return err
	}
	o.reached("staging written")
	if err := o.stageFiles(ctx, p.Ops); err != nil {
		return err
	}
	if err := o.dir.Root().Rename(stagingFile, journalFile); err != nil {
		return err
	}
	err = o.dir.Sync()
	o.reached("journal written")
	return err
}

// batch is how many files are written before they are synced: together, they
// cost the disk little more than one.
const batch = 64

func (o *Overlay) stageFiles(ctx context.Context, ops []op) (err error) {
	dirs := map[string]bool{}
	var open []*os.File
	defer func() { err = errors.Join(err, syncFiles(open)) }()
	for _, step := range ops {
		if step.Temp == "" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := o.stageFile(step)
		if err != nil {
			return fmt.Errorf("stage %w", vfs.Wrap("write", nameOf(step.Path), err))
		}
		if f != nil {
			open = append(open, f)
		}
		dirs[path.Dir(step.Temp)] = true
		o.reached("staged " + step.Path)
		if len(open) == batch {
			full := open
			open = nil
			if err := syncFiles(full); err != nil {
				return err
			}
		}
	}
	return o.syncAll(dirs)
}

// syncFiles makes files durable and closes them.
func syncFiles(files []*os.File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Sync(), f.Close())
	}
	return vfs.Wrap("sync", vfs.Root(), errors.Join(errs...))
}

// nameOf is the name of a path that was a name when the plan was made.
func nameOf(p string) vfs.Name {
	n, err := vfs.ParseName(p)
	if err != nil {
		return vfs.Root()
	}
	return n
}

// stageFile writes the temporary file of a step. The caller syncs and closes it;
// for a link there is none.
func (o *Overlay) stageFile(step op) (*os.File, error) {
	from, to := o.upper.Root(), o.lower.Root()
	info, err := from.Lstat(step.Path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := from.Readlink(step.Path)
		if err != nil {
			return nil, err
		}
		return nil, to.Symlink(target, step.Temp)
	}
	in, err := from.Open(step.Path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, err := to.OpenFile(step.Temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Chmod(info.Mode().Perm())); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, nil
}

// unstage removes what a commit that did not reach its commit point left.
func (o *Overlay) unstage(p plan) error {
	var errs []error
	for _, step := range p.Ops {
		if step.Temp != "" {
			errs = append(errs, missingIsFine(o.lower.Root().Remove(step.Temp)))
		}
	}
	for _, file := range []string{stagingFile, journalFile} {
		errs = append(errs, missingIsFine(o.dir.Root().Remove(file)))
	}
	errs = append(errs, o.dir.Sync())
	return errors.Join(errs...)
}

// errKept says that a step was not done because somebody changed what stands at
// its path since the plan was made.
var errKept = errors.New("somebody changed it meanwhile")

// finish applies a journalled plan, forgets the changes and drops the journal.
// Each step may have been done before a crash. What somebody changed since the
// plan was made is kept, and the change with it: it shows as a conflict from
// then on. It returns those paths.
func (o *Overlay) finish(p plan) (kept []vfs.Name, err error) {
	touched := map[string]bool{}
	for _, step := range p.Ops {
		err := o.apply(step, kept)
		if errors.Is(err, errKept) || blocked(err) {
			kept = append(kept, nameOf(step.Path))
			err = missingIsFine(o.lower.Root().Remove(step.Temp))
		}
		if err != nil {
			return nil, vfs.Wrap("apply", nameOf(step.Path), err)
		}
		touched[path.Dir(step.Path)] = true
		if step.Temp != "" {
			touched[path.Dir(step.Temp)] = true
		}
		o.reached("applied " + step.Path)
	}
	if err := o.syncAll(touched); err != nil {
		return nil, err
	}
	if err := o.forgetAll(p, kept); err != nil {
		return nil, err
	}
	err = errors.Join(missingIsFine(o.dir.Root().Remove(journalFile)), o.dir.Sync())
	o.reached("journal removed")
	return kept, err
}

// forgetAll drops the changes of a plan that were applied, the deepest first.
func (o *Overlay) forgetAll(p plan, kept []vfs.Name) error {
	for _, step := range slices.Backward(p.Ops) {
		n, err := vfs.ParseName(step.Path)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(kept, func(k vfs.Name) bool { return k.Under(n) }) {
			continue
		}
		if err := o.forget(n); err != nil {
			return err
		}
		o.reached("forgot " + step.Path)
	}
	return nil
}

// blocked reports whether something of another kind is in the way of a step.
func blocked(err error) bool {
	if err == nil {
		return false
	}
	switch vfs.CodeOf(vfs.Wrap("apply", vfs.Root(), err)) {
	case vfs.CodeExists, vfs.CodeIsDirectory, vfs.CodeNotDirectory, vfs.CodeNotEmpty:
		return true
	}
	return false
}

// apply does one step, unless something above it was kept or somebody changed
// its path.
func (o *Overlay) apply(step op, kept []vfs.Name) error {
	n, err := vfs.ParseName(step.Path)
	switch {
	case err != nil:
		return err
	case slices.ContainsFunc(kept, n.Under):
		return errKept
	case step.Remove:
		return o.applyRemoval(step)
	case step.Dir:
		return o.applyDir(n, step.Mode)
	}
	root := o.lower.Root()
	if _, err := root.Lstat(step.Temp); errors.Is(err, fs.ErrNotExist) {
		return o.applyAgain(step)
	}
	now, err := o.below(n)
	if err != nil {
		return err
	}
	if now != step.Was && now != absent {
		return errKept
	}
	err = root.Rename(step.Temp, step.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return o.applyAgain(step)
	}
	return err
}

func (o *Overlay) applyDir(n vfs.Name, mode fs.FileMode) error {
	err := o.lower.Root().Mkdir(n.String(), mode|0o700) // files go into it yet
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return o.lower.MkdirAll(n)
	case errors.Is(err, fs.ErrExist):
		if i, err := o.lower.Lstat(n); err == nil && i.IsDir() {
			return nil
		}
	}
	return err
}

// applyRemoval removes what the plan saw and nothing else: what stands there now
// may be the new file of the same plan, or somebody's.
func (o *Overlay) applyRemoval(step op) error {
	n, err := vfs.ParseName(step.Path)
	if err != nil {
		return err
	}
	if now, err := o.below(n); err != nil || now != step.Was {
		return err
	}
	err = missingIsFine(o.lower.Remove(n))
	if vfs.CodeOf(err) == vfs.CodeNotEmpty {
		return nil // it holds what the agent never saw, so it stays
	}
	return err
}

// applyAgain deals with a rename that found nothing: it was done before a crash,
// or somebody removed the temporary file or the directory it goes to.
func (o *Overlay) applyAgain(step op) error {
	n, err := vfs.ParseName(step.Path)
	if err != nil {
		return err
	}
	now, err := o.below(n)
	if err != nil || now != step.Was && now != absent || !o.upper.has(n) {
		return err
	}
	if err := o.lower.MkdirAll(n.Dir()); err != nil {
		return err
	}
	if _, err := o.lower.Root().Lstat(step.Temp); errors.Is(err, fs.ErrNotExist) {
		step.Temp = path.Join(n.Dir().String(), vfs.TempName())
		f, err := o.stageFile(step)
		if err != nil {
			return err
		}
		if f != nil {
			if err := syncFiles([]*os.File{f}); err != nil {
				return err
			}
		}
	}
	return o.lower.Root().Rename(step.Temp, step.Path)
}

// syncAll makes the names in directories of the lower durable. One that is gone
// needs none.
func (o *Overlay) syncAll(dirs map[string]bool) error {
	for dir := range dirs {
		id, err := o.below(nameOf(dir))
		if err != nil {
			return err
		}
		if id != directory {
			continue
		}
		d, err := o.lower.Root().OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return vfs.Wrap("sync", nameOf(dir), err)
		}
	}
	return nil
}

func missingIsFine(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// finishOld finishes the commit of an earlier process. What it kept shows as
// conflicts.
func (o *Overlay) finishOld(p plan) error {
	_, err := o.finish(p)
	return err
}

// recover deals with the commit that a crash left.
func (o *Overlay) recover() error {
	for _, file := range []struct {
		name string
		do   func(plan) error
	}{{journalFile, o.finishOld}, {stagingFile, o.unstage}} {
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
