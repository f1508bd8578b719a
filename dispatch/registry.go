package dispatch

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/astrid-go/astrid/bus"
)

// registry knows the handlers of the current generation of each capsule, and counts the calls in flight of every
// generation.
type registry struct {
	mu       sync.Mutex // guards what follows
	index    bus.Index[[]entry]
	capsules map[string]*generation
	old      map[instance]*generation // replaced or unregistered, until unregistered and idle
}

type instance struct {
	capsule    string
	generation uint64
}

// generation is one registered capsule generation. The registry's lock guards its fields.
type generation struct {
	instance
	handlers []Handler
	calls    int
	retired  bool
	idle     chan struct{} // closed once retired with no call running
	gone     chan struct{} // closed by unregister
}

func newRegistry() *registry {
	return &registry{capsules: map[string]*generation{}, old: map[instance]*generation{}}
}

func checkHandlers(handlers []Handler) error {
	if len(handlers) > MaxHandlers {
		return fmt.Errorf("%d handlers, at most %d are allowed", len(handlers), MaxHandlers)
	}
	for i, h := range handlers {
		if h.Pattern.IsZero() || h.Action == "" || h.Mode > ModeObserver {
			return fmt.Errorf("handler %d (%q on %q) is incomplete", i, h.Action, h.Pattern)
		}
	}
	return nil
}

func (r *registry) register(id instance, handlers []Handler) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.capsules[id.capsule]; old != nil {
		if old.generation >= id.generation {
			return fmt.Errorf("%w: %d, not %d", ErrStale, old.generation, id.generation)
		}
		r.retireLocked(old)
	}
	g := &generation{
		instance: id, handlers: slices.Clone(handlers), idle: make(chan struct{}), gone: make(chan struct{}),
	}
	r.capsules[id.capsule] = g
	for _, h := range g.handlers {
		slot := r.index.Slot(h.Pattern)
		*slot = append(*slot, entry{Handler: h, capsule: id.capsule, generation: id.generation})
	}
	return nil
}

// retireLocked takes g's handlers out and leaves g to drain.
func (r *registry) retireLocked(g *generation) {
	delete(r.capsules, g.capsule)
	for _, h := range g.handlers {
		slot := r.index.Slot(h.Pattern)
		*slot = slices.DeleteFunc(*slot, func(e entry) bool { return e.capsule == g.capsule })
		if len(*slot) == 0 {
			r.index.Prune(h.Pattern)
		}
	}
	r.old[g.instance] = g
	g.retired = true
	if g.calls == 0 {
		close(g.idle)
	}
}

// unregister retires id if it is current, ends its waits, and returns what closes when its last call has ended; nil
// if id is unknown.
func (r *registry) unregister(id instance) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.capsules[id.capsule]; g != nil && g.generation == id.generation {
		r.retireLocked(g)
	}
	g := r.old[id]
	if g == nil {
		return nil
	}
	if !closed(g.gone) {
		close(g.gone)
	}
	r.forgetLocked(g)
	return g.idle
}

// forgetLocked drops a generation that nothing refers to any more.
func (r *registry) forgetLocked(g *generation) {
	if g.retired && g.calls == 0 && closed(g.gone) {
		delete(r.old, g.instance)
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// match returns the handlers of topic that run in mode, in chain order.
func (r *registry) match(topic bus.Topic, mode Mode) []entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	var slots [8]*[]entry
	var found []entry
	for _, slot := range r.index.Match(topic, slots[:0]) {
		for _, e := range *slot {
			if e.Mode == mode {
				found = append(found, e)
			}
		}
	}
	slices.SortFunc(found, compare)
	return found
}

// begin counts a call of e's handler and returns the entry to call, which belongs to a newer generation if one was
// registered since the chain was looked up and still has that handler. end must follow.
func (r *registry) begin(e entry) (entry, *generation, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.capsules[e.capsule]
	if g == nil || g.generation != e.generation && !slices.Contains(g.handlers, e.Handler) {
		return e, nil, fmt.Errorf("%s generation %d: %w", e.capsule, e.generation, ErrAbsent)
	}
	e.generation = g.generation
	g.calls++
	return e, g, nil
}

func (r *registry) end(g *generation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g.calls--
	if g.retired && g.calls == 0 {
		close(g.idle)
	}
	r.forgetLocked(g)
}

// handled reports whether topic has a handler or an observer.
func (r *registry) handled(topic bus.Topic) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	var slots [8]*[]entry
	for _, slot := range r.index.Match(topic, slots[:0]) {
		if slices.ContainsFunc(*slot, func(e entry) bool { return e.Mode != ModeGuard }) {
			return true
		}
	}
	return false
}

// find returns a generation that is current or not yet forgotten.
func (r *registry) find(id instance) (*generation, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.capsules[id.capsule]
	if g == nil || g.generation != id.generation {
		g = r.old[id]
	}
	if g == nil {
		return nil, fmt.Errorf("%s generation %d: %w", id.capsule, id.generation, ErrAbsent)
	}
	return g, nil
}

// Register makes handlers those of capsule, in place of any older generation's, at once. It fails with ErrStale if
// the same or a newer generation is registered.
func (d *Dispatcher) Register(capsule string, generation uint64, handlers []Handler) error {
	if err := checkHandlers(handlers); err != nil {
		return fmt.Errorf("register %s generation %d: %w", capsule, generation, err)
	}
	if err := d.registry.register(instance{capsule, generation}, handlers); err != nil {
		return fmt.Errorf("register %s generation %d: %w", capsule, generation, err)
	}
	return nil
}

// Drain waits until the last call on a generation has ended, which it can only once a newer one replaced it. It ends
// nothing early: an upgrade drains the old generation, then unregisters it.
func (d *Dispatcher) Drain(ctx context.Context, capsule string, generation uint64) error {
	g, err := d.registry.find(instance{capsule, generation})
	if err != nil {
		return nil // nothing runs on what is unknown
	}
	return waitIdle(ctx, g.idle, "drain", g.instance)
}

// Unregister takes the handlers of a generation out, ends the requests it waits for, and waits until its last call has
// ended or ctx has. Each registered generation must be unregistered, also one that was replaced; an unknown one is no
// error.
func (d *Dispatcher) Unregister(ctx context.Context, capsule string, generation uint64) error {
	id := instance{capsule, generation}
	idle := d.registry.unregister(id)
	if idle == nil {
		return nil
	}
	return waitIdle(ctx, idle, "unregister", id)
}

func waitIdle(ctx context.Context, idle <-chan struct{}, verb string, id instance) error {
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s %s generation %d: calls in flight: %w", verb, id.capsule, id.generation, ctx.Err())
	}
}
