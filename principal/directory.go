package principal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// ErrUnknown is wrapped by Lookup when a principal has no profile: it has no rights and runs nothing.
var ErrUnknown = errors.New("unknown principal")

const (
	profilesDir    = "profiles"
	groupsFileName = "groups.toml"
	// maxCached bounds remembered profiles; a bigger population is read again, never refused.
	maxCached = 10_000
)

// Directory reads the profiles and groups under an etc/ directory. It is safe for concurrent use; Close it.
type Directory struct {
	etc, profiles *os.Root

	mu sync.Mutex
	// profileCache and groupsCache are guarded by mu; what they hold is immutable.
	profileCache map[ID]cached[Profile]
	groupsCache  cached[Groups]
}

// cached is a parsed file and the state of the file it came from.
type cached[T any] struct {
	info  fs.FileInfo
	value T
}

// fresh reports whether the file still looks as it did when it was parsed.
func (c cached[T]) fresh(info fs.FileInfo) bool {
	return c.info != nil && os.SameFile(c.info, info) && c.info.ModTime().Equal(info.ModTime()) &&
		c.info.Size() == info.Size() && c.info.Mode() == info.Mode()
}

// OpenDirectory opens the etc/ directory at path, which must exist, and makes its profiles/ (0700) if missing. A
// malformed groups.toml fails the open, so that a daemon says so at once.
func OpenDirectory(path string) (*Directory, error) {
	etc, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open principal directory: %w", err)
	}
	if err := etc.Mkdir(profilesDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, errors.Join(fmt.Errorf("make profiles directory: %w", err), etc.Close())
	}
	profiles, err := etc.OpenRoot(profilesDir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open profiles directory: %w", err), etc.Close())
	}
	d := &Directory{etc: etc, profiles: profiles, profileCache: make(map[ID]cached[Profile])}
	if _, err := d.Groups(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Lookup returns the profile of a principal. No file is ErrUnknown, as are nobody and the anonymous principal; a
// malformed or unsafe file is an error. Callers deny on every error.
func (d *Directory) Lookup(id ID) (Profile, error) {
	if id.IsZero() || id == Anonymous() {
		return Profile{}, fmt.Errorf("%w: %q", ErrUnknown, id.name)
	}
	name := id.name + ".toml"
	d.mu.Lock()
	known := d.profileCache[id]
	d.mu.Unlock()
	now, err := load(d.profiles, name, profilesDir+"/"+name, known, ParseProfile)
	if errors.Is(err, fs.ErrNotExist) {
		d.Forget(id)
		return Profile{}, fmt.Errorf("%w: %q has no profile", ErrUnknown, id.name)
	}
	if err != nil {
		return Profile{}, fmt.Errorf("read profile of %s: %w", id, err)
	}
	if now.info != known.info {
		d.remember(id, now)
	}
	return now.value, nil
}

// Groups returns the builtin groups and those of groups.toml as it is now. A malformed file is an error: callers deny.
func (d *Directory) Groups() (Groups, error) {
	d.mu.Lock()
	known := d.groupsCache
	d.mu.Unlock()
	now, err := load(d.etc, groupsFileName, groupsFileName, known, ParseGroups)
	if errors.Is(err, fs.ErrNotExist) {
		return BuiltinGroups(), nil
	}
	if err != nil {
		return Groups{}, fmt.Errorf("read groups: %w", err)
	}
	d.mu.Lock()
	d.groupsCache = now
	d.mu.Unlock()
	return now.value, nil
}

// Forget drops what is remembered of a principal's profile; the next Lookup reads the file.
func (d *Directory) Forget(id ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.profileCache, id)
}

// Close releases the directory handles. It is safe to call twice.
func (d *Directory) Close() error { return errors.Join(d.profiles.Close(), d.etc.Close()) }

func (d *Directory) remember(id ID, c cached[Profile]) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.profileCache) >= maxCached {
		clear(d.profileCache)
	}
	d.profileCache[id] = c
}

// load returns known while the file is unchanged and parses it otherwise. The state remembered is that of the opened
// file before its content was read, so a write during the read makes the next load parse again.
func load[T any](root *os.Root, name, shown string, known cached[T], parse func(string, []byte) (T, error)) (cached[T], error) {
	info, err := root.Lstat(name)
	if err != nil {
		return cached[T]{}, err
	}
	if known.fresh(info) {
		return known, nil
	}
	if err := safe(shown, info); err != nil {
		return cached[T]{}, err
	}
	f, err := root.Open(name)
	if err != nil {
		return cached[T]{}, err
	}
	defer f.Close()
	opened, err := f.Stat()
	if err != nil {
		return cached[T]{}, err
	}
	if !os.SameFile(info, opened) {
		return cached[T]{}, &FileError{File: shown, Problem: "was replaced while it was being read; try again"}
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return cached[T]{}, err
	}
	value, err := parse(shown, data)
	return cached[T]{info: opened, value: value}, err
}

// safe refuses what is not a plain file that only its owner can write: rights must not come from a file others edit.
func safe(shown string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return &FileError{File: shown, Problem: "is not a regular file"}
	}
	if info.Mode().Perm()&0o022 != 0 {
		return &FileError{File: shown, Problem: fmt.Sprintf("mode %04o lets others write it; run chmod 600 on it", info.Mode().Perm())}
	}
	return nil
}
