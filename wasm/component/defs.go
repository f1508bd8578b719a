package component

import (
	"context"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/astrid-go/astrid/wasm/canon"
)

// def is a definition of a component, as far as there is something to do for
// it when an instance is made. run adds to the frame's index spaces what the
// parser added to the scope's.
type def interface {
	run(ctx context.Context, f *frame) error
}

type moduleDef struct{ module *module }

func (d *moduleDef) run(_ context.Context, f *frame) error {
	return f.push(&moduleValue{d.module.typ, f.root.program.plan.modules[d.module]})
}

type coreInstanceDef struct {
	module int
	args   map[string]int // core instances
}

func (d *coreInstanceDef) run(ctx context.Context, f *frame) error {
	m, err := f.instantiate(ctx, f.modules[d.module].code, func(name string) api.Module {
		name, ours := strings.CutPrefix(name, guestPrefix)
		if i, ok := d.args[name]; ok && ours {
			return f.coreInstances[i]
		}
		return nil
	})
	f.coreInstances = append(f.coreInstances, m)
	return err
}

type coreBundleDef struct{ items []bundleItem }

func (d *coreBundleDef) run(ctx context.Context, f *frame) error {
	m, err := f.instantiate(ctx, f.root.program.plan.bundles[d], f.byIndex)
	f.coreInstances = append(f.coreInstances, m)
	return err
}

type componentDef struct{ component *Component }

func (d *componentDef) run(_ context.Context, f *frame) error {
	return f.push(&closure{d.component, f})
}

type instanceDef struct {
	component int
	args      []argument // in the order of the component's imports
	typ       *instanceType
}

func (d *instanceDef) run(ctx context.Context, f *frame) error {
	args := make([]value, len(d.args))
	for i, a := range d.args {
		args[i] = f.value(a.from, a.def)
	}
	in, err := f.components[d.component].instantiate(ctx, f.root, args)
	if err != nil {
		return err
	}
	f.learn(externType{"", sortInstance, d.typ}, in.exports)
	return f.push(in.exports)
}

type bundleDef struct{ items []argument }

func (d *bundleDef) run(_ context.Context, f *frame) error {
	v := &instanceValue{make(map[string]value, len(d.items))}
	for _, it := range d.items {
		v.exports[it.name] = f.value(it.from, it.def)
	}
	return f.push(v)
}

type aliasDef struct {
	instance int
	name     string
	sort     sort
}

func (d *aliasDef) run(_ context.Context, f *frame) error {
	return f.push(f.instances[d.instance].exports[d.name])
}

type outerDef struct {
	count, index int
	sort         sort
}

func (d *outerDef) run(_ context.Context, f *frame) error {
	from := f
	for range d.count {
		from = from.parent
	}
	return f.push(from.value(sortIndex{d.sort, d.index}, nil))
}

type resourceDef struct {
	id   *resource
	dtor *coreSource
}

func (d *resourceDef) run(_ context.Context, f *frame) error {
	rt := &canon.ResourceType{Name: d.id.name, Impl: f.canon.Instance()}
	if d.dtor != nil {
		rt.Destroy = f.destructor(*d.dtor)
	}
	f.resources[d.id] = rt
	return nil
}

// destructor calls a core function for each resource that is destroyed. A
// destructor may drop other resources of its type: each call that is running
// has its own handle of the function.
func (f *frame) destructor(s coreSource) func(context.Context, *canon.Resource) {
	var free []api.Function
	return func(ctx context.Context, r *canon.Resource) {
		var fn api.Function
		if n := len(free); n > 0 {
			fn, free = free[n-1], free[:n-1]
		} else {
			var err error
			if fn, err = f.function(s); err != nil {
				panic(err)
			}
		}
		stack := [1]uint64{uint64(r.Rep)}
		if err := fn.CallWithStack(f.enter(ctx), stack[:]); err != nil {
			panic(err)
		}
		free = append(free, fn)
	}
}

type importDef struct {
	index int
	typ   externType
}

func (d *importDef) run(_ context.Context, f *frame) error {
	v := f.args[d.index]
	f.learn(d.typ, v)
	return f.push(v)
}

type exportDef struct {
	argument
	typ externType
}

func (d *exportDef) run(_ context.Context, f *frame) error {
	v := f.value(d.from, d.def)
	f.learn(d.typ, v)
	f.exports.exports[d.name] = v
	return f.push(v)
}

type startDef struct{ fn uint32 }

func (d *startDef) run(ctx context.Context, f *frame) error {
	_, err := f.funcs[d.fn].guarded(ctx, nil)
	return err
}

// push adds v to the index space of its sort. Types have none.
func (f *frame) push(v value) error {
	switch v := v.(type) {
	case *moduleValue:
		f.modules = append(f.modules, v)
	case *function:
		f.funcs = append(f.funcs, v)
	case *closure:
		f.components = append(f.components, v)
	case *instanceValue:
		f.instances = append(f.instances, v)
	}
	return nil
}

// value returns what an index stands for. def is its type, which tells a
// resource.
func (f *frame) value(i sortIndex, d definition) value {
	switch i.sort {
	case sortModule:
		return f.modules[i.index]
	case sortFunc:
		return f.funcs[i.index]
	case sortComponent:
		return f.components[i.index]
	case sortInstance:
		return f.instances[i.index]
	}
	if r, ok := d.(*resourceType); ok {
		return f.resources[r.id]
	}
	return nil
}

// A site is defined by binding its function.
func (s *site) run(_ context.Context, f *frame) (err error) {
	f.sites[s.local], err = s.def.bind(f)
	return err
}
