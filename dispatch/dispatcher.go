package dispatch

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

const (
	// DefaultConcurrency is how many chains of one principal run at once.
	DefaultConcurrency = 4
	// DefaultDeadline ends a handler call: the default of a profile.
	DefaultDeadline = 300 * time.Second
	// DefaultQueue is how many chains of one principal may wait or run.
	DefaultQueue = 256
	// observerWorkers is how many observers of one principal run at once: they have no claim on speed.
	observerWorkers = 1
)

// Config says how a Dispatcher works. Bus, Invoker and Access are required.
type Config struct {
	Bus     *bus.Bus
	Invoker Invoker
	// Access decides whether a principal may use a capsule, for topics that run a tool or a command. It is asked
	// before each such call of a handler or observer and may wait for a person, but no longer than ctx.
	Access func(ctx context.Context, id principal.ID, topic bus.Topic, capsule string) error
	// Concurrency returns how many chains of a principal may run at once; nil is DefaultConcurrency.
	Concurrency func(principal.ID) int
	// Deadline returns how long one call of a handler, and one question to Access, may take; nil, or what is not positive, is DefaultDeadline.
	Deadline func(principal.ID) time.Duration
	// Queue bounds the chains, and the observer calls, that wait or run for one principal; 0 is DefaultQueue.
	Queue int
	// NewID makes the call ids; nil is uuid.New.
	NewID func() uuid.UUID
	// OnOutcome is told what became of each published message. It runs under no lock, in the order of the chains, and
	// delays the next chain of its principal and topic while it runs. It may publish.
	OnOutcome func(Outcome)
}

// Dispatcher is safe for concurrent use. What New returns must be closed.
type Dispatcher struct {
	config    Config
	registry  *registry
	handlers  *scheduler
	observers *scheduler
	root      context.Context // of every handler call; ends when Close gives up waiting
	stop      context.CancelCauseFunc
	seed      maphash.Seed
	order     [64]sync.Mutex // by principal: makes queue order equal bus order

	mu         sync.RWMutex // guards what follows
	closed     bool
	publishing sync.WaitGroup // publishes on their way; added to while not closed
}

// New returns a Dispatcher, or an error that names what c lacks.
func New(c Config) (*Dispatcher, error) {
	if c.Bus == nil || c.Invoker == nil || c.Access == nil {
		return nil, errors.New("new dispatcher: Bus, Invoker and Access are required")
	}
	if c.Concurrency == nil {
		c.Concurrency = func(principal.ID) int { return DefaultConcurrency }
	}
	if c.Deadline == nil {
		c.Deadline = func(principal.ID) time.Duration { return DefaultDeadline }
	}
	if c.OnOutcome == nil {
		c.OnOutcome = func(Outcome) {}
	}
	if c.NewID == nil {
		c.NewID = uuid.New
	}
	if c.Queue <= 0 {
		c.Queue = DefaultQueue
	}
	d := &Dispatcher{config: c, registry: newRegistry(), seed: maphash.MakeSeed()}
	d.handlers = newScheduler(c.Queue)
	d.observers = newScheduler(c.Queue)
	d.root, d.stop = context.WithCancelCause(context.Background())
	return d, nil
}

// Publish sends m through the guards, onto the bus and to the handlers, and returns it as the bus stamped it, with the
// payload the guards left. It waits for guards, never for handlers. A *DeniedError or an error that wraps ErrQueue or
// one of the bus, other than bus.ErrFull, means that nobody got the message; no Outcome follows. With bus.ErrFull the
// message is out, the handlers run, and the Outcome follows.
func (d *Dispatcher) Publish(ctx context.Context, m bus.Message) (bus.Message, error) {
	if err := d.enter(); err != nil {
		return bus.Message{}, fmt.Errorf("publish %s: %w", m.Topic, err)
	}
	defer d.publishing.Done()
	id := m.From.Principal()
	if id.IsZero() {
		return d.publishForNobody(ctx, m)
	}
	if m.Hops > bus.MaxHops || len(m.Payload) > bus.MaxGuestPayload {
		return d.config.Bus.Publish(ctx, m) // refused and counted there; no guard need see it
	}
	if err := d.guard(ctx, &m); err != nil {
		return bus.Message{}, err
	}
	r, queued, err := d.commit(ctx, m, d.config.Concurrency(id))
	if err == nil || errors.Is(err, bus.ErrFull) {
		d.settle(r, queued)
	}
	return r.Message, err
}

// errUnhandled says that a message has no chain because it has no handlers.
var errUnhandled = errors.New("no handler")

// commit publishes m and queues its chain in one piece, so that chains have the order of the bus. If queued is not nil,
// it says why there is no chain.
func (d *Dispatcher) commit(ctx context.Context, m bus.Message, workers int) (r bus.Receipt, queued, err error) {
	id := m.From.Principal()
	order := &d.order[maphash.String(d.seed, id.String())%uint64(len(d.order))]
	order.Lock()
	defer order.Unlock()
	queued = errUnhandled
	if d.registry.handled(m.Topic) {
		queued = d.handlers.reserve(id, workers)
	}
	if errors.Is(queued, ErrQueue) && m.Lane == bus.Control {
		return r, queued, fmt.Errorf("publish %s: %s: %w", m.Topic, id, queued)
	}
	r, err = d.config.Bus.PublishWith(ctx, m, bus.PublishOptions{})
	switch {
	case queued != nil:
	case err != nil && !errors.Is(err, bus.ErrFull):
		d.handlers.release(id)
	default:
		d.handlers.run(id, lane{topic: m.Topic}, func() { d.chain(r) })
	}
	return r, queued, err
}

