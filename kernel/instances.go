package kernel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/astrid-go/astrid/dispatch"
	"github.com/astrid-go/astrid/host"
	"github.com/astrid-go/astrid/principal"
	"github.com/astrid-go/astrid/wasm"
)

// An instance that nobody used for this long is closed: a principal that comes
// back pays a few milliseconds, one that does not costs nothing.
const idleInstance = 2 * time.Minute

// live is one instance with what its host functions act on. It runs one call at
// a time; whoever took it from the pool owns it until it is given back.
type live struct {
	wasm *wasm.Instance
	host *host.Instance
	used time.Time
}

// close ends the instance and lets go of the principal's resources.
func (l *live) close(ctx context.Context) error {
	return errors.Join(l.wasm.Close(ctx), l.host.Close())
}

// pool holds the warm instances of one capsule generation, by principal.
type pool struct {
	make func(context.Context, principal.ID) (*live, error)

	mu     sync.Mutex // guards what follows; never held while an instance is made, called or closed
	idle   map[principal.ID][]*live
	closed bool

	// instances counts those that exist, calls those that were made.
	instances, calls atomic.Int64
	lastError        atomic.Pointer[string]
}

func newPool(make func(context.Context, principal.ID) (*live, error)) *pool {
	return &pool{make: make, idle: map[principal.ID][]*live{}}
}

// take returns a warm instance of id, newest first, or makes one. The
// dispatcher bounds how many calls of a principal run at once, and so how many
// instances there are.
func (p *pool) take(ctx context.Context, id principal.ID) (*live, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, dispatch.ErrAbsent
	}
	if warm := p.idle[id]; len(warm) > 0 {
		l := warm[len(warm)-1]
		p.idle[id] = warm[:len(warm)-1]
		p.mu.Unlock()
		return l, nil
	}
	p.mu.Unlock()
	l, err := p.make(ctx, id)
	if err != nil {
		return nil, err
	}
	p.instances.Add(1)
	return l, nil
}

// give takes an instance back after a call. One that failed is never used again:
// its memory may be anything.
func (p *pool) give(ctx context.Context, id principal.ID, l *live, failed bool) error {
	p.mu.Lock()
	keep := !failed && !p.closed
	if keep {
		l.used = time.Now()
		p.idle[id] = append(p.idle[id], l)
	}
	p.mu.Unlock()
	if keep {
		return nil
	}
	p.instances.Add(-1)
	return l.close(context.WithoutCancel(ctx))
}

// reap closes what was not used since before.
func (p *pool) reap(ctx context.Context, before time.Time) error {
	p.mu.Lock()
	var old []*live
	for id, warm := range p.idle {
		n := 0
		for n < len(warm) && warm[n].used.Before(before) {
			n++
		}
		old = append(old, warm[:n]...)
		if p.idle[id] = warm[n:]; n == len(warm) {
			delete(p.idle, id)
		}
	}
	p.mu.Unlock()
	return p.closeAll(ctx, old)
}

// close refuses further calls and closes the idle instances; those in use are
// closed as they are given back.
func (p *pool) close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	var all []*live
	for _, warm := range p.idle {
		all = append(all, warm...)
	}
	clear(p.idle)
	p.mu.Unlock()
	return p.closeAll(ctx, all)
}

func (p *pool) closeAll(ctx context.Context, all []*live) error {
	var errs []error
	for _, l := range all {
		p.instances.Add(-1)
		errs = append(errs, l.close(ctx))
	}
	return errors.Join(errs...)
}

// invoke runs a capsule's handler for one message on an instance of the
// message's principal. It makes the kernel the dispatcher's invoker.
func (k *Kernel) invoke(ctx context.Context, call dispatch.Invocation) (dispatch.Result, error) {
	c, err := k.lookup(call.Capsule, call.Generation)
	if err != nil {
		return dispatch.Result{}, err
	}
	l, err := c.pool.take(ctx, call.Principal)
	if err != nil {
		return dispatch.Result{}, fmt.Errorf("start capsule %s for %s: %w", call.Capsule, call.Principal, err)
	}
	c.pool.calls.Add(1)
	l.host.Begin(k.invocation(call))
	out, err := host.Trigger(ctx, l.wasm, call.Action, call.Payload)
	l.host.End()
	if closeErr := c.pool.give(ctx, call.Principal, l, err != nil); closeErr != nil {
		k.log.Warn("close an instance", "capsule", call.Capsule, "error", closeErr)
	}
	if err != nil {
		text := err.Error()
		c.pool.lastError.Store(&text)
		return dispatch.Result{}, fmt.Errorf("capsule %s: %w", call.Capsule, err)
	}
	return verdict(out), nil
}

// verdict maps what a guest answered. An action that is none of the known ones
// lets the message go on, as the guests in the field expect.
func verdict(r host.CapsuleResult) dispatch.Result {
	data := r.Data.Value // empty if there is none
	switch r.Action {
	case "final":
		return dispatch.Result{Verdict: dispatch.Final, Payload: []byte(data)}
	case "deny", "abort":
		if data == "" {
			data = "denied without a reason"
		}
		return dispatch.Result{Verdict: dispatch.Deny, Reason: data}
	}
	return dispatch.Result{Verdict: dispatch.Continue, Payload: []byte(data)}
}
