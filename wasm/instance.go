package wasm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/astrid-go/astrid/wasm/canon"
)

// InstanceConfig configures an Instance. The zero value gives it
// DefaultMemoryLimit, discards its output and charges nobody.
type InstanceConfig struct {
	// MemoryLimitBytes bounds the guest's memory below what its module asks
	// for: memory.grow fails beyond it. 0 means DefaultMemoryLimit.
	MemoryLimitBytes uint64

	// Host is what host functions find as their canon.Context's Host.
	Host any

	// Stdout and Stderr get what the guest writes, from the goroutine that
	// calls it, in pieces of at most a megabyte which they must not keep. An
	// error becomes an I/O error of the guest.
	Stdout, Stderr io.Writer

	// CPU is charged with each quantum of fuel that the guest is given, from
	// the goroutine that calls it. An error stops the guest with FaultBudget.
	CPU func(fuel uint64) error
}

// Instance is a running guest. See the package comment for its locking.
type Instance struct {
	module *Module
	box    *Sandbox
	canon  *canon.Context
	guest  api.Module
	exited chan struct{} // closed when Close begins; wakes those who wait for the turn
	turn   chan struct{} // holds one value while a call runs, or for ever once freed

	funcs map[string]api.Function // used by the one who has the turn

	mu     sync.Mutex
	dead   error                   // why no call is possible any more; guarded by mu
	cancel context.CancelCauseFunc // ends the running call, nil if none runs; guarded by mu

	closing sync.Once
	err     error // of closing
}

// Instantiate makes an instance and runs its _initialize, if it exports one,
// under the meter. The error is a *GuestFault if that fails or if the module
// does not fit its memory limit.
func (m *Module) Instantiate(ctx context.Context, cfg InstanceConfig) (*Instance, error) {
	if cfg.MemoryLimitBytes == 0 {
		cfg.MemoryLimitBytes = DefaultMemoryLimit
	}
	if need := m.code.memoryMin; need > cfg.MemoryLimitBytes {
		return nil, &GuestFault{Kind: FaultMemory, Export: initialize,
			Detail: fmt.Sprintf("starts with %d bytes of memory, the limit is %d", need, cfg.MemoryLimitBytes)}
	}
	i := &Instance{
		module: m,
		box: &Sandbox{
			Pool:   NewPool(cfg.MemoryLimitBytes),
			Stdout: cfg.Stdout, Stderr: cfg.Stderr, CPU: cfg.CPU,
		},
		exited: make(chan struct{}),
		turn:   make(chan struct{}, 1),
		funcs:  map[string]api.Function{},
		canon:  &canon.Context{Host: cfg.Host},
	}
	if err := m.engine.adopt(i); err != nil {
		return nil, err
	}
	// Starting is a call like any other: closing the engine ends it.
	if err := i.inTurn(ctx, initialize, i.start); err != nil {
		return nil, errors.Join(err, i.Close(ctx))
	}
	return i, nil
}

// initialize is the export that a reactor begins with.
const initialize = "_initialize"

// start instantiates the module, with its start function, and initializes it.
func (i *Instance) start(inside context.Context) error {
	cfg := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	guest, err := instantiate(inside, i.module.engine.runtime, i.module.code.compiled, cfg)
	if err != nil {
		return i.box.Judge("start", startCause(err))
	}
	i.guest = guest
	i.canon.Attach(guest)
	if f := guest.ExportedFunction(initialize); f != nil {
		if len(f.Definition().ParamTypes())+len(f.Definition().ResultTypes()) > 0 {
			return fmt.Errorf("%w: %s takes or returns something", ErrInvalid, initialize)
		}
		return i.box.Judge(initialize, f.CallWithStack(inside, nil))
	}
	return nil
}

// startCause returns what a start function failed with, as a call of it would
// have told: wazero puts words of its own before that.
func startCause(err error) error {
	if cause := errors.Unwrap(err); cause != nil && strings.HasPrefix(err.Error(), "start ") {
		return cause
	}
	return err
}

// instantiate turns a panic, which wazero answers a memory that cannot be
// allocated with, into an error.
func instantiate(ctx context.Context, r wazero.Runtime, code wazero.CompiledModule, cfg wazero.ModuleConfig) (mod api.Module, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("instantiate: %v\n%s", r, debug.Stack())
		}
	}()
	return r.InstantiateModule(ctx, code, cfg)
}

func (e *Engine) adopt(i *Instance) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	e.live[i] = struct{}{}
	return nil
}

// Module returns what i is an instance of.
func (i *Instance) Module() *Module { return i.module }

// Memory returns how many bytes of memory the guest holds.
func (i *Instance) Memory() uint64 { return i.box.Pool.Used() }

// Err returns why calls are no longer possible: nil, or an error that wraps
// ErrDead.
func (i *Instance) Err() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.dead
}

// Close ends the running call, waits for it, and frees the guest. It must not
// be called by a host function that i called. Calling it again does nothing
// but wait for the first.
func (i *Instance) Close(ctx context.Context) error {
	i.closing.Do(func() {
		i.kill(errClosed)
		i.endCall()
		close(i.exited)
		i.turn <- struct{}{} // never given back
		i.module.engine.forget(i)
		i.err = i.free(ctx)
	})
	return i.err
}

var errClosed = errors.New("closed")

// endCall cancels the running call.
func (i *Instance) endCall() {
	i.mu.Lock()
	cancel := i.cancel
	i.mu.Unlock()
	if cancel != nil {
		cancel(i.Err())
	}
}

func (e *Engine) forget(i *Instance) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.live, i)
}

// kill makes all later calls fail, for the first reason given.
func (i *Instance) kill(reason error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.dead == nil {
		i.dead = fmt.Errorf("%w: %w", ErrDead, reason)
	}
}

// free returns what the guest holds. Nobody may run in it any more.
func (i *Instance) free(ctx context.Context) error {
	i.canon.Instance().Close(ctx) // the destructors of what the guest still held
	var err error
	if i.guest != nil {
		err = i.guest.Close(ctx)
	}
	i.funcs = nil
	return errors.Join(err, i.box.Pool.Release())
}
