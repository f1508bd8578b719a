package bus

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/astrid-go/astrid/principal"
)

// Subscription is a set of queues that Publish fills and Recv or RecvBatch empty. It is safe for concurrent use;
// order is per receiver, so concurrent receivers share the messages but not an order.
type Subscription struct {
	bus           *Bus
	name          string
	pattern       Pattern
	scope         principal.ID
	system, lossy bool
	maxMessages   int
	maxBytes      int

	mu     sync.Mutex // guards what follows
	flows  map[principal.ID]*flow
	order  circle
	spare  *flow         // the last emptied flow, kept so that one busy principal costs no allocation
	wake   chan struct{} // made by the first wait, closed by the first message
	closed bool
	waits  int // messages in all queues
}

// Batch is messages of one principal, in sequence order, with what that principal's queue lost since its last batch.
type Batch struct {
	Messages []Message
	Dropped  uint64 // Control messages refused for lack of room; their publishers were told
	Lagged   uint64 // messages evicted for newer ones
}

func newSubscription(b *Bus, p Pattern, o SubscribeOptions) *Subscription {
	s := &Subscription{
		bus: b, name: o.Name, pattern: p, scope: o.Principal, system: o.System, lossy: o.Lossy,
		maxMessages: o.MaxMessages, maxBytes: o.MaxBytes, flows: map[principal.ID]*flow{},
	}
	if s.maxMessages <= 0 {
		s.maxMessages = DefaultMaxMessages
	}
	if s.maxBytes <= 0 {
		s.maxBytes = DefaultMaxBytes
	}
	return s
}

// Recv waits for the next message. The error wraps ErrClosed or ctx's. It passes gaps over; see RecvBatch.
func (s *Subscription) Recv(ctx context.Context) (Message, error) {
	var one [1]Message
	batch, err := s.receive(ctx, request{into: one[:0], max: math.MaxInt, count: 1})
	if err != nil {
		return Message{}, err
	}
	return batch.Messages[0], nil
}

// RecvBatch waits for messages and returns those of the principal whose turn it is, with at most maxBytes of payload.
// A first message larger than that comes alone; any other that does not fit stays first in its queue.
func (s *Subscription) RecvBatch(ctx context.Context, maxBytes int) (Batch, error) {
	return s.receive(ctx, request{max: maxBytes, count: math.MaxInt, gaps: true})
}

// Poll is RecvBatch without the wait: the batch is empty if nothing waits.
func (s *Subscription) Poll(maxBytes int) (Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pollLocked(request{max: maxBytes, count: math.MaxInt, gaps: true})
}

// Ready returns a channel that is closed once a receive would not wait, because of a message or Close. Each wait
// needs a fresh call; another receiver may be quicker.
func (s *Subscription) Ready() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readyLocked()
}

func (s *Subscription) readyLocked() <-chan struct{} {
	if s.wake != nil {
		return s.wake
	}
	ready := make(chan struct{})
	if s.waits > 0 || s.closed {
		close(ready)
		return ready
	}
	s.wake = ready
	return ready
}

// Waiting returns how many messages are queued.
func (s *Subscription) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits
}

// Close ends the subscription, wakes its receivers and discards what waits. It is safe to call twice.
func (s *Subscription) Close() {
	s.bus.forget(s)
	s.mu.Lock()
	left := s.waits
	s.closed, s.waits, s.flows, s.order, s.spare = true, 0, nil, circle{}, nil
	s.wakeLocked()
	s.mu.Unlock()
	if left > 0 {
		s.bus.lose(Loss{Reason: Discarded, Subscription: s.name, Count: left})
	}
}

type request struct {
	into       []Message
	max, count int
	gaps       bool
}

func (s *Subscription) receive(ctx context.Context, r request) (Batch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Batch{}, fmt.Errorf("receive %s: %w", s.pattern, err)
		}
		s.mu.Lock()
		batch, err := s.pollLocked(r)
		if err != nil || len(batch.Messages) > 0 {
			s.mu.Unlock()
			return batch, err
		}
		ready := s.readyLocked()
		s.mu.Unlock()
		select {
		case <-ready:
		case <-ctx.Done():
		}
	}
}

func (s *Subscription) pollLocked(r request) (Batch, error) {
	if s.closed {
		return Batch{}, fmt.Errorf("receive %s: %w", s.pattern, ErrClosed)
	}
	if s.waits == 0 {
		return Batch{}, nil
	}
	batch := s.takeLocked(r)
	s.bus.counters.received.Add(uint64(len(batch.Messages)))
	return batch, nil
}

// takeLocked serves the principal whose turn it is. There is a message waiting.
func (s *Subscription) takeLocked(r request) Batch {
	f := s.order.turn()
	batch := Batch{Messages: r.into}
	if r.gaps {
		batch.Dropped, batch.Lagged, f.dropped, f.lagged = f.dropped, f.lagged, 0, 0
	}
	for size := 0; !f.empty() && f.credit > 0 && len(batch.Messages) < r.count; {
		lane := f.head()
		size += len(lane.front().Payload)
		if size > r.max && len(batch.Messages) > 0 {
			break
		}
		m := lane.pop()
		if s.order.n > 1 { // alone, nobody waits for the end of the turn
			f.credit -= cost(&m)
		}
		s.waits--
		batch.Messages = append(batch.Messages, m)
	}
	if f.empty() {
		s.retireLocked(f)
	}
	return batch
}

// fate is what became of one message at one subscription; all zero means the subscription was closed meanwhile.
type fate struct {
	taken  bool
	lost   int    // messages that had no room, this one if not taken
	reason Reason // Full or Evicted, if any were lost
}

// offer puts m into its principal's queue.
func (s *Subscription) offer(m *Message) (is fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return is
	}
	f := s.flowLocked(m.From.id)
	lane := &f.lanes[m.Lane]
	for lane.n > 0 && (lane.n >= s.maxMessages || lane.cost+cost(m) > s.maxBytes) {
		if m.Lane == Control && !s.lossy {
			f.dropped++
			return fate{lost: 1, reason: Full}
		}
		lane.pop()
		f.lagged++
		s.waits--
		is.lost, is.reason = is.lost+1, Evicted
	}
	lane.push(m)
	s.waits++
	is.taken = true
	s.wakeLocked()
	return is
}

// wakeLocked ends every wait. Closing a channel does not block.
func (s *Subscription) wakeLocked() {
	if s.wake == nil {
		return
	}
	close(s.wake)
	s.wake = nil
}

func (s *Subscription) flowLocked(id principal.ID) *flow {
	if f := s.flows[id]; f != nil {
		return f
	}
	f := s.spare
	s.spare = nil
	if f == nil {
		f = &flow{}
	}
	f.id = id
	s.flows[id] = f
	s.order.add(f)
	return f
}

// retireLocked drops the queue of a principal with nothing waiting, so that idle principals cost nothing.
func (s *Subscription) retireLocked(f *flow) {
	s.order.remove(f)
	delete(s.flows, f.id)
	for i := range f.lanes {
		f.lanes[i].reset()
	}
	f.prev, f.next, f.dropped, f.lagged = nil, nil, 0, 0
	s.spare = f
}
