package kernel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/principal"
	"github.com/astrid-go/astrid/vfs"
	"github.com/astrid-go/astrid/vfs/overlay"
)

// overlays holds the overlay of each principal over the workspace, made at
// first use and kept until shutdown: what it cost is memory for the changed
// paths, and it must never be closed under a running call. If one cannot be
// made the call fails; nobody ever gets the workspace itself.
type overlays struct {
	lower *vfs.Host
	dir   string // upper directories, one for each principal and workspace
	quota func(principal.ID) (int64, error)

	mu   sync.Mutex // guards what follows; held while one is opened, so that one directory is never opened twice
	open map[principal.ID]*overlay.Overlay
}

// newOverlays keys the upper directories by the workspace's path, so that the
// same home serves other workspaces without mixing their changes.
func newOverlays(lower *vfs.Host, home, workspace string, quota func(principal.ID) (int64, error)) *overlays {
	sum := sha256.Sum256([]byte(workspace))
	return &overlays{
		lower: lower, dir: filepath.Join(home, "var", "overlay", hex.EncodeToString(sum[:8])),
		quota: quota, open: map[principal.ID]*overlay.Overlay{},
	}
}

func (o *overlays) of(id principal.ID) (*overlay.Overlay, error) {
	if id.IsZero() || id == principal.Anonymous() {
		return nil, fmt.Errorf("open an overlay: %w", principal.ErrUnknown)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if v, ok := o.open[id]; ok {
		return v, nil
	}
	limit, err := o.quota(id)
	if err != nil {
		return nil, fmt.Errorf("open the overlay of %s: %w", id, err)
	}
	v, err := overlay.Open(overlay.Config{Lower: o.lower, UpperDir: filepath.Join(o.dir, id.String()), MaxBytes: limit})
	if err != nil {
		return nil, fmt.Errorf("open the overlay of %s: %w", id, err)
	}
	o.open[id] = v
	return v, nil
}

func (o *overlays) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	for id, v := range o.open {
		errs = append(errs, v.Close())
		delete(o.open, id)
	}
	return errors.Join(errs...)
}

func listChanges(ctx context.Context, k *Kernel, by principal.ID, q api.ChangesQuery) (api.ChangeSet, error) {
	v, names, err := k.changed(by, q.Paths)
	if err != nil {
		return api.ChangeSet{}, err
	}
	set, err := v.Changes(ctx)
	if err != nil {
		return api.ChangeSet{}, err
	}
	out := api.ChangeSet{Workspace: k.cfg.WorkspaceRoot, Changes: []api.Change{}}
	var text strings.Builder
	for _, c := range set.Under(names) {
		d, err := v.Diff(ctx, c)
		if err != nil {
			return api.ChangeSet{}, err
		}
		out.Changes = append(out.Changes, wireChange(c, d))
		if q.Diff && text.Len() < maxDiff {
			text.WriteString(d.Text)
		}
	}
	if out.Diff = text.String(); len(out.Diff) > maxDiff {
		out.Diff = strings.ToValidUTF8(out.Diff[:maxDiff], "") + "\n(the diff is cut here; ask for single paths)\n"
	}
	return out, nil
}

// maxDiff keeps an answer within a frame of the socket.
const maxDiff = 512 << 10

func wireChange(c overlay.Change, d overlay.FileDiff) api.Change {
	out := api.Change{
		Path: c.Path.String(), Kind: string(c.Kind),
		OldSize: c.Old.Size, NewSize: c.New.Size, Binary: d.Binary, Added: d.Added, Removed: d.Removed,
		Conflict: c.Conflict,
	}
	if c.Kind != overlay.Added {
		out.OldMode = fmt.Sprintf("%06o", unixMode(c.Old.Mode))
	}
	if c.Kind != overlay.Deleted {
		out.NewMode = fmt.Sprintf("%06o", unixMode(c.New.Mode))
	}
	return out
}

// unixMode is the mode as stat(2) and git have it.
func unixMode(m fs.FileMode) uint32 {
	kind := uint32(0o100000)
	switch {
	case m.IsDir():
		kind = 0o040000
	case m&fs.ModeSymlink != 0:
		kind = 0o120000
	}
	return kind | uint32(m.Perm())
}

func commitChanges(ctx context.Context, k *Kernel, by principal.ID, p api.Paths) (api.Committed, error) {
	v, names, err := k.changed(by, p.Paths)
	if err != nil {
		return api.Committed{}, err
	}
	done, err := v.Commit(ctx, names)
	return api.Committed{Paths: texts(done)}, err
}

func rollbackChanges(ctx context.Context, k *Kernel, by principal.ID, p api.Paths) (api.RolledBack, error) {
	v, names, err := k.changed(by, p.Paths)
	if err != nil {
		return api.RolledBack{}, err
	}
	done, err := v.Rollback(ctx, names)
	return api.RolledBack{Paths: texts(done)}, err
}

// changed returns the principal's overlay and the paths that a request names. A
// path in which nothing changed is not found: a mistyped one must not look like
// a commit of nothing.
func (k *Kernel) changed(by principal.ID, paths []string) (*overlay.Overlay, []vfs.Name, error) {
	v, err := k.overlays.of(by)
	if err != nil {
		return nil, nil, err
	}
	names := make([]vfs.Name, len(paths))
	for i, p := range paths {
		if names[i], err = vfs.ParseName(p); err != nil {
			return nil, nil, &api.Error{Code: api.CodeInvalid, Message: err.Error(), Hint: "give paths relative to the workspace"}
		}
	}
	if len(names) == 0 {
		return v, names, nil
	}
	set, err := v.Changes(context.Background())
	if err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		if len(set.Under([]vfs.Name{n})) == 0 {
			return nil, nil, &api.Error{Code: api.CodeNotFound, Message: "nothing changed at " + n.String(), Hint: "see `astrid changes --name-only`"}
		}
	}
	return v, names, nil
}

func texts(names []vfs.Name) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n.String()
	}
	return out
}
