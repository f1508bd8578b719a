package canon

import (
	"context"
	"reflect"
)

// This file has the same thing for each number of parameters. The constructors
// panic if a Go type has no WIT type: that is a mistake in the program. FuncN
// have a result, ProcN have none.

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// Func0 makes a host function of 0 parameters.
func Func0[R any](name string, do func(context.Context) R) HostFunc {
	return mustPlan(name, true, typeOf[R]()).hostFunc(func(p *plan) func(context.Context, *Context, []uint64) {
		return func(ctx context.Context, cx *Context, stack []uint64) {
			mark := cx.leave()
			r := do(ctx)
			p.lowerResult(ctx, cx, stack, hide(&r))
			cx.inst.endLends(mark)
		}
	})
}

// Proc0 makes a host function of 0 parameters, without a result.
func Proc0(name string, do func(context.Context)) HostFunc {
	return mustPlan(name, true, nil).hostFunc(func(p *plan) func(context.Context, *Context, []uint64) {
		return func(ctx context.Context, cx *Context, stack []uint64) {
			mark := cx.leave()
			do(ctx)
			cx.inst.endLends(mark)
		}
	})
}

// Func1 makes a host function of 1 parameter.
func Func1[A, R any](name string, do func(context.Context, A) R) HostFunc {
	return mustPlan(name, true, typeOf[R](), typeOf[A]()).hostFunc(func(p *plan) func(context.Context, *Context, []uint64) {
		return func(ctx context.Context, cx *Context, stack []uint64) {
			mark := cx.leave()
			var a A
			p.liftArg(cx, stack, 0, hide(&a))
			r := do(ctx, a)
			p.lowerResult(ctx, cx, stack, hide(&r))
			cx.inst.endLends(mark)
		}
	})
}

// Proc1 makes a host function of 1 parameter, without a result.
func Proc1[A any](name string, do func(context.Context, A)) HostFunc {
	return mustPlan(name, true, nil, typeOf[A]()).hostFunc(func(p *plan) func(context.Context, *Context, []uint64) {
		return func(ctx context.Context, cx *Context, stack []uint64) {
			mark := cx.leave()
			var a A
			p.liftArg(cx, stack, 0, hide(&a))
			do(ctx, a)
			cx.inst.endLends(mark)
		}
	})
}

// Func2 makes a host function of 2 parameters.
func Func2[A, B, R any](name string, do func(context.Context, A, B) R) HostFunc {
	return mustPlan(name, true, typeOf[R](), typeOf[A](), typeOf[B]()).hostFunc(func(p *plan) func(context.Context, *Context, []uint64) {
		return func(ctx context.Context, cx *Context, stack []uint64) {
			mark := cx.leave()
			var a A
			p.liftArg(cx, stack, 0, hide(&a))
			var b B
			p.liftArg(cx, stack, 1, hide(&b))
			r := do(ctx, a, b)
			p.lowerResult(ctx, cx, stack, hide(&r))
			cx.inst.endLends(mark)
		}
	})
}

// Proc2 makes a host function of 2 parameters, without a result.
func Proc2[A, B any](name string, do func(context.Context, A, B)) HostFunc {
	return mustPlan(name, true, nil, typeOf[A](), typeOf[B]()).hostFunc(func(p *plan) func(context.Context, *Context, []uint64) {
		return func(ctx context.Context, cx *Context, stack []uint64) {
			mark := cx.leave()
			var a A
			p.liftArg(cx, stack, 0, hide(&a))
			var b B
			p.liftArg(cx, stack, 1, hide(&b))
			do(ctx, a, b)
			cx.inst.endLends(mark)
		}
	})
}

// Func3 makes a host function of 3 parameters.
func Func3[A, B, C, R any](name string, do func(context.Context, A, B, C) R) HostFunc {
	return mustPlan(name, true, typeOf[R](), typeOf[A](), typeOf[B](), typeOf[C]()).hostFunc(func(p *plan) func(context.Context, *Context, []uint64) {
		return func(ctx context.Context, cx *Context, stack []uint64) {
			mark := cx.leave()
			var a A
			p.liftArg(cx, stack, 0, hide(&a))
			var b B
			p.liftArg(cx, stack, 1, hide(&b))
			var c C
			p.liftArg(cx, stack, 2, hide(&c))
			r := do(ctx, a, b, c)
			p.lowerResult(ctx, cx, stack, hide(&r))
			cx.inst.endLends(mark)
		}
	})
}

// Proc3 makes a host function of 3 parameters, without a result.
func Proc3[A, B, C any](name string, do func(context.Context, A, B, C)) HostFunc {
	return mustPlan(name, true, nil, typeOf[A](), typeOf[B](), typeOf[C]()).hostFunc(func(p *plan) func(context.Context, *Context, []uint64) {
		return func(ctx context.Context, cx *Context, stack []uint64) {
			mark := cx.leave()
			var a A
			p.liftArg(cx, stack, 0, hide(&a))
			var b B
			p.liftArg(cx, stack, 1, hide(&b))
			var c C
			p.liftArg(cx, stack, 2, hide(&c))
			do(ctx, a, b, c)
			cx.inst.endLends(mark)
		}
	})
}

