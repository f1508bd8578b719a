package canon

import (
	"context"
	"fmt"
	"reflect"
)

// plan is how the parameters and the result of one function are moved.
type plan struct {
	name          string
	params        []reflect.Type
	result        reflect.Type // nil if there is none
	host, wire    FuncType
	flat          FlatFunc
	args          record // the parameters as the fields of one, Go offsets unused
	size          uint64 // of spilled parameters
	align         uint32
	answer        codec // nil if there is none
	isHost        bool  // a host function: parameters are lifted, the result lowered
	resultFlatLen int
}

// newPlan derives the types of a function and makes its codecs. host is true
// for host functions.
func newPlan(name string, host bool, result reflect.Type, params ...reflect.Type) (*plan, error) {
	p := &plan{name: name, params: params, result: result, isHost: host}
	for i, t := range params {
		w, err := payload(t)
		if err != nil {
			return nil, fmt.Errorf("parameter %d of %s: %w", i, name, err)
		}
		p.host.Params = append(p.host.Params, Field{Type: w})
	}
	if result != nil {
		w, err := payload(result)
		if err != nil {
			return nil, fmt.Errorf("result of %s: %w", name, err)
		}
		p.host.Result = w
	}
	return p, p.use(p.host)
}

// mustPlan is newPlan for constructors: a Go type without a WIT type is a
// mistake in the program.
func mustPlan(name string, host bool, result reflect.Type, params ...reflect.Type) *plan {
	p, err := newPlan(name, host, result, params...)
	if err != nil {
		panic("canon: " + err.Error())
	}
	return p
}

// use makes codecs for a guest that knows the function as wire.
func (p *plan) use(wire FuncType) error {
	if len(wire.Params) != len(p.params) || (wire.Result == nil) != (p.result == nil) {
		return fmt.Errorf("%s: guest and host differ in the number of parameters or results", p.name)
	}
	in, out := toHost, toGuest
	p.wire, p.flat = wire, wire.FlattenLower()
	if !p.isHost {
		in, out = out, in
		p.flat = wire.FlattenLift()
	}
	offsets, size, align := wire.paramsLayout()
	p.args, p.size, p.align = record{}, size, align
	flat := 0
	for i, w := range wire.Params {
		c, err := compile(p.params[i], p.host.Params[i].Type, w.Type, in)
		if err != nil {
			return fmt.Errorf("%s: parameter %d %s: %w", p.name, i, w.Name, err)
		}
		n := len(w.Type.flat)
		p.args.fields = append(p.args.fields, recordField{c, 0, offsets[i], w.Type.size, flat, flat + n})
		flat += n
	}
	if wire.Result == nil {
		return nil
	}
	c, err := compile(p.result, p.host.Result, wire.Result, out)
	if err != nil {
		return fmt.Errorf("%s: result: %w", p.name, err)
	}
	p.answer, p.resultFlatLen = c, len(wire.Result.flat)
	return nil
}

// liftArg lifts parameter i of a host function to v.
func (p *plan) liftArg(cx *Context, stack []uint64, i int, v pointer) {
	f := &p.args.fields[i]
	if p.flat.SpillParams {
		b := cx.view(uint32(stack[0]), p.size, p.align)
		f.codec.load(cx, b[f.wire:][:f.size], v)
		return
	}
	f.codec.lift(cx, stack[f.flat:f.flatTo], v)
}

// lowerResult lowers the result of a host function.
func (p *plan) lowerResult(ctx context.Context, cx *Context, stack []uint64, v pointer) {
	if p.flat.SpillResult {
		to := cx.dest(uint32(stack[len(p.flat.Params)-1]), uint64(p.wire.Result.size), p.wire.Result.align)
		p.answer.store(ctx, cx, to, v)
		return
	}
	p.answer.lower(ctx, cx, v, stack[:p.resultFlatLen])
}

// body makes the Call of a host function for one plan.
type body func(p *plan) func(ctx context.Context, cx *Context, stack []uint64)

func (p *plan) hostFunc(make body) HostFunc {
	return HostFunc{
		Name: p.name, Type: p.wire, Params: p.flat.Params, Results: p.flat.Results, Call: make(p),
		bind: func(name string, guest FuncType) (HostFunc, error) {
			q := *p
			q.name = name
			if err := q.use(guest); err != nil {
				return HostFunc{}, err
			}
			return q.hostFunc(make), nil
		},
	}
}

// Bind returns f for a guest that was compiled against guest's types, which may
// differ from the host's: record fields, cases and labels are matched by name.
//
//   - A record field of the guest's that the host does not know is an error, as
//     is a case or flag that the guest might pass. Host fields unknown to the
//     guest are left out of results; in parameters they are none if they are
//     options, else an error.
//   - A case of the host's that the guest does not know becomes the guest's
//     unknown(text), the text being the case's name; a guest without that case
//     traps when it happens.
func (f HostFunc) Bind(guest FuncType) (HostFunc, error) {
	if f.bind == nil {
		return HostFunc{}, fmt.Errorf("%s cannot be bound to other types", f.Name)
	}
	return f.bind(f.Name, guest)
}
