package component

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/astrid-go/astrid/wasm/canon"
)

// Host is what a host offers to components.
type Host struct {
	// Interfaces are typed functions. The one with an empty name has the
	// functions that are imported without an interface. A component is given
	// the interface that it imports, or another version of it that is
	// compatible: from 1.0.0 on of the same major version and not of an older
	// minor one, from 0.1.0 on of the same minor version.
	Interfaces []canon.Interface

	// Dynamic are functions over dynamic values. They come before those of
	// Interfaces with the same names.
	Dynamic []Dynamic

	// Resources are resource types that components import and that no
	// function of the same interface mentions.
	Resources []Resource
}

// And returns a host that offers what both do. What h offers comes first.
func (h Host) And(more Host) Host {
	return Host{
		Interfaces: slices.Concat(h.Interfaces, more.Interfaces),
		Dynamic:    slices.Concat(h.Dynamic, more.Dynamic),
		Resources:  slices.Concat(h.Resources, more.Resources),
	}
}

// Dynamic is a host function that works with whatever type the guest imports
// it as. An error that is a *canon.Trap blames the guest; any other is the
// host's.
type Dynamic struct {
	Interface string // empty for one that is imported without
	Name      string
	Call      func(ctx context.Context, args []canon.Value) (canon.Value, error)
}

// Resource is a resource type of the host.
type Resource struct {
	Interface string
	Name      string
	Type      *canon.ResourceType
}

// LinkError lists what a component imports and the host does not offer.
type LinkError struct{ Problems []string }

// maxProblems bounds the text of a LinkError.
const maxProblems = 20

// Error lists the problems.
func (e *LinkError) Error() string {
	list := e.Problems
	if more := len(list) - maxProblems; more > 0 {
		list = append(list[:maxProblems:maxProblems], fmt.Sprintf("and %d more", more))
	}
	return "imports cannot be satisfied: " + strings.Join(list, "; ")
}

// hostFunc is a typed function of the host. bound has it as the outermost
// component imports it.
type hostFunc struct {
	fn    canon.HostFunc
	bound map[*funcType]canon.HostFunc
}

// bind returns the function for a guest that imports it as t.
func (h *hostFunc) bind(f *frame, t *funcType) (canon.HostFunc, error) {
	if bound, ok := h.bound[t]; ok {
		return bound, nil
	}
	return h.fn.Bind(f.canonFunc(t))
}

// linker finds what a component imports among what a host offers.
type linker struct {
	host     Host
	frame    *frame // learns the resources of the host
	problems []string
}

func (l *linker) problem(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

// Link binds p's imports to what the host offers. The error is a *LinkError.
func (p *Plan) Link(h Host) (*Program, error) {
	l := &linker{host: h, frame: &frame{
		resources: map[*resource]*canon.ResourceType{},
		types:     map[*valType]*canon.Type{},
	}}
	args := make([]value, len(p.component.typ.imports))
	for i, imp := range p.component.typ.imports {
		args[i] = l.resolve(imp)
	}
	if len(l.problems) > 0 {
		slices.Sort(l.problems)
		return nil, &LinkError{l.problems}
	}
	return &Program{plan: p, args: args}, nil
}

// resolve returns the value of an import of the outermost component.
func (l *linker) resolve(x externType) value {
	switch x.sort {
	case sortFunc:
		return l.function("", x)
	case sortType:
		return l.typ("", x)
	case sortInstance:
		return l.instance(x)
	}
	l.problem("%s %s: a host cannot give a %s", x.sort, quote(x.name), x.sort)
	return nil
}

// instance gathers what an interface exports. Types come first: functions use
// the resources among them.
func (l *linker) instance(x externType) value {
	t := x.def.(*instanceType)
	v := &instanceValue{make(map[string]value, len(t.exports.list))}
	for _, e := range t.exports.list {
		switch e.sort {
		case sortType:
			v.exports[e.name] = l.typ(x.name, e)
		case sortFunc:
			v.exports[e.name] = l.function(x.name, e)
		default:
			l.problem("%s %s: a host's interface cannot export a %s", quote(x.name), quote(e.name), e.sort)
		}
	}
	return v
}

// typ returns the resource of the host that an import stands for. A type that
// equals another one is known from that.
func (l *linker) typ(iface string, x externType) value {
	r, ok := x.def.(*resourceType)
	if !ok {
		return nil
	}
	if known := l.frame.resources[r.id]; known != nil {
		return known
	}
	rt := l.resource(iface, x.name)
	if rt == nil {
		rt = &canon.ResourceType{Name: x.name} // never made, so never used
	}
	l.frame.learn(x, rt)
	return rt
}

// resource finds a resource type by its name: among the Resources, then in the
// functions of the interface, then in all functions.
func (l *linker) resource(iface, name string) *canon.ResourceType {
	for _, r := range l.host.Resources {
		if r.Name == name && satisfies(r.Interface, iface) {
			return r.Type
		}
	}
	for _, all := range []bool{false, true} {
		for _, i := range l.host.Interfaces {
			if !all && !satisfies(i.Name, iface) {
				continue
			}
			if rt := mentioned(i.Funcs, name); rt != nil {
				return rt
			}
		}
	}
	return nil
}

// mentioned returns the resource of that name in the types of functions.
func mentioned(funcs []canon.HostFunc, name string) *canon.ResourceType {
	for _, f := range funcs {
		for _, p := range f.Type.Params {
			if rt := within(p.Type, name); rt != nil {
				return rt
			}
		}
		if rt := within(f.Type.Result, name); rt != nil {
			return rt
		}
	}
	return nil
}

func within(t *canon.Type, name string) *canon.ResourceType {
	if t == nil {
		return nil
	}
	if rt := t.Resource(); rt != nil && rt.Name == name {
		return rt
	}
	for _, f := range t.Fields() {
		if rt := within(f.Type, name); rt != nil {
			return rt
		}
	}
	return within(t.Elem(), name)
}

// function finds a function and binds it to the type it is imported as.
func (l *linker) function(iface string, x externType) value {
	for _, d := range l.host.Dynamic {
		if d.Name == x.name && satisfies(d.Interface, iface) {
			return &function{dyn: d.callable()}
		}
	}
	offered, ok := l.find(iface)
	if !ok {
		l.problem("func %s of %s: there is no such interface", quote(x.name), quote(iface))
		return nil
	}
	for _, f := range offered.Funcs {
		if f.Name != x.name {
			continue
		}
		t := x.def.(*funcType)
		bound, err := f.Bind(l.frame.canonFunc(t))
		if err != nil {
			l.problem("func %s of %s: %v", quote(x.name), quote(iface), err)
			return nil
		}
		return &function{host: &hostFunc{f, map[*funcType]canon.HostFunc{t: bound}}}
	}
	l.problem("func %s of %s: %s has no such function", quote(x.name), quote(iface), quote(offered.Name))
	return nil
}

// find returns the interface that suits a guest best.
func (l *linker) find(wanted string) (best canon.Interface, ok bool) {
	for _, i := range l.host.Interfaces {
		if satisfies(i.Name, wanted) && (!ok || better(i.Name, best.Name, wanted)) {
			best, ok = i, true
		}
	}
	return best, ok
}

func (d Dynamic) callable() canon.Callable {
	return func(ctx context.Context, args []canon.Value) canon.Value {
		v, err := d.Call(ctx, args)
		if err != nil {
			panic(err)
		}
		return v
	}
}
