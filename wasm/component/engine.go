package component

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/astrid-go/astrid/wasm/canon"
)

// Engine compiles core modules and has the runtime that they run on. Its
// methods may be called from many goroutines.
type Engine interface {
	// CompileModule compiles a core module, which belongs to the engine. It
	// may rewrite it, if its imports and exports stay.
	CompileModule(ctx context.Context, wasm []byte) (wazero.CompiledModule, error)

	// RegisterHost makes functions available to modules and returns the name
	// of the module to import them from.
	RegisterHost(ctx context.Context, funcs canon.Interface) (module string, err error)

	// Runtime returns the runtime that modules are instantiated on.
	Runtime() wazero.Runtime
}

// NewEngine returns an Engine that runs guests on r as they are: nothing
// stops one that does not end, save what r is configured with. What it makes
// lives as long as r.
func NewEngine(r wazero.Runtime) Engine { return &plainEngine{runtime: r} }

type plainEngine struct {
	runtime wazero.Runtime
	hosts   atomic.Uint64
}

func (e *plainEngine) Runtime() wazero.Runtime { return e.runtime }

func (e *plainEngine) CompileModule(ctx context.Context, wasm []byte) (wazero.CompiledModule, error) {
	return e.runtime.CompileModule(ctx, wasm)
}

func (e *plainEngine) RegisterHost(ctx context.Context, funcs canon.Interface) (string, error) {
	name := funcs.Name + "#" + strconv.FormatUint(e.hosts.Add(1), 10)
	b := e.runtime.NewHostModuleBuilder(name)
	for _, f := range funcs.Funcs {
		call := api.GoFunc(func(ctx context.Context, stack []uint64) { f.Call(ctx, canon.FromContext(ctx), stack) })
		b = b.NewFunctionBuilder().WithGoFunction(call, f.Params, f.Results).Export(f.Name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return "", fmt.Errorf("register %s: %w", funcs.Name, err)
	}
	return name, nil
}

// Sandbox is what guards an instance: it prepares the context in which guests
// are instantiated and called, and judges what a call ended with.
type Sandbox interface {
	Enter(ctx context.Context) context.Context
	Judge(export string, err error) error
}

// noSandbox is the Sandbox of those who give none.
type noSandbox struct{}

func (noSandbox) Enter(ctx context.Context) context.Context { return ctx }
func (noSandbox) Judge(_ string, err error) error           { return err }
