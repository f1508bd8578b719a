package bus

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/astrid-go/astrid/principal"
)

const (
	// MaxFanOut is how many subscriptions one message may reach: it bounds the work one publish causes.
	MaxFanOut = 256
	// MaxGuestPayload is the payload limit of the capsule ABI and of socket clients, in bytes.
	MaxGuestPayload = 1 << 20
	// MaxPayload is the limit of the kernel's own messages: what fits into the largest frame of the socket.
	MaxPayload = 10 << 20
)

// Errors that publishers and receivers branch on.
var (
	ErrClosed       = errors.New("bus closed")
	ErrFull         = errors.New("subscriber queue full")
	ErrUnattributed = errors.New("message without topic or attribution")
	ErrTooLarge     = errors.New("payload too large")
	ErrHops         = errors.New("too many hops")
	ErrRate         = errors.New("publish rate exceeded")
	ErrFanOut       = errors.New("too many subscribers")
)

// Config says how a Bus behaves. The zero value works: the real clock, no rates, no observer.
type Config struct {
	// Clock stamps messages and refills rates; nil is time.Now.
	Clock func() time.Time
	// Rate returns how many bytes of topic and payload a principal may publish in a second, over all its capsules and
	// clients. Zero or less is none at all. A nil Rate limits nobody. The kernel itself is never limited. It is called
	// on every publish and must be quick.
	Rate func(principal.ID) int64
	// Observer is told of each loss, on the goroutine that caused it and under no lock of the bus. It must return
	// soon, and may not publish before it does: its caller may be holding a lock of its own.
	Observer func(Loss)
}

// Bus is safe for concurrent use. What New returns must be closed.
type Bus struct {
	now      func() time.Time
	rate     func(principal.ID) int64
	observer func(Loss)
	counters counters
	seq      atomic.Uint64
	seed     maphash.Seed
	stripes  [64]stripe

	mu     sync.RWMutex // guards what follows
	index  Index[audience]
	subs   map[*Subscription]struct{}
	closed bool
}

// stripe serialises the publishes of the principals that hash to it: it makes queue order equal sequence order.
type stripe struct {
	mu       sync.Mutex // guards what follows
	rates    rates
	slots    []*audience     // scratch
	audience []*Subscription // scratch
}

// New returns an open bus.
func New(c Config) *Bus {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Bus{
		now: c.Clock, rate: c.Rate, observer: c.Observer,
		seed: maphash.MakeSeed(), subs: map[*Subscription]struct{}{},
	}
}

// PublishOptions widen what one publish may do.
type PublishOptions struct {
	// MaxPayload is the largest payload allowed, in bytes; 0 is MaxGuestPayload, and more than MaxPayload is MaxPayload.
	MaxPayload int
}

// Receipt says what became of a published message.
type Receipt struct {
	Message   Message // as stamped; zero if the message was refused whole
	Delivered int     // subscriptions that have it in their queue
	Refused   int     // subscriptions without room for it
}

// Publish is PublishWith without options: the limits of a guest.
func (b *Bus) Publish(ctx context.Context, m Message) (Message, error) {
	r, err := b.PublishWith(ctx, m, PublishOptions{})
	return r.Message, err
}

// PublishWith stamps m and puts it into the queue of each subscription that matches. It never waits. That nobody
// matches is no error. With ErrFull the receipt is filled in: the message is out, but Refused subscriptions miss it.
// With any other error nobody got it.
func (b *Bus) PublishWith(ctx context.Context, m Message, o PublishOptions) (Receipt, error) {
	if err := ctx.Err(); err != nil {
		return Receipt{}, fmt.Errorf("publish %s: %w", m.Topic, err)
	}
	if reason, err := check(&m, o); err != nil {
		return Receipt{}, b.refuse(&m, reason, err)
	}
	limit := int64(-1)
	if b.rate != nil && !m.From.IsSystem() {
		limit = max(0, b.rate(m.From.Principal()))
	}
	m.Time = b.now()
	s := &b.stripes[maphash.String(b.seed, m.From.id.String())%uint64(len(b.stripes))]
	r, losses, err := b.deliver(s, &m, limit)
	for _, loss := range losses {
		b.observer(loss)
	}
	switch {
	case errors.Is(err, ErrRate):
		return r, b.refuse(&m, TooFast, err)
	case errors.Is(err, ErrFanOut):
		return r, b.refuse(&m, TooWide, err)
	case err != nil:
		return r, fmt.Errorf("publish %s: %w", m.Topic, err)
	}
	return r, nil
}

