package bus

import (
	"sync/atomic"

	"github.com/astrid-go/astrid/principal"
)

// Reason says why a message, or one subscription's copy of it, was not delivered.
type Reason uint8

const (
	// Unattributed: the message names nobody, or has no topic. Refused whole.
	Unattributed Reason = iota
	// TooLarge: the payload exceeds the publisher's limit. Refused whole.
	TooLarge
	// TooManyHops: the chain of causes is longer than MaxHops. Refused whole.
	TooManyHops
	// TooFast: the principal's bytes per second are used up. Refused whole.
	TooFast
	// TooWide: more than MaxFanOut subscriptions match. Refused whole.
	TooWide
	// Full: a subscription had no room for a Control message. Counts copies; the publisher got ErrFull.
	Full
	// Evicted: a subscription pushed out its oldest message for a newer one. Counts copies.
	Evicted
	// Discarded: a subscription was closed with messages waiting. Counts copies.
	Discarded

	reasons = iota
)

// String returns a stable snake_case name for metrics and records.
func (r Reason) String() string {
	return [...]string{
		"unattributed", "too_large", "too_many_hops", "too_fast", "too_wide", "full", "evicted", "discarded",
	}[r]
}

// Loss tells an observer of one refusal or drop.
type Loss struct {
	Reason       Reason
	Topic        Topic        // of the message at hand; for Evicted, of the one that pushed; zero for Discarded
	Principal    principal.ID // zero for System messages and Discarded
	Subscription string       // the name of the subscription; empty if refused whole
	Count        int          // how many messages, at least 1
}

// Stats counts since New. The sum over all subscriptions holds at any quiet moment: Delivered = Received + Evicted +
// Discarded + what still waits.
type Stats struct {
	Published uint64 // messages stamped
	Delivered uint64 // copies put into a queue
	Received  uint64 // copies handed to a receiver
	Lost      map[Reason]uint64
}

type counters struct {
	published, delivered, received atomic.Uint64
	lost                           [reasons]atomic.Uint64
}

// Stats returns the counters of the bus; Lost has every Reason. They are read one by one, not at one instant.
func (b *Bus) Stats() Stats {
	c := &b.counters
	s := Stats{
		Published: c.published.Load(), Delivered: c.delivered.Load(), Received: c.received.Load(),
		Lost: make(map[Reason]uint64, reasons),
	}
	for r := range c.lost {
		s.Lost[Reason(r)] = c.lost[r].Load()
	}
	return s
}

// lose counts and reports a loss. The caller holds no lock.
func (b *Bus) lose(l Loss) {
	b.counters.lost[l.Reason].Add(uint64(l.Count))
	if b.observer != nil {
		b.observer(l)
	}
}