// settle reports the outcome of a published message that has no chain to report it.
func (d *Dispatcher) settle(r bus.Receipt, queued error) {
	switch {
	case errors.Is(queued, errUnhandled):
		d.config.OnOutcome(Outcome{Message: r.Message, Status: NoHandler, Subscribers: r.Delivered})
	case queued != nil:
		d.config.OnOutcome(Outcome{
			Message: r.Message, Status: Dropped, Subscribers: r.Delivered, Failures: []Failure{{Err: queued}},
		})
	}
}

// enter admits a publish unless the Dispatcher is closed; the caller must mark it Done.
func (d *Dispatcher) enter() error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return ErrClosed
	}
	d.publishing.Add(1)
	return nil
}

// publishForNobody publishes a message that acts for no principal: no handler may see it. The bus refuses it unless it
// is the kernel's.
func (d *Dispatcher) publishForNobody(ctx context.Context, m bus.Message) (bus.Message, error) {
	r, err := d.config.Bus.PublishWith(ctx, m, bus.PublishOptions{})
	if err == nil || errors.Is(err, bus.ErrFull) {
		d.settle(r, errUnhandled)
	}
	return r.Message, err
}

// guard asks the guards of m in the publisher's goroutine, and puts the payload they leave into m.
func (d *Dispatcher) guard(ctx context.Context, m *bus.Message) error {
	guards := d.registry.match(m.Topic, ModeGuard)
	if len(guards) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.root, func() { cancel(ErrClosed) })()
	for _, g := range guards {
		result, err := d.call(ctx, g, m)
		if err != nil {
			return &DeniedError{m.Topic, g.capsule, g.Action, "guard failed: " + err.Error(), err}
		}
		switch result.Verdict {
		case Continue:
			if len(result.Payload) > 0 {
				m.Payload = result.Payload
			}
		case Final:
			return nil
		default:
			return &DeniedError{m.Topic, g.capsule, g.Action, result.Reason, nil}
		}
	}
	return nil
}

// call runs one handler for m, on the generation that is registered now, within the principal's deadline.
func (d *Dispatcher) call(ctx context.Context, e entry, m *bus.Message) (Result, error) {
	if err := d.admit(ctx, e, m); err != nil {
		return Result{}, err
	}
	ctx, cancel := d.limit(ctx, m)
	defer cancel()
	e, g, err := d.registry.begin(e)
	if err != nil {
		return Result{}, err
	}
	defer d.registry.end(g)
	result, err := d.config.Invoker.Invoke(ctx, Invocation{
		Capsule: e.capsule, Generation: e.generation, Principal: m.From.Principal(), From: m.From, Action: e.Action,
		Topic: m.Topic, Payload: m.Payload, CallID: d.config.NewID(), Hops: m.Hops + 1, Source: m.Source, Seq: m.Seq,
	})
	if late := context.Cause(ctx); late != nil && !errors.Is(err, late) {
		err = errors.Join(late, err) // an answer after the deadline is none
	}
	return result, err
}

// admit asks the access gate, if m's topic has one. A guard is asked about every message, whoever holds its capsule.
// The gate has a deadline of its own: the time a person takes to answer is not the handler's.
func (d *Dispatcher) admit(ctx context.Context, e entry, m *bus.Message) error {
	if e.Mode == ModeGuard || !gated(m.Topic) {
		return nil
	}
	ctx, cancel := d.limit(ctx, m)
	defer cancel()
	id := m.From.Principal()
	if err := d.config.Access(ctx, id, m.Topic, e.capsule); err != nil {
		return &AccessError{Principal: id, Topic: m.Topic, Capsule: e.capsule, Err: err}
	}
	return nil
}

func (d *Dispatcher) limit(ctx context.Context, m *bus.Message) (context.Context, context.CancelFunc) {
	limit := d.config.Deadline(m.From.Principal())
	if limit <= 0 {
		limit = DefaultDeadline
	}
	return context.WithTimeout(ctx, limit)
}

// Close refuses further publishes, waits for what is queued, and when ctx ends, stops what runs and reports what waits
// as failed. It returns once no worker is left, with ctx's error if it had to stop them. It is safe to call twice.
func (d *Dispatcher) Close(ctx context.Context) error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	stopped := make(chan struct{})
	giveUp := context.AfterFunc(ctx, func() {
		defer close(stopped)
		d.stop(ErrClosed)
	})
	d.publishing.Wait()
	d.handlers.running.Wait() // chains queue their observers before they end
	d.observers.running.Wait()
	if giveUp() {
		d.stop(ErrClosed)
		return nil
	}
	<-stopped
	return fmt.Errorf("close dispatcher: %w", ctx.Err())
}
