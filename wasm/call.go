package wasm

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/astrid-go/astrid/wasm/canon"
)

// HasExport reports whether the guest exports a function of that name.
func (i *Instance) HasExport(name string) bool {
	_, ok := i.module.code.compiled.ExportedFunctions()[name]
	return ok
}

// CallRaw calls an export with flat values: stack holds the parameters and,
// afterwards, the results, and must have room for either. Typed calls go
// through package canon.
//
// It waits for its turn and runs until ctx is done. The error is a
// *GuestFault, or wraps ErrDead, ErrBusy or ErrNoExport, or is that of ctx, or
// of the host function that failed.
func (i *Instance) CallRaw(ctx context.Context, export string, stack []uint64) error {
	return i.inTurn(ctx, export, func(ctx context.Context) error { return i.CallInside(ctx, export, stack) })
}

// CallInside is CallRaw for use within Run, with the context Run gave.
func (i *Instance) CallInside(ctx context.Context, export string, stack []uint64) error {
	f, err := i.function(export)
	if err != nil {
		return err
	}
	d := f.Definition()
	if need := max(len(d.ParamTypes()), len(d.ResultTypes())); len(stack) < need {
		return fmt.Errorf("call %s: stack of %d values, it needs %d", export, len(stack), need)
	}
	return i.judge(export, f.CallWithStack(ctx, stack))
}

// Run takes i's turn and calls do with a context in which i's functions may be
// called any number of times: a call and what cleans up after it. It makes i a
// canon.Runner; what do fails with is judged like the end of a call.
func (i *Instance) Run(ctx context.Context, export string, do func(ctx context.Context) error) error {
	return i.inTurn(ctx, export, func(ctx context.Context) error {
		err := do(ctx)
		if errors.Is(err, canon.ErrNoExport) {
			return err // nothing ran
		}
		return i.judge(export, err)
	})
}

// Canon returns the state of the guest's canonical ABI. With ExportedFunction it
// makes i a canon.Callee.
func (i *Instance) Canon() *canon.Context { return i.canon }

// ExportedFunction returns a core function, or nil. Only who runs inside Run may
// use it.
func (i *Instance) ExportedFunction(name string) api.Function {
	f, err := i.function(name)
	if err != nil {
		return nil
	}
	return f
}

func (i *Instance) inTurn(ctx context.Context, export string, do func(ctx context.Context) error) error {
	if running, ok := ctx.Value(sandboxKey{}).(*Sandbox); ok && running == i.box {
		return fmt.Errorf("call %s: %w", export, ErrBusy)
	}
	if err := i.take(ctx); err != nil {
		return fmt.Errorf("call %s: %w", export, err)
	}
	defer func() { <-i.turn }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := i.onClose(cancel); err != nil {
		return fmt.Errorf("call %s: %w", export, err)
	}
	defer i.onClose(nil)
	return do(canon.WithContext(i.box.Enter(ctx), i.canon))
}

// take waits for the turn.
func (i *Instance) take(ctx context.Context) error {
	if err := i.Err(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case i.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-i.exited:
		return i.Err()
	}
}

// onClose says what Close must call to end the running call; it fails if the
// instance is dead.
func (i *Instance) onClose(cancel context.CancelCauseFunc) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cancel = cancel
	return i.dead
}

// function returns an export, and keeps it: each has its own stack.
func (i *Instance) function(export string) (api.Function, error) {
	if err := i.Err(); err != nil {
		return nil, fmt.Errorf("call %s: %w", export, err)
	}
	if f, ok := i.funcs[export]; ok {
		return f, nil
	}
	f := i.guest.ExportedFunction(export)
	if f == nil {
		return nil, fmt.Errorf("call %q: %w", export, ErrNoExport)
	}
	i.funcs[export] = f
	return f, nil
}

// judge says what the end of a call means, and kills the instance if it was
// not a good one.
func (i *Instance) judge(export string, err error) error {
	if err = i.box.Judge(export, err); err != nil {
		i.kill(err)
	}
	return err
}
