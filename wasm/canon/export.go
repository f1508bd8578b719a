package canon

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/tetratelabs/wazero/api"
)

// Callee is a guest whose exports are called.
type Callee interface {
	// ExportedFunction returns a core function, or nil.
	ExportedFunction(name string) api.Function
	// Canon returns the guest's canonical ABI state.
	Canon() *Context
}

// Runner is a Callee that must be asked for its turn. A call, with what cleans
// up after it, happens inside do; Run returns do's error, or its own.
type Runner interface {
	Run(ctx context.Context, export string, do func(ctx context.Context) error) error
}

// ErrNoExport is the answer to a call of a function that the guest does not
// export with the expected core signature.
var ErrNoExport = errors.New("guest has no such export")

// export is what all arities have in common.
type export struct{ plan *plan }

func newExport(name string, result reflect.Type, params ...reflect.Type) export {
	return export{mustPlan(name, false, result, params...)}
}

// Type returns the WIT type of the export, as the host knows it.
func (e export) Type() FuncType { return e.plan.host }

// Name returns the export's name.
func (e export) Name() string { return e.plan.name }

// call lowers args, calls the core function, lifts its result to r and lets the
// guest clean up.
func (e export) call(ctx context.Context, callee Callee, r pointer, args ...pointer) error {
	if runner, ok := callee.(Runner); ok {
		return runner.Run(ctx, e.plan.name, func(ctx context.Context) error {
			return e.run(ctx, callee, r, args)
		})
	}
	return e.run(ctx, callee, r, args)
}

func (e export) run(ctx context.Context, callee Callee, r pointer, args []pointer) (err error) {
	p, cx := e.plan, callee.Canon()
	core := callee.ExportedFunction(p.name)
	if core == nil {
		return fmt.Errorf("call %s: %w", p.name, ErrNoExport)
	}
	if d := core.Definition(); string(d.ParamTypes()) != string(p.flat.Params) || string(d.ResultTypes()) != string(p.flat.Results) {
		return fmt.Errorf("call %s: %w of that type", p.name, ErrNoExport)
	}
	defer cx.recoverTrap(p.name, &err)
	in := cx.enter()
	if FromContext(ctx) != cx {
		ctx = WithContext(ctx, cx)
	}
	var space [MaxFlatParams]uint64
	stack := space[:max(len(p.flat.Params), len(p.flat.Results))]
	p.lowerArgs(ctx, cx, stack, args)
	call(ctx, in, core, stack)
	result := space[0]
	p.liftResult(cx, stack, r)
	cx.exit(ctx, callee.ExportedFunction("cabi_post_"+p.name), result, len(p.flat.Results))
	return nil
}

// recoverTrap turns the panics by which a guest's fault travels into an error.
// The instance stays entered: it cannot be called again.
func (cx *Context) recoverTrap(name string, err *error) {
	switch r := recover().(type) {
	case nil:
	case *Trap:
		*err = &Trap{Reason: r.Reason, Func: name}
	case error:
		if failed := cx.inst.failed; failed != nil && failed == r { //nolint:errorlint // the same value
			*err = failed
			return
		}
		panic(r)
	default:
		panic(r)
	}
}

// lowerArgs lowers the arguments of an export.
func (p *plan) lowerArgs(ctx context.Context, cx *Context, stack []uint64, args []pointer) {
	var to uint32
	if p.flat.SpillParams {
		to = cx.alloc(ctx, p.size, p.align)
		stack[0] = uint64(to)
	}
	for i, arg := range args {
		f := &p.args.fields[i]
		if p.flat.SpillParams {
			f.codec.store(ctx, cx, to+f.wire, arg)
			continue
		}
		f.codec.lower(ctx, cx, arg, stack[f.flat:f.flatTo])
	}
}

// liftResult lifts the result of an export to r.
func (p *plan) liftResult(cx *Context, stack []uint64, r pointer) {
	if p.answer == nil {
		return
	}
	if p.flat.SpillResult {
		p.answer.load(cx, cx.view(uint32(stack[0]), uint64(p.wire.Result.size), p.wire.Result.align), r)
		return
	}
	p.answer.lift(cx, stack, r)
}