// Func4 makes a host function of 4 parameters.
func Func4[A, B, C, D, R any](name string, do func(context.Context, A, B, C, D) R) HostFunc {
	return mustPlan(name, true, typeOf[R](), typeOf[A](), typeOf[B](), typeOf[C](), typeOf[D]()).hostFunc(func(p *plan) func(context.Context, *Context, []uint64) {
		return func(ctx context.Context, cx *Context, stack []uint64) {
			mark := cx.leave()
			var a A
			p.liftArg(cx, stack, 0, hide(&a))
			var b B
			p.liftArg(cx, stack, 1, hide(&b))
			var c C
			p.liftArg(cx, stack, 2, hide(&c))
			var d D
			p.liftArg(cx, stack, 3, hide(&d))
			r := do(ctx, a, b, c, d)
			p.lowerResult(ctx, cx, stack, hide(&r))
			cx.inst.endLends(mark)
		}
	})
}

// Proc4 makes a host function of 4 parameters, without a result.
func Proc4[A, B, C, D any](name string, do func(context.Context, A, B, C, D)) HostFunc {
	return mustPlan(name, true, nil, typeOf[A](), typeOf[B](), typeOf[C](), typeOf[D]()).hostFunc(func(p *plan) func(context.Context, *Context, []uint64) {
		return func(ctx context.Context, cx *Context, stack []uint64) {
			mark := cx.leave()
			var a A
			p.liftArg(cx, stack, 0, hide(&a))
			var b B
			p.liftArg(cx, stack, 1, hide(&b))
			var c C
			p.liftArg(cx, stack, 2, hide(&c))
			var d D
			p.liftArg(cx, stack, 3, hide(&d))
			do(ctx, a, b, c, d)
			cx.inst.endLends(mark)
		}
	})
}

// Func5 makes a host function of 5 parameters.
func Func5[A, B, C, D, E, R any](name string, do func(context.Context, A, B, C, D, E) R) HostFunc {
	return mustPlan(name, true, typeOf[R](), typeOf[A](), typeOf[B](), typeOf[C](), typeOf[D](), typeOf[E]()).hostFunc(func(p *plan) func(context.Context, *Context, []uint64) {
		return func(ctx context.Context, cx *Context, stack []uint64) {
			mark := cx.leave()
			var a A
			p.liftArg(cx, stack, 0, hide(&a))
			var b B
			p.liftArg(cx, stack, 1, hide(&b))
			var c C
			p.liftArg(cx, stack, 2, hide(&c))
			var d D
			p.liftArg(cx, stack, 3, hide(&d))
			var e E
			p.liftArg(cx, stack, 4, hide(&e))
			r := do(ctx, a, b, c, d, e)
			p.lowerResult(ctx, cx, stack, hide(&r))
			cx.inst.endLends(mark)
		}
	})
}

// Proc5 makes a host function of 5 parameters, without a result.
func Proc5[A, B, C, D, E any](name string, do func(context.Context, A, B, C, D, E)) HostFunc {
	return mustPlan(name, true, nil, typeOf[A](), typeOf[B](), typeOf[C](), typeOf[D](), typeOf[E]()).hostFunc(func(p *plan) func(context.Context, *Context, []uint64) {
		return func(ctx context.Context, cx *Context, stack []uint64) {
			mark := cx.leave()
			var a A
			p.liftArg(cx, stack, 0, hide(&a))
			var b B
			p.liftArg(cx, stack, 1, hide(&b))
			var c C
			p.liftArg(cx, stack, 2, hide(&c))
			var d D
			p.liftArg(cx, stack, 3, hide(&d))
			var e E
			p.liftArg(cx, stack, 4, hide(&e))
			do(ctx, a, b, c, d, e)
			cx.inst.endLends(mark)
		}
	})
}

// Func6 makes a host function of 6 parameters.
func Func6[A, B, C, D, E, F, R any](name string, do func(context.Context, A, B, C, D, E, F) R) HostFunc {
	return mustPlan(name, true, typeOf[R](), typeOf[A](), typeOf[B](), typeOf[C](), typeOf[D](), typeOf[E](), typeOf[F]()).hostFunc(func(p *plan) func(context.Context, *Context, []uint64) {
		return func(ctx context.Context, cx *Context, stack []uint64) {
			mark := cx.leave()
			var a A
			p.liftArg(cx, stack, 0, hide(&a))
			var b B
			p.liftArg(cx, stack, 1, hide(&b))
			var c C
			p.liftArg(cx, stack, 2, hide(&c))
			var d D
			p.liftArg(cx, stack, 3, hide(&d))
			var e E
			p.liftArg(cx, stack, 4, hide(&e))
			var f F
			p.liftArg(cx, stack, 5, hide(&f))
			r := do(ctx, a, b, c, d, e, f)
			p.lowerResult(ctx, cx, stack, hide(&r))
			cx.inst.endLends(mark)
		}
	})
}

// Proc6 makes a host function of 6 parameters, without a result.
func Proc6[A, B, C, D, E, F any](name string, do func(context.Context, A, B, C, D, E, F)) HostFunc {
	return mustPlan(name, true, nil, typeOf[A](), typeOf[B](), typeOf[C](), typeOf[D](), typeOf[E](), typeOf[F]()).hostFunc(func(p *plan) func(context.Context, *Context, []uint64) {
		return func(ctx context.Context, cx *Context, stack []uint64) {
			mark := cx.leave()
			var a A
			p.liftArg(cx, stack, 0, hide(&a))
			var b B
			p.liftArg(cx, stack, 1, hide(&b))
			var c C
			p.liftArg(cx, stack, 2, hide(&c))
			var d D
			p.liftArg(cx, stack, 3, hide(&d))
			var e E
			p.liftArg(cx, stack, 4, hide(&e))
			var f F
			p.liftArg(cx, stack, 5, hide(&f))
			do(ctx, a, b, c, d, e, f)
			cx.inst.endLends(mark)
		}
	})
}
