package approval

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/astrid-go/astrid/kv"
	"github.com/astrid-go/astrid/principal"
)

// shelf is everything of one principal.
type shelf struct {
	// turn holds one token; whoever has it may use entries and what they point to.
	turn    chan struct{}
	entries map[string]*entry

	mu sync.Mutex
	// allowances and session are guarded by mu. session counts ended sessions.
	allowances map[string]Allowance
	session    uint64
}

// entry is a question and its waiters. Once settled is closed, item changes only from unspent to spent; a question that
// is asked anew gets a new entry. item belongs to who has the shelf's turn.
type entry struct {
	item     Item
	question Question // the part of item that never changes, readable without the turn
	covers   string   // the allowance that would cover the call
	waiters  int
	settled  chan struct{}
}

func newEntry(item Item, covers string) *entry {
	e := &entry{item: item, question: item.Question, covers: covers, settled: make(chan struct{})}
	if item.State != Pending {
		close(e.settled)
	}
	return e
}

func (e *entry) outcome() Outcome {
	return Outcome{Decision: e.item.Answer.Decision, Reason: e.item.Answer.Reason, Via: ViaAnswer, Question: e.question.ID}
}

// result is the outcome of a settled entry.
func (e *entry) result() (Outcome, error) {
	if e.item.State == Answered {
		return e.outcome(), nil
	}
	return Outcome{Question: e.question.ID}, fmt.Errorf("question %s: %w", e.question.ID, ErrExpired)
}

func (b *Inbox) shelf(of principal.ID) *shelf {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.shelves[of]
	if !ok {
		s = &shelf{turn: make(chan struct{}, 1), entries: make(map[string]*entry), allowances: make(map[string]Allowance)}
		b.shelves[of] = s
	}
	return s
}

// enter takes the turn of a principal's shelf.
func (b *Inbox) enter(ctx context.Context, of principal.ID) (*shelf, error) {
	s := b.shelf(of)
	return s, s.take(ctx)
}

func (s *shelf) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the approval inbox: %w", ctx.Err())
	}
}

func (s *shelf) leave() { <-s.turn }

func (s *shelf) allowance(id string) (Allowance, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.allowances[id]
	return a, ok
}

func (s *shelf) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.allowances, id)
}

func (s *shelf) currentSession() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session
}

// allow adds an allowance, unless it is for a session that has ended.
func (s *shelf) allow(a Allowance, session uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.Scope == Session && session != s.session {
		return
	}
	s.allowances[a.ID] = a
}

func (s *shelf) pending() int {
	n := 0
	for _, e := range s.entries {
		if e.item.State == Pending {
			n++
		}
	}
	return n
}

// settle stores an answer with all that follows from it in one batch, then lets the waiters go.
func (b *Inbox) settle(ctx context.Context, s *shelf, e *entry, answer Answer) (Item, error) {
	session := s.currentSession()
	next := *e
	next.item.State, next.item.AnsweredAt = Answered, b.config.Now().UTC()
	next.item.Answer = Answer{Decision: answer.Decision, Reason: Visible(answer.Reason)}
	records := []storable{next.record()}
	allowance, given := grantedBy(next.item, e.covers)
	if given && allowance.Scope == Always {
		records = append(records, allowanceRecord{Version: recordVersion, Allowance: allowance})
	}
	if err := b.save(ctx, records...); err != nil {
		return Item{}, fmt.Errorf("store answer to question %s: %w", e.question.ID, err)
	}
	if given {
		s.allow(allowance, session)
	}
	e.item = next.item
	close(e.settled)
	b.prune(ctx, s)
	return e.item, nil
}

func grantedBy(item Item, id string) (Allowance, bool) {
	a := Allowance{ID: id, Question: item.Question, Since: item.AnsweredAt}
	switch item.Answer.Decision {
	case ApproveSession:
		a.Scope = Session
	case ApproveAlways:
		a.Scope = Always
	default:
		return Allowance{}, false
	}
	return a, true
}

// expireOverdue expires the question if its time is over.
func (b *Inbox) expireOverdue(ctx context.Context, s *shelf, e *entry) error {
	overdue := !e.question.ExpiresAt.IsZero() && !b.config.Now().Before(e.question.ExpiresAt)
	if e.item.State != Pending || !overdue {
		return nil
	}
	return b.expire(ctx, s, e)
}

func (b *Inbox) expire(ctx context.Context, s *shelf, e *entry) error {
	next := *e
	next.item.State = Expired
	if err := b.save(ctx, next.record()); err != nil {
		return fmt.Errorf("store expiry of question %s: %w", e.question.ID, err)
	}
	e.item = next.item
	close(e.settled)
	b.prune(ctx, s)
	return nil
}

// prune drops the oldest settled questions beyond the history kept. A failed write is not reported: the entries stay,
// here and on disk, and the next settled question tries again.
func (b *Inbox) prune(ctx context.Context, s *shelf) {
	var done []Item
	for _, e := range s.entries {
		if e.item.State != Pending {
			done = append(done, e.item)
		}
	}
	excess := min(len(done)-b.config.MaxHistory, kv.MaxBatchOps)
	if excess <= 0 {
		return
	}
	slices.SortFunc(done, byAge)
	writes := make([]kv.Write, excess)
	for i, item := range done[:excess] {
		writes[i].Key = questionKey(item.Principal, item.ID)
	}
	if b.store.Batch(ctx, kv.Batch{Writes: writes}) != nil {
		return
	}
	for _, item := range done[:excess] {
		delete(s.entries, item.ID)
	}
}

func (e *entry) record() questionRecord {
	return questionRecord{Version: recordVersion, Covers: e.covers, Item: e.item}
}
