package approval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/astrid-go/astrid/kv"
	"github.com/astrid-go/astrid/principal"
)

// Defaults of Config.
const (
	// DefaultMaxPending keeps one principal's open questions within what a person can work through.
	DefaultMaxPending = 64
	// DefaultMaxHistory is how many answered or expired questions are kept per principal for calls asked again.
	DefaultMaxHistory = 256
)

// The errors that callers branch on.
var (
	// ErrNotFound: there is no such question or allowance for this principal, whoever else may have one.
	ErrNotFound = errors.New("no such approval")
	// ErrAnswered: the question already has its one answer.
	ErrAnswered = errors.New("approval already answered")
	// ErrExpired: the question expired before anybody answered.
	ErrExpired = errors.New("approval expired unanswered")
	// ErrTooMany: the principal has too many open questions.
	ErrTooMany = errors.New("too many open approvals")
)

// Notifier tells the clients of a principal that a question waits.
type Notifier interface {
	// Notify must not wait for the answer. A question that nobody hears of stays in the inbox and is listed.
	Notify(ctx context.Context, q Question)
}

// Config says how an Inbox works. Notifier is required.
type Config struct {
	Notifier Notifier
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Expiry is how long a question stays open; 0 means until it is answered.
	Expiry time.Duration
	// ExpireAbandoned expires a question when its last waiting caller gives up; otherwise it stays open, so that a
	// late answer is found when the call is made again.
	ExpireAbandoned bool
	// MaxPending and MaxHistory bound what is kept per principal; 0 means the defaults.
	MaxPending, MaxHistory int
}

// Inbox stores questions and allowances. It is safe for concurrent use and starts no goroutine.
type Inbox struct {
	config Config
	store  Store

	mu sync.Mutex
	// shelves is guarded by mu; see shelf for what is in one.
	shelves map[principal.ID]*shelf
}

// Open reads the inbox that a namespace holds. A record that cannot be read is an error that names its key: a lost
// allowance or answer must not pass unseen.
func Open(ctx context.Context, store Store, config Config) (*Inbox, error) {
	if store == nil || config.Notifier == nil {
		return nil, fmt.Errorf("%w: open inbox without a store or a notifier", ErrInvalid)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.MaxPending == 0 {
		config.MaxPending = DefaultMaxPending
	}
	if config.MaxHistory == 0 {
		config.MaxHistory = DefaultMaxHistory
	}
	b := &Inbox{config: config, store: store, shelves: make(map[principal.ID]*shelf)}
	if err := b.load(ctx); err != nil {
		return nil, fmt.Errorf("open approval inbox: %w", err)
	}
	return b, nil
}

// Answer records the one answer to a question of the answering principal. When it returns nil the answer, and the
// allowance of ApproveAlways, survive a crash. Questions of others are ErrNotFound.
func (b *Inbox) Answer(ctx context.Context, by principal.ID, id string, answer Answer) (Item, error) {
	if err := answer.check(); err != nil {
		return Item{}, err
	}
	s, err := b.enter(ctx, by)
	if err != nil {
		return Item{}, err
	}
	defer s.leave()
	e, ok := s.entries[id]
	if !ok {
		return Item{}, fmt.Errorf("%w: question %.64q", ErrNotFound, id)
	}
	if err := b.expireOverdue(ctx, s, e); err != nil {
		return Item{}, err
	}
	switch e.item.State {
	case Answered:
		return Item{}, fmt.Errorf("%w: question %s", ErrAnswered, id)
	case Expired:
		return Item{}, fmt.Errorf("%w: question %s", ErrExpired, id)
	}
	return b.settle(ctx, s, e, answer)
}

// Get returns one question of the principal.
func (b *Inbox) Get(ctx context.Context, by principal.ID, id string) (Item, error) {
	s, err := b.enter(ctx, by)
	if err != nil {
		return Item{}, err
	}
	defer s.leave()
	e, ok := s.entries[id]
	if !ok {
		return Item{}, fmt.Errorf("%w: question %.64q", ErrNotFound, id)
	}
	err = b.expireOverdue(ctx, s, e)
	return e.item, err
}

// List returns the principal's questions, oldest first: the open ones, or with history all that are kept.
func (b *Inbox) List(ctx context.Context, by principal.ID, history bool) ([]Item, error) {
	s, err := b.enter(ctx, by)
	if err != nil {
		return nil, err
	}
	defer s.leave()
	var items []Item
	for _, e := range s.entries {
		if err := b.expireOverdue(ctx, s, e); err != nil {
			return nil, err
		}
		if history || e.item.State == Pending {
			items = append(items, e.item)
		}
	}
	slices.SortFunc(items, byAge)
	return items, nil
}

// Allowances returns the principal's allowances of both scopes, oldest first.
func (b *Inbox) Allowances(by principal.ID) []Allowance {
	s := b.shelf(by)
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Allowance
	for _, a := range s.allowances {
		all = append(all, a)
	}
	slices.SortFunc(all, func(x, y Allowance) int {
		if c := x.Since.Compare(y.Since); c != 0 {
			return c
		}
		return strings.Compare(x.ID, y.ID)
	})
	return all
}

// Revoke ends an allowance of the principal. When it returns nil the allowance does not come back after a crash.
func (b *Inbox) Revoke(ctx context.Context, by principal.ID, id string) error {
	s, err := b.enter(ctx, by)
	if err != nil {
		return err
	}
	defer s.leave()
	a, ok := s.allowance(id)
	if !ok {
		return fmt.Errorf("%w: allowance %.64q", ErrNotFound, id)
	}
	if a.Scope == Always {
		if err := b.store.Batch(ctx, kv.Batch{Writes: []kv.Write{{Key: allowanceKey(by, id)}}}); err != nil {
			return fmt.Errorf("revoke allowance %s: %w", id, err)
		}
	}
	s.forget(id)
	return nil
}

// ClearSession drops the session allowances of one principal and nobody else's. Call it when the principal's last
// connection closes. An answer that is being stored meanwhile leaves no session allowance behind.
func (b *Inbox) ClearSession(of principal.ID) {
	s := b.shelf(of)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session++
	for id, a := range s.allowances {
		if a.Scope == Session {
			delete(s.allowances, id)
		}
	}
}

func byAge(x, y Item) int {
	if c := x.AskedAt.Compare(y.AskedAt); c != 0 {
		return c
	}
	return strings.Compare(x.ID, y.ID)
}
