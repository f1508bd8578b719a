package approval

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Ask returns the outcome for one call: from an allowance, from an answer given earlier for the same call and content
// that nobody has used, or by asking and waiting. An approval is used once: the same call made again asks again. It fails with the context's error when the caller gives up, with ErrExpired when
// nobody answered in time, and with ErrTooMany when too much is open; none of these is a person's no. The outcome
// carries the question's id also beside an error.
func (b *Inbox) Ask(ctx context.Context, q Question) (Outcome, error) {
	if err := q.check(); err != nil {
		return Outcome{}, err
	}
	s := b.shelf(q.Principal)
	if a, ok := s.allowance(q.allowance()); ok {
		return allowed(a), nil
	}
	for {
		e, outcome, err := b.pose(ctx, s, q)
		if e == nil || err != nil {
			return outcome, err
		}
		b.config.Notifier.Notify(ctx, e.question)
		outcome, err = b.wait(ctx, s, e)
		if !errors.Is(err, errSpent) {
			return outcome, err
		}
	}
}

// errSpent says that another caller of the same call used the approval first; the question is put anew.
var errSpent = errors.New("the approval was used")

// pose finds or stores the question and joins its waiters. A nil entry means that the outcome is known already.
func (b *Inbox) pose(ctx context.Context, s *shelf, q Question) (*entry, Outcome, error) {
	id := q.id()
	if err := s.take(ctx); err != nil {
		return nil, Outcome{Question: id}, err
	}
	defer s.leave()
	// An answer may have left an allowance while this caller waited for its turn.
	if a, ok := s.allowance(q.allowance()); ok {
		return nil, allowed(a), nil
	}
	e := s.entries[id]
	if e != nil {
		if err := b.expireOverdue(ctx, s, e); err != nil {
			return nil, Outcome{Question: id}, err
		}
	}
	if e != nil && e.item.State == Answered && !e.item.Spent {
		outcome, err := b.use(ctx, e)
		return nil, outcome, err
	}
	if e == nil || e.item.State != Pending {
		var err error
		if e, err = b.open(ctx, s, q, id); err != nil {
			return nil, Outcome{Question: id}, err
		}
	}
	e.waiters++
	return e, Outcome{}, nil
}

// open stores a new question, or an expired one anew. The write is the commit point: before it nobody is told.
func (b *Inbox) open(ctx context.Context, s *shelf, q Question, id string) (*entry, error) {
	if s.pending() >= b.config.MaxPending {
		return nil, fmt.Errorf("%w: %s has %d; answer some first", ErrTooMany, q.Principal, b.config.MaxPending)
	}
	covers := q.allowance()
	q = q.shown()
	q.ID, q.AskedAt, q.ExpiresAt = id, b.config.Now().UTC(), time.Time{}
	if b.config.Expiry > 0 {
		q.ExpiresAt = q.AskedAt.Add(b.config.Expiry)
	}
	e := newEntry(Item{Question: q, State: Pending}, covers)
	if err := b.save(ctx, e.record()); err != nil {
		return nil, fmt.Errorf("store question %s: %w", id, err)
	}
	s.entries[id] = e
	return e, nil
}

// wait returns when the question is settled, expires, or the caller gives up.
func (b *Inbox) wait(ctx context.Context, s *shelf, e *entry) (Outcome, error) {
	var overdue <-chan time.Time
	if !e.question.ExpiresAt.IsZero() {
		timer := time.NewTimer(e.question.ExpiresAt.Sub(b.config.Now()))
		defer timer.Stop()
		overdue = timer.C
	}
	select {
	case <-e.settled:
		return b.collect(ctx, s, e)
	case <-overdue:
		return b.giveUp(ctx, s, e, ErrExpired)
	case <-ctx.Done():
		return b.giveUp(ctx, s, e, ctx.Err())
	}
}

// collect takes the turn to use a settled question. The person's word is there, so it is not given up with ctx.
func (b *Inbox) collect(ctx context.Context, s *shelf, e *entry) (Outcome, error) {
	ctx = context.WithoutCancel(ctx)
	if err := s.take(ctx); err != nil {
		return Outcome{Question: e.question.ID}, err
	}
	defer s.leave()
	return b.use(ctx, e)
}

// use returns the outcome of a settled question. An approval is marked as used before it is returned; the write is the
// commit point: a crash before it leaves the approval to be used, a crash after it leaves a call to be asked for again.
// The caller has the turn.
func (b *Inbox) use(ctx context.Context, e *entry) (Outcome, error) {
	outcome, err := e.result()
	if err != nil || !outcome.Approved() {
		return outcome, err
	}
	if e.item.Spent {
		return Outcome{Question: e.question.ID}, errSpent
	}
	next := *e
	next.item.Spent = true
	if err := b.save(ctx, next.record()); err != nil {
		return Outcome{Question: e.question.ID}, fmt.Errorf("store the use of answer %s: %w", e.question.ID, err)
	}
	e.item = next.item
	return outcome, nil
}

// giveUp ends one caller's wait. An answer that arrived first is used, so that the person who gave it is not ignored.
// The wait for the turn and the write outlast the caller's context: they are bounded by the store, not by a person.
func (b *Inbox) giveUp(ctx context.Context, s *shelf, e *entry, cause error) (Outcome, error) {
	ctx = context.WithoutCancel(ctx)
	if err := s.take(ctx); err != nil {
		return Outcome{Question: e.question.ID}, err
	}
	defer s.leave()
	e.waiters--
	var err error
	if e.item.State == Pending && (cause == ErrExpired || b.config.ExpireAbandoned && e.waiters == 0) {
		err = b.expire(ctx, s, e)
	}
	if e.item.State == Answered {
		return b.use(ctx, e)
	}
	return Outcome{Question: e.question.ID}, errors.Join(
		fmt.Errorf("waiting for an answer to question %s: %w", e.question.ID, cause), err)
}

func allowed(a Allowance) Outcome {
	decision := ApproveSession
	if a.Scope == Always {
		decision = ApproveAlways
	}
	return Outcome{Decision: decision, Via: ViaAllowance, Question: a.Question.ID, Allowance: a.ID}
}
