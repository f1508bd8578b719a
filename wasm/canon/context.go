package canon

import (
	"context"

	"github.com/tetratelabs/wazero/api"
)

// Encoding is how strings are in a guest's memory.
type Encoding uint8

// The encodings. Zero is UTF-8.
const (
	UTF8 Encoding = iota
	UTF16
	Latin1OrUTF16 // Latin-1 if that is enough, else UTF-16: each string says which
)

// Options are the canonical options of one lifted or lowered function.
type Options struct {
	Memory   api.Memory   // nil: values that need memory trap
	Realloc  api.Function // nil: values that need space trap
	Encoding Encoding
}

// Instance is the canonical ABI's state of one component instance: its handles
// and whether it may be entered and left. The zero value is ready. It belongs
// to whoever runs the guest, one goroutine at a time.
type Instance struct {
	table   table
	inside  bool      // a call is running: the guest may not be entered
	stay    bool      // realloc or post-return is running: the guest may not leave
	lent    []uint32  // handles lent by running calls, innermost last
	scopes  []uint32  // borrows not yet dropped by the guest, per running export call
	lifted  uint64    // bytes of lists and strings lifted in this call
	scratch [4]uint64 // arguments of realloc, which does not nest
	failed  error     // a guest's failure in realloc, on its way up as a panic
}

// Context is what the canonical ABI needs to know of a guest to move values in
// and out of it. It travels in the call's context.Context. A view of it with
// other options shares the instance; a Context is used by one goroutine at a
// time.
type Context struct {
	Host any // the embedder's data of this instance

	opts Options
	inst *Instance
}

// NewContext returns a Context of inst, which is made if nil.
func NewContext(host any, inst *Instance, opts Options) *Context {
	if inst == nil {
		inst = new(Instance)
	}
	return &Context{Host: host, inst: inst, opts: opts}
}

// Attach takes memory and cabi_realloc from a core module that carries its
// lowered imports and lifted exports itself. It must be called before the
// module runs anything that passes more than scalars.
func (cx *Context) Attach(m api.Module) {
	cx.opts = Options{Memory: m.Memory(), Realloc: m.ExportedFunction("cabi_realloc")}
}

// With returns a view of cx with other options.
func (cx *Context) With(o Options) *Context {
	return &Context{Host: cx.Host, inst: cx.Instance(), opts: o}
}

// Instance returns the state that cx shares with its views.
func (cx *Context) Instance() *Instance {
	if cx.inst == nil {
		cx.inst = new(Instance)
	}
	return cx.inst
}

type contextKey struct{}

// callContext carries cx: one type assertion finds it when it is outermost.
type callContext struct {
	context.Context
	cx *Context
}

func (c *callContext) Value(key any) any {
	if key == (contextKey{}) {
		return c.cx
	}
	return c.Context.Value(key)
}

// WithContext returns a context that carries cx to host functions.
func WithContext(ctx context.Context, cx *Context) context.Context {
	return &callContext{ctx, cx}
}

// FromContext returns the Context that ctx carries, or nil.
func FromContext(ctx context.Context) *Context {
	if c, ok := ctx.(*callContext); ok {
		return c.cx
	}
	cx, _ := ctx.Value(contextKey{}).(*Context)
	return cx
}

// HostFunc is a host function as guests import it.
type HostFunc struct {
	Name            string
	Type            FuncType
	Params, Results []api.ValueType // of the core function
	Call            func(ctx context.Context, cx *Context, stack []uint64)

	bind func(name string, guest FuncType) (HostFunc, error)
}

// Interface is a named set of host functions, such as "astrid:fs/host@1.0.0".
type Interface struct {
	Name  string
	Funcs []HostFunc
}