func check(m *Message, o PublishOptions) (Reason, error) {
	if m.Topic.IsZero() || m.From.IsZero() || m.Lane > Stream {
		return Unattributed, ErrUnattributed
	}
	limit := o.MaxPayload
	if limit <= 0 {
		limit = MaxGuestPayload
	}
	if limit = min(limit, MaxPayload); len(m.Payload) > limit {
		return TooLarge, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, len(m.Payload), limit)
	}
	if m.Hops > MaxHops {
		return TooManyHops, fmt.Errorf("%w: %d, at most %d are allowed", ErrHops, m.Hops, MaxHops)
	}
	return 0, nil
}

// refuse counts a message that nobody got and returns the publisher's error.
func (b *Bus) refuse(m *Message, reason Reason, err error) error {
	b.lose(Loss{Reason: reason, Topic: m.Topic, Principal: m.From.id, Count: 1})
	return fmt.Errorf("publish %s: %w", m.Topic, err)
}

// deliver does what must happen in one piece for the order to hold: rate, sequence, queues. A negative limit is none.
// The losses are counted; the observer is still to be told, under no lock.
func (b *Bus) deliver(s *stripe, m *Message, limit int64) (r Receipt, losses []Loss, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := b.audienceLocked(s, m); err != nil {
		return r, nil, err
	}
	if limit >= 0 && !s.rates.spend(m.From.id, m.size(), limit, m.Time) {
		return r, nil, fmt.Errorf("%w: %s may publish %d bytes a second", ErrRate, m.From.id, limit)
	}
	m.Seq = b.seq.Add(1)
	r.Message = *m
	for _, sub := range s.audience {
		fate := sub.offer(m)
		if fate.taken {
			r.Delivered++
		}
		if fate.lost == 0 {
			continue
		}
		if fate.reason == Full {
			r.Refused++
		}
		b.counters.lost[fate.reason].Add(uint64(fate.lost))
		if b.observer != nil {
			losses = append(losses, Loss{fate.reason, m.Topic, m.From.id, sub.name, fate.lost})
		}
	}
	clear(s.audience)
	b.counters.published.Add(1)
	b.counters.delivered.Add(uint64(r.Delivered))
	if r.Refused > 0 {
		err = fmt.Errorf("%w: %d of %d subscribers", ErrFull, r.Refused, r.Refused+r.Delivered)
	}
	return r, losses, err
}

// audienceLocked fills s.audience with the subscriptions that see m. Subscriptions are asked outside Bus.mu, so that
// receivers and publishers of other principals meet only at a queue.
func (b *Bus) audienceLocked(s *stripe, m *Message) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return ErrClosed
	}
	s.audience = s.audience[:0]
	s.slots = b.index.Match(m.Topic, s.slots[:0])
	for _, slot := range s.slots {
		s.audience = slot.appendTo(s.audience, m.From)
		if len(s.audience) > MaxFanOut {
			clear(s.audience)
			return fmt.Errorf("%w: at most %d are allowed", ErrFanOut, MaxFanOut)
		}
	}
	return nil
}

// Close ends all subscriptions and refuses further publishes. It is safe to call twice.
func (b *Bus) Close() {
	b.mu.Lock()
	b.closed = true
	open := make([]*Subscription, 0, len(b.subs))
	for s := range b.subs {
		open = append(open, s)
	}
	b.mu.Unlock()
	for _, s := range open {
		s.Close()
	}
}
