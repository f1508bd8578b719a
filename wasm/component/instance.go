package component

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tetratelabs/wazero/api"

	"github.com/astrid-go/astrid/wasm/canon"
)

// Program is a Plan whose imports are bound. It is immutable and may be
// instantiated from many goroutines.
type Program struct {
	plan *Plan
	args []value
}

// Plan returns what p was linked from.
func (p *Program) Plan() *Plan { return p.plan }

// DefaultMaxInstances bounds the core and component instances of one Instance,
// those that gather exports included. Composed components have some hundred;
// nesting could make them grow exponentially.
const DefaultMaxInstances = 10_000

// Config configures an Instance. The zero value is usable.
type Config struct {
	// Host is what host functions find as their canon.Context's Host.
	Host any

	// Sandbox guards the instance; nil lets it run freely.
	Sandbox Sandbox

	// MaxInstances overrides DefaultMaxInstances.
	MaxInstances int
}

// Errors of an Instance.
var (
	// ErrDead is the answer of an instance that was closed, or failed in an
	// earlier call.
	ErrDead = errors.New("instance is dead")

	// ErrBusy is the answer to a call of an instance from within itself.
	ErrBusy = errors.New("cannot enter component instance: it is running this call")

	// ErrNoExport is the answer to a request for a function that does not
	// exist.
	ErrNoExport = errors.New("no such exported function")

	errClosed = errors.New("closed")
)

// Instance is an instance of a component. One call runs at a time; others wait
// as long as their context lets them. An instance whose call failed is dead:
// what it left behind is not known.
type Instance struct {
	program *Program
	cfg     Config
	turn    chan struct{} // holds one value while a call runs, or for ever once closed

	// Of whoever has the turn.
	frames  []*frame
	modules []api.Module
	made    int

	mu      sync.Mutex
	dead    error          // guarded by mu
	exports *instanceValue // nil once closed; guarded by mu, what it points to does not change
}

// Instantiate makes an instance and runs the start functions of its modules
// and components. The error is the Sandbox's judgement of what they did, or
// what they did.
func (p *Program) Instantiate(ctx context.Context, cfg Config) (*Instance, error) {
	if cfg.MaxInstances == 0 {
		cfg.MaxInstances = DefaultMaxInstances
	}
	if cfg.Sandbox == nil {
		cfg.Sandbox = noSandbox{}
	}
	in := &Instance{program: p, cfg: cfg, turn: make(chan struct{}, 1)}
	outermost := &closure{component: p.plan.component}
	f, err := outermost.instantiate(cfg.Sandbox.Enter(ctx), in, p.args)
	if err = cfg.Sandbox.Judge("instantiate", err); err != nil {
		return nil, errors.Join(fmt.Errorf("instantiate component: %w", err), in.Close(ctx))
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.exports = f.exports
	return in, nil
}

// count counts one more instance.
func (in *Instance) count() error {
	if in.made++; in.made > in.cfg.MaxInstances {
		return &canon.Trap{Reason: fmt.Sprintf("the component makes too many instances: more than %d", in.cfg.MaxInstances)}
	}
	return nil
}

// Err returns why calls are no longer possible: nil, or an error that wraps
// ErrDead.
func (in *Instance) Err() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.dead
}

// live returns what the instance exports, or why calls are no longer possible.
func (in *Instance) live() (*instanceValue, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.exports, in.dead
}

// kill makes all later calls fail, for the first reason given.
func (in *Instance) kill(reason error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dead == nil {
		in.dead = fmt.Errorf("%w: %w", ErrDead, reason)
	}
}

// Close waits for the running call, runs the destructors of host resources
// that are left, and frees the instance. It must not be called by a host
// function that the instance called. Calling it again does nothing.
func (in *Instance) Close(ctx context.Context) error {
	in.turn <- struct{}{}
	if errors.Is(in.Err(), errClosed) {
		<-in.turn
		return nil
	}
	in.mu.Lock()
	in.dead, in.exports = fmt.Errorf("%w: %w", ErrDead, errClosed), nil
	in.mu.Unlock()
	defer func() { <-in.turn }()
	for _, f := range in.frames {
		f.canon.Instance().Close(ctx)
	}
	var errs []error
	for _, m := range slices.Backward(in.modules) {
		errs = append(errs, m.Close(ctx))
	}
	in.frames, in.modules = nil, nil
	return errors.Join(errs...)
}

// running is the context key that says that an instance is running the call.
type running struct{ in *Instance }

// run takes the turn and runs do in the sandbox. An error of do kills the
// instance, unless it says that there was nothing to call.
func (in *Instance) run(ctx context.Context, export string, do func(context.Context) error) error {
	if ctx.Value(running{in}) != nil {
		return fmt.Errorf("call %s: %w", export, ErrBusy)
	}
	select {
	case in.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("call %s: %w", export, context.Cause(ctx))
	}
	defer func() { <-in.turn }()
	if err := in.Err(); err != nil {
		return fmt.Errorf("call %s: %w", export, err)
	}
	err := do(context.WithValue(in.cfg.Sandbox.Enter(ctx), running{in}, true))
	if errors.Is(err, canon.ErrNoExport) {
		return err
	}
	if err = in.cfg.Sandbox.Judge(export, err); err != nil {
		in.kill(err)
	}
	return err
}

// Drop ends a resource of a guest that the host owns: one that an export
// returned as own. Its destructor runs.
func (in *Instance) Drop(ctx context.Context, r *canon.Resource) error {
	if r.Type.Destroy == nil {
		return in.Err()
	}
	return in.run(ctx, "drop "+r.Type.Name, func(ctx context.Context) (err error) {
		defer recoverError(&err)
		r.Type.Destroy(ctx, r)
		return nil
	})
}
