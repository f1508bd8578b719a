package component

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/astrid-go/astrid/wasm/canon"
)

// function is a component function at run time: one that a guest lifts, or one
// of the host.
type function struct {
	lift *lifted   // of a guest
	host *hostFunc // typed, of the host
	dyn  canon.Callable
}

// lifted is a core function of an instance, called as its type says. Handles
// of core functions are made at the first call: many are never called, and
// each has a stack.
type lifted struct {
	frame *frame
	def   *liftDef
	typ   canon.FuncType

	view       *canon.Context
	core, post api.Function
	call       canon.Callable
}

type liftDef struct {
	core coreSource
	typ  *funcType
	opts canonOptions
}

func (d *liftDef) run(_ context.Context, f *frame) error {
	return f.push(&function{lift: &lifted{frame: f, def: d, typ: f.canonFunc(d.typ)}})
}

// ready makes the handles.
func (l *lifted) ready() (err error) {
	if l.call != nil {
		return nil
	}
	if l.view, err = l.frame.view(l.def.opts); err != nil {
		return err
	}
	if l.core, err = l.frame.function(l.def.core); err != nil {
		return err
	}
	if l.post, err = l.frame.sharedFunction(l.def.opts.post); err != nil {
		return err
	}
	l.call = canon.LiftFunc(l.typ, l.view, l.core, l.post)
	return nil
}

var errHostFunc = errors.New("a typed host function can only be called by a guest")

// invoke calls fn. It fails by panicking, as a canon.Callable does.
func (fn *function) invoke(ctx context.Context, args []canon.Value) canon.Value {
	switch {
	case fn.dyn != nil:
		return fn.dyn(ctx, args)
	case fn.lift == nil:
		panic(errHostFunc)
	}
	if err := fn.lift.ready(); err != nil {
		panic(err)
	}
	return fn.lift.call(&frameContext{ctx, fn.lift.frame}, args)
}

// guarded calls fn and returns what it panics with if that is an error, as a
// guest's fault is.
func (fn *function) guarded(ctx context.Context, args []canon.Value) (v canon.Value, err error) {
	defer recoverError(&err)
	return fn.invoke(ctx, args), nil
}

// recoverError turns a panic with an error into the error. Anything else is a
// broken invariant.
func recoverError(err *error) {
	switch r := recover().(type) {
	case nil:
	case error:
		*err = r
	default:
		panic(r)
	}
}

type lowerDef struct {
	fn   int
	typ  *funcType
	opts canonOptions
}

func (d *lowerDef) bind(f *frame) (coreCall, error) {
	view, err := f.view(d.opts)
	if err != nil {
		return nil, err
	}
	fn := f.funcs[d.fn]
	if fn.host != nil {
		bound, err := fn.host.bind(f, d.typ)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, stack []uint64) { bound.Call(ctx, view, stack) }, nil
	}
	return canon.LowerFunc(f.canonFunc(d.typ), view, fn.invoke), nil
}

type resourceCanonDef struct {
	op byte
	id *resource
}

func (d *resourceCanonDef) bind(f *frame) (coreCall, error) {
	rt, in := f.resources[d.id], f.canon.Instance()
	if rt == nil {
		return nil, fmt.Errorf("resource %s is not known", quote(d.id.name))
	}
	switch d.op {
	case canonResourceNew:
		return func(_ context.Context, stack []uint64) {
			stack[0] = uint64(in.ResourceNew(rt, uint32(stack[0])))
		}, nil
	case canonResourceRep:
		return func(_ context.Context, stack []uint64) {
			stack[0] = uint64(in.ResourceRep(rt, uint32(stack[0])))
		}, nil
	}
	return func(ctx context.Context, stack []uint64) { in.ResourceDrop(ctx, rt, uint32(stack[0])) }, nil
}
