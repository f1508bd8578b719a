// Package overlay puts a copy-on-write layer over a workspace, so that what an
// agent writes can be reviewed, committed or rolled back.
//
// The model:
//
//   - the lower is the real workspace and is only read, but for a commit; the
//     upper is a directory of ours that belongs to one principal and workspace;
//   - upper/data holds changed files under their own names; upper/index says what
//     is deleted (whiteouts) and what each changed path looked like in the lower
//     when it was first changed (its base); no name of a guest can forge either,
//     because guests only name what is in data;
//   - a path is looked up in the upper, then, unless it or a directory above it
//     is whited out, in the lower; links are resolved here, over both layers, and
//     never lead out;
//   - [Overlay.Changes] compares both layers; [Overlay.Commit] applies changes to
//     the lower, all or nothing; [Overlay.Rollback] drops them;
//   - what has no base the agent never saw: a deletion hides it until it is
//     committed or rolled back, and never removes it.
//
// Durability: an operation that returned survives the end of the process, by
// SIGKILL too. The index is appended to before data changes: a crash between the
// two leaves the old file, a crash after both the new one. RemoveAll and Rename
// of a directory are many such steps, and a crash may leave some of them done.
// None of this is synced: after power loss the latest changes may be gone or, if
// the file system left the index damaged, refused by Open. A commit is synced. It
// has two files: "staging" names the temporary files it makes in the lower, and
// is renamed to "journal" when all of them, and their names, are on disk. That
// rename is the commit point: a crash or power loss before it leaves the lower as
// it was, one after it is finished by the next Open, with the same code. What a
// person changed in between is kept, and shows as a conflict with the change.
//
// Ownership and locking: an Overlay owns its upper directory, alone. mu makes
// each operation one step and is held over its I/O; a commit also takes the
// lower's Exclusive, inside mu. Opening reads the index and the upper, and the
// lower only to finish a commit.
//
// Not promised: detection of renames (they show as a deletion and an addition),
// hard links (they become separate files), moves of files above
// vfs.MaxFileBytes, and that a program which writes the workspace while a commit
// is applied is not interleaved with it: what changed before the commit began is
// found, and refused as a conflict. The first write to a file, and its removal,
// reads the whole file for its base.
//
// To test code that uses an overlay, open one on two t.TempDir directories.
package overlay

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/astrid-go/astrid/internal/durable"
	"github.com/astrid-go/astrid/vfs"
)

// Config says what to open. All fields are required.
type Config struct {
	// Lower is the workspace; the overlay does not close it.
	Lower *vfs.Host
	// UpperDir is the overlay's own directory, made with mode 0700.
	UpperDir string
	// MaxBytes bounds the content of the upper, in bytes; the number of its
	// entries has a bound of its own.
	MaxBytes int64
}

// Overlay is a principal's view of a workspace. It is safe for concurrent use.
type Overlay struct {
	lower *vfs.Host
	dir   *durable.Dir
	// reached is called after each durable step of a commit, under mu.
	reached func(point string)

	mu      sync.RWMutex // guards what follows, and makes an operation one step
	upper   *upper       // upper/data
	index   *index
	pending *plan // a commit behind its commit point that is not finished
	closed  bool
}

var _ vfs.FS = (*Overlay)(nil)

// Open opens an overlay and finishes or undoes the commit that a crash left.
func Open(cfg Config) (*Overlay, error) {
	data := filepath.Join(cfg.UpperDir, "data")
	if err := os.MkdirAll(data, durable.PrivateDir); err != nil {
		return nil, fmt.Errorf("make the upper directory: %w", err)
	}
	o := &Overlay{lower: cfg.Lower, reached: func(string) {}}
	if err := o.open(cfg.UpperDir, data, cfg.MaxBytes); err != nil {
		return nil, errors.Join(fmt.Errorf("open overlay %s: %w", cfg.UpperDir, err), o.Close())
	}
	return o, nil
}

func (o *Overlay) open(dir, data string, limit int64) (err error) {
	if o.dir, err = durable.OpenDir(dir); err != nil {
		return err
	}
	if err = o.dir.Sweep(); err != nil {
		return err
	}
	if o.upper, err = openUpper(data, limit); err != nil {
		return err
	}
	if o.index, err = openIndex(o.dir); err != nil {
		return err
	}
	return o.recover()
}

// Close gives the upper up; it is kept on disk. It is safe twice.
func (o *Overlay) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	o.closed = true
	var errs []error
	if o.index != nil {
		errs = append(errs, o.index.close())
	}
	if o.upper != nil {
		errs = append(errs, o.upper.Close())
	}
	if o.dir != nil {
		errs = append(errs, o.dir.Close())
	}
	return errors.Join(errs...)
}

func (o *Overlay) check(op string, n vfs.Name) error {
	if o.closed {
		return &vfs.PathError{Op: op, Name: n.String(), Code: vfs.CodeClosed, Err: fs.ErrClosed}
	}
	return nil
}

// fail makes an error of this package.
func fail(op string, n vfs.Name, code vfs.Code, why string) error {
	return &vfs.PathError{Op: op, Name: n.String(), Code: code, Err: errors.New(why)}
}
