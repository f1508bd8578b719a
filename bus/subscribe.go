package bus

import (
	"fmt"
	"slices"

	"github.com/astrid-go/astrid/principal"
)

const (
	// DefaultMaxMessages bounds what one principal may have waiting in one lane of a subscription. A lower limit cut
	// long token streams short.
	DefaultMaxMessages = 16384
	// DefaultMaxBytes bounds the same in bytes, each message counting 64 more than it holds.
	DefaultMaxBytes = 1 << 20
)

// SubscribeOptions say what a subscription sees and how much it holds.
type SubscribeOptions struct {
	// Name shows up in Loss, to say which subscriber is slow.
	Name string
	// Principal, unless zero, limits the subscription to that principal's messages.
	Principal principal.ID
	// System lets a subscription limited to a Principal see the kernel's own messages too.
	System bool
	// Lossy evicts the oldest message in the Control lane as well, instead of failing the publisher. For watchers.
	Lossy bool
	// MaxMessages and MaxBytes bound each principal's queue, each lane by itself; 0 is the default. One message fits
	// into an empty queue whatever its size.
	MaxMessages, MaxBytes int
}

// Subscribe returns a subscription to what p selects, from now on. The caller must Close it.
func (b *Bus) Subscribe(p Pattern, o SubscribeOptions) (*Subscription, error) {
	if p.IsZero() {
		return nil, fmt.Errorf("subscribe %s: %w: empty pattern", o.Name, ErrTopic)
	}
	s := newSubscription(b, p, o)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, fmt.Errorf("subscribe %s: %w", p, ErrClosed)
	}
	b.subs[s] = struct{}{}
	b.index.Slot(p).add(s)
	return s, nil
}

func (b *Bus) forget(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, open := b.subs[s]; !open {
		return
	}
	delete(b.subs, s)
	if slot := b.index.Slot(s.pattern); slot.remove(s) {
		b.index.Prune(s.pattern)
	}
}

// audience is the subscriptions of one pattern, by what they may see, so that a message of one principal costs
// nothing to the subscriptions of another. Bus.mu guards it.
type audience struct {
	everyone []*Subscription
	scoped   map[principal.ID][]*Subscription
	system   []*Subscription // the scoped ones that asked for the kernel's messages
}

func (a *audience) add(s *Subscription) {
	if s.scope.IsZero() {
		a.everyone = append(a.everyone, s)
		return
	}
	if a.scoped == nil {
		a.scoped = map[principal.ID][]*Subscription{}
	}
	a.scoped[s.scope] = append(a.scoped[s.scope], s)
	if s.system {
		a.system = append(a.system, s)
	}
}

// remove reports whether nobody is left.
func (a *audience) remove(s *Subscription) bool {
	a.everyone = without(a.everyone, s)
	a.system = without(a.system, s)
	if rest := without(a.scoped[s.scope], s); len(rest) > 0 {
		a.scoped[s.scope] = rest
	} else {
		delete(a.scoped, s.scope)
	}
	return len(a.everyone) == 0 && len(a.scoped) == 0
}

func (a *audience) appendTo(subs []*Subscription, from Attribution) []*Subscription {
	subs = append(subs, a.everyone...)
	if from.IsSystem() {
		return append(subs, a.system...)
	}
	return append(subs, a.scoped[from.id]...)
}

func without(subs []*Subscription, s *Subscription) []*Subscription {
	if i := slices.Index(subs, s); i >= 0 {
		return slices.Delete(subs, i, i+1)
	}
	return subs
}
