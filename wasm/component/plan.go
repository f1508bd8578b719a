package component

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"

	"github.com/tetratelabs/wazero"

	"github.com/astrid-go/astrid/wasm/canon"
)

// Plan is a component whose core modules are compiled. It is immutable, may be
// linked and instantiated from many goroutines, and lives as long as its
// engine.
type Plan struct {
	engine    Engine
	component *Component
	host      string // the module that has the component's sites
	modules   map[*module]wazero.CompiledModule
	bundles   map[*coreBundleDef]wazero.CompiledModule
	called    map[*Component]wazero.CompiledModule // exports the sites that are called from here
}

// ErrModule says that a core module inside a component is not valid, or uses
// what the engine does not support.
var ErrModule = errors.New("core module is not valid")

// NewPlan compiles the core modules of c, the same ones once. The error wraps
// ErrModule, or is one of the engine.
func NewPlan(ctx context.Context, e Engine, c *Component) (*Plan, error) {
	p := &Plan{
		engine:    e,
		component: c,
		modules:   map[*module]wazero.CompiledModule{},
		bundles:   map[*coreBundleDef]wazero.CompiledModule{},
		called:    map[*Component]wazero.CompiledModule{},
	}
	var err error
	if p.host, err = e.RegisterHost(ctx, canon.Interface{Name: "component", Funcs: siteFuncs(c, nil)}); err != nil {
		return nil, fmt.Errorf("plan component: %w", err)
	}
	if err := p.compileAll(ctx, c, map[string]wazero.CompiledModule{}); err != nil {
		return nil, fmt.Errorf("plan component: %w", err)
	}
	return p, nil
}

// Component returns what p is the plan of.
func (p *Plan) Component() *Component { return p.component }

// siteFuncs collects the core functions that c and the components in it are
// given. Which instance calls one, its context says.
func siteFuncs(c *Component, funcs []canon.HostFunc) []canon.HostFunc {
	for _, s := range c.sites {
		funcs = append(funcs, s.hostFunc())
	}
	for _, d := range c.defs {
		if d, ok := d.(*componentDef); ok {
			funcs = siteFuncs(d.component, funcs)
		}
	}
	return funcs
}

// compileAll compiles what c and the components in it instantiate. same finds
// modules with the same bytes.
func (p *Plan) compileAll(ctx context.Context, c *Component, same map[string]wazero.CompiledModule) error {
	var called []bundleItem
	for _, s := range c.sites {
		if s.called {
			called = append(called, bundleItem{s.export(), coreItem{sort: coreFunc, sig: &s.sig}, coreSource{site: s}})
		}
	}
	if len(called) > 0 {
		code, err := p.compile(ctx, encodeBundle(called, p.host))
		if err != nil {
			return err
		}
		p.called[c] = code
	}
	for i, d := range c.defs {
		if err := p.compileDef(ctx, d, same); err != nil {
			return fmt.Errorf("definition %d: %w", i, err)
		}
	}
	return nil
}

func (p *Plan) compileDef(ctx context.Context, d def, same map[string]wazero.CompiledModule) (err error) {
	switch d := d.(type) {
	case *componentDef:
		return p.compileAll(ctx, d.component, same)
	case *moduleDef:
		code, known := same[string(d.module.code)]
		if !known {
			if code, err = p.compile(ctx, renameImports(d.module.code)); err != nil {
				return err
			}
			same[string(d.module.code)] = code
		}
		p.modules[d.module] = code
	case *coreBundleDef:
		p.bundles[d], err = p.compile(ctx, encodeBundle(d.items, p.host))
	}
	return err
}

// compile turns a panic of the compiler, which hostile input should not cause
// but might, into an error.
func (p *Plan) compile(ctx context.Context, code []byte) (c wazero.CompiledModule, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: the compiler failed: %v\n%s", ErrModule, r, debug.Stack())
		}
	}()
	if c, err = p.engine.CompileModule(ctx, code); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModule, err)
	}
	return c, nil
}

// site is a core function that a component is given: a lowered function or a
// canonical built-in.
type site struct {
	number int // in the whole component
	local  int // in its own component
	sig    signature
	def    siteDef
	called bool // from here, not only from guests
}

// siteDef makes the function of a site for one instance.
type siteDef interface {
	bind(f *frame) (coreCall, error)
}

// coreCall is the body of a core function: its parameters, and afterwards its
// results, are on the stack.
type coreCall func(ctx context.Context, stack []uint64)

func (s *site) export() string { return strconv.Itoa(s.number) }

func (s *site) hostFunc() canon.HostFunc {
	return canon.HostFunc{
		Name: s.export(), Params: s.sig.params, Results: s.sig.results,
		Call: func(ctx context.Context, _ *canon.Context, stack []uint64) {
			frameOf(ctx).sites[s.local](ctx, stack)
		},
	}
}
