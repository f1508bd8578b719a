package canon

import (
	"context"

	"github.com/tetratelabs/wazero/api"
)

// Callable is a component-level function over dynamic values. The result is the
// zero Value if the type has none. It fails by panicking: with a *Trap, or with
// the error of the core function.
type Callable func(ctx context.Context, args []Value) Value

// LiftFunc is canon lift: it makes a Callable of a guest's core function. post
// is its post-return function, or nil. The Callable returns to its caller after
// post-return, and lends what its caller lent until then.
func LiftFunc(ft FuncType, cx *Context, core, post api.Function) Callable {
	flat := ft.FlattenLift()
	offsets, size, align := ft.paramsLayout()
	return func(ctx context.Context, args []Value) Value {
		in := cx.enter()
		ctx = WithContext(ctx, cx)
		stack := make([]uint64, max(len(flat.Params), len(flat.Results), 1))
		if flat.SpillParams {
			at := cx.alloc(ctx, size, align)
			for i, p := range ft.Params {
				cx.store(ctx, p.Type, args[i], at+offsets[i])
			}
			stack[0] = uint64(at)
		} else {
			rest := stack
			for i, p := range ft.Params {
				cx.LowerFlat(ctx, p.Type, args[i], rest)
				rest = rest[len(p.Type.flat):]
			}
		}
		call(ctx, in, core, stack)
		result := stack[0]
		var v Value
		switch {
		case flat.SpillResult:
			v = cx.Load(ft.Result, uint32(result))
		case ft.Result != nil:
			v = cx.LiftFlat(ft.Result, stack)
		}
		cx.exit(ctx, post, result, len(flat.Results))
		return v
	}
}

// LowerFunc is canon lower: it makes a core function of callee, for a guest
// with context cx. It is called with the parameters, and leaves its result, on
// the stack.
func LowerFunc(ft FuncType, cx *Context, callee Callable) func(ctx context.Context, stack []uint64) {
	flat := ft.FlattenLower()
	offsets, size, align := ft.paramsLayout()
	return func(ctx context.Context, stack []uint64) {
		mark := cx.leave()
		args := make([]Value, len(ft.Params))
		if flat.SpillParams {
			b := cx.view(uint32(stack[0]), size, align)
			for i, p := range ft.Params {
				args[i] = cx.load(p.Type, b[offsets[i]:][:p.Type.size])
			}
		} else {
			rest := stack
			for i, p := range ft.Params {
				args[i] = cx.LiftFlat(p.Type, rest)
				rest = rest[len(p.Type.flat):]
			}
		}
		v := callee(ctx, args)
		switch {
		case flat.SpillResult:
			cx.Store(ctx, ft.Result, v, uint32(stack[len(flat.Params)-1]))
		case ft.Result != nil:
			cx.LowerFlat(ctx, ft.Result, v, stack)
		}
		cx.inst.endLends(mark)
	}
}

// enter begins an export call.
func (cx *Context) enter() *Instance {
	in := cx.Instance()
	trapIf(in.inside, "cannot enter component instance")
	in.inside = true
	in.scopes = append(in.scopes, 0)
	in.lifted = 0
	return in
}

// exit ends an export call whose result is lifted: borrows must be dropped by
// now; post-return gets the core result, and may not leave.
func (cx *Context) exit(ctx context.Context, post api.Function, result uint64, results int) {
	in := cx.inst
	top := len(in.scopes) - 1
	trapIf(in.scopes[top] != 0, "borrow handles still remain at the end of the call")
	in.scopes = in.scopes[:top]
	if post != nil {
		args := in.scratch[:max(results, 1)]
		args[0] = result
		in.stay = true
		call(ctx, in, post, args)
		in.stay = false
	}
	in.inside = false
}

// leave begins a call out of the guest; endLends with the answer ends it.
func (cx *Context) leave() (mark int) {
	in := cx.Instance()
	trapIf(in.stay, "cannot leave component instance")
	in.lifted = 0
	return len(in.lent)
}

func call(ctx context.Context, in *Instance, f api.Function, stack []uint64) {
	if err := f.CallWithStack(ctx, stack); err != nil {
		in.failed = err
		panic(err)
	}
}
