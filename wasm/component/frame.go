package component

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/astrid-go/astrid/wasm/canon"
)

// frame is an instance of one component, the outermost or a nested one: its
// index spaces, as far as there is something at run time.
type frame struct {
	root   *Instance
	parent *frame // of the component that this one is nested in
	canon  *canon.Context
	args   []value

	modules       []*moduleValue
	coreInstances []api.Module
	funcs         []*function
	components    []*closure
	instances     []*instanceValue
	exports       *instanceValue

	sites     []coreCall
	called    api.Module // exports sites that are called from here; nil if none is
	resources map[*resource]*canon.ResourceType
	types     map[*valType]*canon.Type // those with handles
	shared    map[coreSource]api.Function
}

// value is what a definition is at run time: *moduleValue, *function,
// *closure, *instanceValue, or *canon.ResourceType for a resource type and nil
// for other types.
type value any

// moduleValue is a core module.
type moduleValue struct {
	typ  *moduleType
	code wazero.CompiledModule
}

// closure is a component together with where it was defined.
type closure struct {
	component *Component
	parent    *frame
}

// instanceValue is an instance as others see it.
type instanceValue struct{ exports map[string]value }

// frameContext carries a frame: functions that guests import find their
// instance by it.
type frameContext struct {
	context.Context
	frame *frame
}

type frameKey struct{}

func (c *frameContext) Value(key any) any {
	if key == (frameKey{}) {
		return c.frame
	}
	return c.Context.Value(key)
}

func frameOf(ctx context.Context) *frame {
	f, _ := ctx.Value(frameKey{}).(*frame)
	return f
}

// enter returns a context for calling core functions of f.
func (f *frame) enter(ctx context.Context) context.Context {
	return canon.WithContext(&frameContext{ctx, f}, f.canon)
}

// instantiate makes an instance of c and runs it through all its definitions.
func (c *closure) instantiate(ctx context.Context, root *Instance, args []value) (*frame, error) {
	if err := root.count(); err != nil {
		return nil, err
	}
	f := &frame{
		root: root, parent: c.parent, args: args,
		canon:     canon.NewContext(root.cfg.Host, nil, canon.Options{}),
		exports:   &instanceValue{map[string]value{}},
		sites:     make([]coreCall, len(c.component.sites)),
		resources: map[*resource]*canon.ResourceType{},
		types:     map[*valType]*canon.Type{},
		shared:    map[coreSource]api.Function{},
	}
	root.frames = append(root.frames, f)
	if code := root.program.plan.called[c.component]; code != nil {
		m, err := f.instantiate(ctx, code, func(string) api.Module { return nil })
		if err != nil {
			return nil, err
		}
		f.called = m
	}
	for _, d := range c.component.defs {
		if err := d.run(ctx, f); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// instantiate makes a core instance, whose imports resolve finds by their
// module's name; nil means a host module.
func (f *frame) instantiate(ctx context.Context, code wazero.CompiledModule, resolve func(string) api.Module) (m api.Module, err error) {
	if err := f.root.count(); err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil { // wazero's answer to a memory that cannot be allocated
			err = fmt.Errorf("instantiate core module: %v\n%s", r, debug.Stack())
		}
	}()
	ctx = experimental.WithImportResolver(f.enter(ctx), resolve)
	cfg := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	m, err = f.root.program.plan.engine.Runtime().InstantiateModule(ctx, code, cfg)
	if err != nil {
		return nil, startFailure(err)
	}
	f.root.modules = append(f.root.modules, m)
	return m, nil
}

// startFailure returns what a start function failed with, as a call of it would
// have: that is what Sandboxes judge. Other failures get their context.
func startFailure(err error) error {
	if cause := errors.Unwrap(err); cause != nil && strings.HasPrefix(err.Error(), "start ") {
		return cause
	}
	return fmt.Errorf("instantiate core module: %w", err)
}

// byIndex resolves the imports of bundles.
func (f *frame) byIndex(name string) api.Module {
	number, ok := strings.CutPrefix(name, instancePrefix)
	i, err := strconv.Atoi(number)
	if !ok || err != nil || i >= len(f.coreInstances) {
		return nil
	}
	return f.coreInstances[i]
}

var errNoFunction = errors.New("core function is not there")

// function returns a new handle of a core function: two handles may be in use
// at once.
func (f *frame) function(s coreSource) (api.Function, error) {
	mod, name := f.called, s.name
	if s.site != nil {
		name = s.site.export()
	} else {
		mod = f.coreInstances[s.instance]
	}
	if fn := mod.ExportedFunction(name); fn != nil {
		return fn, nil
	}
	return nil, fmt.Errorf("%w: %s", errNoFunction, quote(name))
}

// sharedFunction returns a handle for a function that is never running when it
// is called: realloc or post-return.
func (f *frame) sharedFunction(s *coreSource) (api.Function, error) {
	if s == nil {
		return nil, nil
	}
	if fn, ok := f.shared[*s]; ok {
		return fn, nil
	}
	fn, err := f.function(*s)
	if err == nil {
		f.shared[*s] = fn
	}
	return fn, err
}

// view returns f's canonical ABI state with the options of one function.
func (f *frame) view(o canonOptions) (*canon.Context, error) {
	opts := canon.Options{Encoding: o.encoding}
	if o.memory != nil {
		opts.Memory = f.coreInstances[o.memory.instance].ExportedMemory(o.memory.name)
	}
	realloc, err := f.sharedFunction(o.realloc)
	if realloc != nil {
		opts.Realloc = realloc
	}
	return f.canon.With(opts), err
}

// canonType returns t with f's resources.
func (f *frame) canonType(t *valType) *canon.Type {
	if t == nil || !t.handles {
		if t == nil {
			return nil
		}
		return t.canon
	}
	if done, ok := f.types[t]; ok {
		return done
	}
	var res *canon.ResourceType
	if t.res != nil {
		res = f.resources[t.res.id]
	}
	out, err := t.convert(f.canonType, res)
	if err != nil {
		panic(fmt.Sprintf("component: a valid type cannot be made again: %v", err))
	}
	f.types[t] = out
	return out
}

func (f *frame) canonFunc(t *funcType) canon.FuncType {
	if !t.handles {
		return t.flat()
	}
	ft := canon.FuncType{Params: make([]canon.Field, len(t.params)), Result: f.canonType(t.result)}
	for i, p := range t.params {
		ft.Params[i] = canon.Field{Name: p.name, Type: f.canonType(p.typ)}
	}
	return ft
}

// learn notes which resources stand for those of a type, from what is of that
// type.
func (f *frame) learn(x externType, v value) {
	switch d := x.def.(type) {
	case *resourceType:
		if rt, ok := v.(*canon.ResourceType); ok && rt != nil {
			f.resources[d.id] = rt
		}
	case *instanceType:
		if inst, ok := v.(*instanceValue); ok && x.sort == sortInstance {
			for _, e := range d.exports.list {
				f.learn(e, inst.exports[e.name])
			}
		}
	}
}
