package component

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/astrid-go/astrid/wasm/canon"
)

// Func is an exported function of an Instance. It is a canon.Callee, so that a
// typed export of package canon, whose name is the last part of the function's
// path, can be called on it.
type Func struct {
	instance *Instance
	name     string
	fn       *function
}

// Func returns an exported function by its path: its name, or that of an
// exported instance and its name in there. An interface's name finds the
// version asked for, or a later one that is compatible.
func (in *Instance) Func(path ...string) (*Func, error) {
	exports, err := in.live()
	if err != nil {
		return nil, err
	}
	if len(path) == 0 {
		return nil, ErrNoExport
	}
	var v value = exports
	for _, name := range path {
		i, ok := v.(*instanceValue)
		if !ok {
			return nil, fmt.Errorf("%s: %w", quote(strings.Join(path, " ")), ErrNoExport)
		}
		v = i.find(name)
	}
	fn, ok := v.(*function)
	if !ok {
		return nil, fmt.Errorf("%s: %w", quote(strings.Join(path, " ")), ErrNoExport)
	}
	return &Func{in, path[len(path)-1], fn}, nil
}

// find returns an export, of the version asked for or the best one.
func (i *instanceValue) find(name string) value {
	if v, ok := i.exports[name]; ok {
		return v
	}
	best := ""
	for offered := range i.exports {
		if satisfies(offered, name) && (best == "" || better(offered, best, name)) {
			best = offered
		}
	}
	return i.exports[best]
}

// Exports returns the paths of all exported functions, sorted, with the parts
// separated by a space.
func (in *Instance) Exports() []string {
	exports, err := in.live()
	if err != nil {
		return nil
	}
	paths := exports.paths("", nil)
	slices.Sort(paths)
	return paths
}

func (i *instanceValue) paths(prefix string, paths []string) []string {
	for name, v := range i.exports {
		switch v := v.(type) {
		case *function:
			paths = append(paths, prefix+name)
		case *instanceValue:
			paths = v.paths(prefix+name+" ", paths)
		}
	}
	return paths
}

// Type returns the function's type. That of a host function which the
// component exports again is not known.
func (f *Func) Type() canon.FuncType {
	if f.fn.lift == nil {
		return canon.FuncType{}
	}
	return f.fn.lift.typ
}

// Call calls the function with dynamic values, which must be of its parameters'
// types. The result is the zero Value if there is none.
func (f *Func) Call(ctx context.Context, args ...canon.Value) (result canon.Value, err error) {
	if f.fn.lift != nil && len(args) != len(f.fn.lift.typ.Params) {
		return canon.Value{}, fmt.Errorf("call %s: %d arguments, it takes %d", f.name, len(args), len(f.fn.lift.typ.Params))
	}
	err = f.instance.run(ctx, f.name, func(ctx context.Context) (err error) {
		result, err = f.fn.guarded(ctx, args)
		return err
	})
	return result, err
}

// ExportedFunction implements canon.Callee.
func (f *Func) ExportedFunction(name string) api.Function {
	l := f.fn.lift
	if l == nil || l.ready() != nil {
		return nil
	}
	switch name {
	case f.name:
		return l.core
	case "cabi_post_" + f.name:
		return l.post
	}
	return nil
}

// Canon implements canon.Callee.
func (f *Func) Canon() *canon.Context {
	if l := f.fn.lift; l != nil && l.ready() == nil {
		return l.view
	}
	return new(canon.Context)
}

// Run implements canon.Runner.
func (f *Func) Run(ctx context.Context, export string, do func(context.Context) error) error {
	return f.instance.run(ctx, export, func(ctx context.Context) error {
		if f.fn.lift != nil {
			ctx = &frameContext{ctx, f.fn.lift.frame}
		}
		return do(ctx)
	})
}
