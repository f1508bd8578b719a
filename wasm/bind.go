package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/astrid-go/astrid/wasm/canon"
	"github.com/astrid-go/astrid/wasm/meter"
)

// maxMissing bounds how many missing imports an error lists.
const maxMissing = 20

// hostModule is an interface as it is registered on the runtime.
type hostModule struct {
	name  string           // on the runtime; unlike the interface's if another has taken it
	funcs []canon.HostFunc // identity: the embedder's own slice
}

func (h hostModule) is(iface canon.Interface) bool {
	return len(h.funcs) == len(iface.Funcs) && (len(h.funcs) == 0 || &h.funcs[0] == &iface.Funcs[0])
}

// binding says which host module stands for each module a guest imports from.
type binding struct{ names map[string]string }

func (b binding) rename(module string) string {
	if name, ok := b.names[module]; ok {
		return name
	}
	return module
}

// key tells bindings apart whose modules differ.
func (b binding) key() string {
	var parts []string
	for from, to := range b.names {
		if from != to {
			parts = append(parts, strconv.Quote(from)+"="+strconv.Quote(to))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// bind checks all imports of wasm and registers the interfaces it uses. The
// error lists what is missing or does not fit.
func (e *Engine) bind(ctx context.Context, wasm []byte, ifaces []canon.Interface) (binding, error) {
	info, err := meter.Inspect(wasm)
	if err != nil {
		return binding{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	offered := make(map[string]canon.Interface, len(ifaces))
	for _, iface := range ifaces {
		if _, twice := offered[iface.Name]; twice || reserved(iface.Name) {
			return binding{}, fmt.Errorf("interface %q is given twice or is the engine's own", iface.Name)
		}
		offered[iface.Name] = iface
	}
	b := binding{names: map[string]string{}}
	var missing []string
	for _, imp := range info.Imports {
		if problem := check(imp, offered); problem != "" {
			missing = append(missing, problem)
			continue
		}
		if iface, ok := offered[imp.Module]; ok && b.names[imp.Module] == "" {
			if b.names[imp.Module], err = e.register(ctx, iface); err != nil {
				return binding{}, err
			}
		}
	}
	if len(missing) > 0 {
		return binding{}, fmt.Errorf("%w: %s", ErrImports, list(missing))
	}
	return b, nil
}

func reserved(name string) bool { return name == meter.Module || name == wasiModule || name == "" }

func list(problems []string) string {
	if more := len(problems) - maxMissing; more > 0 {
		problems = append(problems[:maxMissing:maxMissing], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(problems, "; ")
}

// check says what keeps an import from being satisfied, or nothing.
func check(imp meter.Import, offered map[string]canon.Interface) string {
	if imp.Kind != meter.Func {
		return fmt.Sprintf("%s %q %q: only functions can be imported", imp.Kind, imp.Module, imp.Name)
	}
	iface, known := offered[imp.Module]
	if !known && imp.Module != wasiModule {
		return fmt.Sprintf("func %q %q: there is no such interface", imp.Module, imp.Name)
	}
	params, results, ok := wasiSignature(imp.Name)
	if imp.Module != wasiModule {
		params, results, ok = find(iface.Funcs, imp.Name)
	}
	switch {
	case !ok:
		return fmt.Sprintf("func %q %q: the interface has no such function", imp.Module, imp.Name)
	case !bytes.Equal(params, imp.Params) || !bytes.Equal(results, imp.Results):
		return fmt.Sprintf("func %q %q: imported as %s, offered as %s", imp.Module, imp.Name,
			signature(imp.Params, imp.Results), signature(params, results))
	}
	return ""
}

func find(funcs []canon.HostFunc, name string) (params, results []api.ValueType, ok bool) {
	for _, f := range funcs {
		if f.Name == name {
			return f.Params, f.Results, true
		}
	}
	return nil, nil, false
}

func signature(params, results []api.ValueType) string {
	names := func(types []api.ValueType) string {
		var s []string
		for _, t := range types {
			s = append(s, api.ValueTypeName(t))
		}
		return "(" + strings.Join(s, " ") + ")"
	}
	return names(params) + " -> " + names(results)
}

// register puts iface on the runtime, unless it is there, and returns the name
// it has there. A second interface of the same name gets a name of its own.
func (e *Engine) register(ctx context.Context, iface canon.Interface) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return "", ErrClosed
	}
	same := e.hosts[iface.Name]
	for _, h := range same {
		if h.is(iface) {
			return h.name, nil
		}
	}
	if len(same) == maxHostModules {
		return "", fmt.Errorf("interface %s is registered %d times; keep one", iface.Name, maxHostModules)
	}
	h := hostModule{name: iface.Name, funcs: iface.Funcs}
	if len(same) > 0 {
		h.name += "#" + strconv.Itoa(len(same)+1)
	}
	if err := e.instantiateHost(ctx, h); err != nil {
		return "", fmt.Errorf("register interface %s: %w", iface.Name, err)
	}
	e.hosts[iface.Name] = append(same, h)
	return h.name, nil
}

// RegisterHost makes iface available to modules compiled with CompileCore and
// returns the name to import it from.
func (e *Engine) RegisterHost(ctx context.Context, iface canon.Interface) (string, error) {
	if reserved(iface.Name) {
		return "", fmt.Errorf("interface %q is the engine's own", iface.Name)
	}
	return e.register(ctx, iface)
}

func (e *Engine) instantiateHost(ctx context.Context, h hostModule) error {
	b := e.runtime.NewHostModuleBuilder(h.name)
	for _, f := range h.funcs {
		if f.Call == nil {
			return fmt.Errorf("function %s has no body", f.Name)
		}
		b = b.NewFunctionBuilder().WithGoFunction(hostCall(f.Call), f.Params, f.Results).Export(f.Name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// registerOwn registers the meter and WASI.
func (e *Engine) registerOwn(ctx context.Context) error {
	i64 := []api.ValueType{api.ValueTypeI64}
	_, err := e.runtime.NewHostModuleBuilder(meter.Module).NewFunctionBuilder().
		WithGoFunction(api.GoFunc(refill), i64, i64).Export(meter.Refill).Instantiate(ctx)
	if err != nil {
		return fmt.Errorf("register the meter: %w", err)
	}
	b := e.runtime.NewHostModuleBuilder(wasiModule)
	for _, f := range wasiTable {
		b = b.NewFunctionBuilder().WithGoModuleFunction(f.goFunc(), f.params, f.results).Export(f.name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("register WASI: %w", err)
	}
	return nil
}

// hostCall wraps a host function: it is not entered when the call is over, and
// its panics are told apart from the guest's faults.
func hostCall(call func(context.Context, *canon.Context, []uint64)) api.GoFunc {
	return func(ctx context.Context, stack []uint64) {
		defer notePanic(ctx)
		if ctx.Err() != nil {
			panic(stopped(ctx))
		}
		call(ctx, canon.FromContext(ctx), stack)
	}
}

// notePanic classifies a panic of a host function on its way up through the
// guest. The first one counts.
func notePanic(ctx context.Context) {
	r := recover()
	if r == nil {
		return
	}
	s, ok := ctx.Value(sandboxKey{}).(*Sandbox)
	if !ok || s.fault != nil {
		panic(r)
	}
	err, _ := r.(error)
	var trap *canon.Trap
	var fault *GuestFault
	switch {
	case errors.As(err, &fault):
		s.fault = fault
	case errors.As(err, &trap):
		s.fault = &GuestFault{Kind: FaultABI, Detail: trap.Error(), Err: trap}
	case isWasmError(err):
		// The guest's own trap, in a call that the host function made back.
	default:
		s.fault = fmt.Errorf("host function panicked: %v\n%s", r, debug.Stack())
	}
	panic(r)
}
