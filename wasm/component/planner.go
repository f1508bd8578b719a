package component

import (
	"context"
	"fmt"
	"sync"

	"github.com/zeebo/blake3"
)

// Planner makes each component's Plan once: by the hash of its content, as
// long as the planner lives. Its methods may be called from many goroutines.
type Planner struct {
	engine Engine
	limits Limits

	mu    sync.Mutex
	plans map[[32]byte]*planning // guarded by mu
}

// planning is a plan in the making. Its fields are set before done is closed.
type planning struct {
	done chan struct{}
	plan *Plan
	err  error
}

// NewPlanner returns a planner for one engine.
func NewPlanner(e Engine, l Limits) *Planner {
	return &Planner{engine: e, limits: l, plans: map[[32]byte]*planning{}}
}

// Plan returns the plan of the component that data is, which must not change
// afterwards. Those who ask at once for the same share the work. A failure is
// not remembered. ctx bounds the wait for the work of others.
func (p *Planner) Plan(ctx context.Context, data []byte) (*Plan, error) {
	key := blake3.Sum256(data)
	p.mu.Lock()
	work, known := p.plans[key]
	if !known {
		work = &planning{done: make(chan struct{})}
		p.plans[key] = work
	}
	p.mu.Unlock()
	if !known {
		p.make(ctx, work, key, data)
	}
	select {
	case <-work.done:
		return work.plan, work.err
	case <-ctx.Done():
		return nil, fmt.Errorf("plan component %x: %w", key[:8], context.Cause(ctx))
	}
}

func (p *Planner) make(ctx context.Context, work *planning, key [32]byte, data []byte) {
	defer close(work.done)
	c, err := Decode(data, p.limits)
	if err == nil {
		work.plan, err = NewPlan(ctx, p.engine, c)
	}
	if err != nil {
		work.err = err
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.plans, key)
	}
}
