package capsule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// State is where a capsule is in its life.
type State string

// The states. A capsule that failed stays in the registry with its reason.
const (
	Unloaded  State = "unloaded"
	Loading   State = "loading"
	Ready     State = "ready"
	Failed    State = "failed"
	Unloading State = "unloading"
)

// successors says which state may follow which.
var successors = map[State][]State{
	Unloaded:  {Loading, Failed},
	Loading:   {Ready, Failed, Unloading},
	Ready:     {Failed, Unloading, Loading},
	Failed:    {Loading, Failed, Unloading},
	Unloading: {Unloaded, Failed},
}

// Errors of the registry.
var (
	// ErrUnknown: no capsule has that name.
	ErrUnknown = errors.New("no such capsule")
	// ErrStale: another generation of the capsule took over meanwhile.
	ErrStale = errors.New("another generation took over")
	// ErrState: the capsule's state does not allow that.
	ErrState = errors.New("not possible in this state")
)

// Entry is one capsule in a snapshot.
type Entry struct {
	Name  string
	State State
	// Reason says why it failed.
	Reason string
	// Generation counts the loads of all capsules: a later load has a greater one.
	Generation uint64
	// Manifest is nil if it could not be read.
	Manifest *Manifest
	Dir      string
	Hash     Hash
	// Since is when the state began, Loaded when this generation was last ready.
	Since, Loaded time.Time
}

// Version is the manifest's, "" if it is not known.
func (e Entry) Version() string {
	if e.Manifest == nil || e.Manifest.Package.Version == nil {
		return ""
	}
	return e.Manifest.Package.Version.String()
}

// Registry knows every capsule and its state. It is safe for concurrent use:
// readers get immutable snapshots and never wait for writers.
type Registry struct {
	now func() time.Time

	mu         sync.Mutex // serialises writers; guards generation
	generation uint64
	entries    atomic.Pointer[map[string]Entry] // replaced, never changed
}

// NewRegistry returns an empty Registry.
func NewRegistry() *Registry {
	r := &Registry{now: time.Now}
	r.entries.Store(&map[string]Entry{})
	return r
}

// Get returns a capsule.
func (r *Registry) Get(name string) (Entry, bool) {
	e, ok := (*r.entries.Load())[name]
	return e, ok
}

// List returns all capsules by name, as they are at one moment.
func (r *Registry) List() []Entry {
	entries := *r.entries.Load()
	all := make([]Entry, 0, len(entries))
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		all = append(all, entries[name])
	}
	return all
}

// Begin registers a load of a capsule and returns its generation; whatever was
// registered under the name is replaced, unless it is being unloaded.
func (r *Registry) Begin(c Installed, hash Hash) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := c.Manifest.Name()
	old, known := r.Get(name)
	if known && !slices.Contains(successors[old.State], Loading) {
		return 0, fmt.Errorf("load capsule %s, which is %s: %w", name, old.State, ErrState)
	}
	r.generation++
	r.storeLocked(Entry{
		Name: name, State: Loading, Generation: r.generation, Manifest: c.Manifest, Dir: c.Dir, Hash: hash,
	})
	return r.generation, nil
}

// Refuse registers a capsule that cannot even be loaded. It does not replace one
// that is registered.
func (r *Registry) Refuse(f Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, known := r.Get(f.Name); known && old.State != Failed && old.State != Unloaded {
		return
	}
	r.storeLocked(Entry{Name: f.Name, State: Failed, Reason: f.Reason, Dir: f.Dir})
}

// Ready says that a generation serves.
func (r *Registry) Ready(name string, generation uint64) error {
	return r.move(name, generation, Ready, "")
}

// Fail says that a generation does not serve, and why.
func (r *Registry) Fail(name string, generation uint64, reason string) error {
	return r.move(name, generation, Failed, reason)
}

// Unloading says that a generation is on its way out.
func (r *Registry) Unloading(name string, generation uint64) error {
	return r.move(name, generation, Unloading, "")
}

// Unloaded says that a generation is gone; the capsule stays known.
func (r *Registry) Unloaded(name string, generation uint64) error {
	return r.move(name, generation, Unloaded, "")
}

// Remove forgets a capsule that does not serve.
func (r *Registry) Remove(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, known := r.Get(name)
	if !known {
		return fmt.Errorf("remove capsule %s: %w", name, ErrUnknown)
	}
	if old.State != Unloaded && old.State != Failed {
		return fmt.Errorf("remove capsule %s, which is %s: %w", name, old.State, ErrState)
	}
	next := maps.Clone(*r.entries.Load())
	delete(next, name)
	r.entries.Store(&next)
	return nil
}

func (r *Registry) move(name string, generation uint64, to State, reason string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, known := r.Get(name)
	switch {
	case !known:
		return fmt.Errorf("capsule %s to %s: %w", name, to, ErrUnknown)
	case e.Generation != generation:
		return fmt.Errorf("capsule %s generation %d to %s: %w", name, generation, to, ErrStale)
	case !slices.Contains(successors[e.State], to):
		return fmt.Errorf("capsule %s from %s to %s: %w", name, e.State, to, ErrState)
	}
	e.State, e.Reason = to, reason
	r.storeLocked(e)
	return nil
}

func (r *Registry) storeLocked(e Entry) {
	e.Since = r.now()
	if e.State == Ready {
		e.Loaded = e.Since
	}
	next := maps.Clone(*r.entries.Load())
	next[e.Name] = e
	r.entries.Store(&next)
}
