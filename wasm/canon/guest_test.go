package canon

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// guest is a core module on wazero that has memory, a cabi_realloc which never
// frees, and for each host function an export "call-NAME" that passes its
// arguments on.
type guest struct {
	api.Module
	cx  *Context
	ctx context.Context
}

func (g *guest) Canon() *Context { return g.cx }

// uleb and the like write the few parts of the binary format that guests need.
func uleb(n int) []byte {
	var b []byte
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func vec(items ...[]byte) []byte {
	b := uleb(len(items))
	for _, i := range items {
		b = append(b, i...)
	}
	return b
}

func sized(b []byte) []byte { return append(uleb(len(b)), b...) }

func section(id byte, b []byte) []byte { return append([]byte{id}, sized(b)...) }

func cat(bs ...[]byte) []byte {
	var all []byte
	for _, b := range bs {
		all = append(all, b...)
	}
	return all
}

func funcSig(params, results []api.ValueType) []byte {
	return cat([]byte{0x60}, sized(params), sized(results))
}

// bump is the body of cabi_realloc: it rounds global 0 up to the alignment,
// adds the size, and returns what it was.
var bump = []byte{0,
	0x23, 0, 0x20, 2, 0x6a, 0x41, 1, 0x6b, // g + align - 1
	0x41, 0, 0x20, 2, 0x6b, 0x71, 0x24, 0, // & -align -> g
	0x23, 0, 0x23, 0, 0x20, 3, 0x6a, 0x24, 0, // push g; g += size
	0x0b}

// wasmOf assembles the guest of funcs.
func wasmOf(funcs []HostFunc) []byte {
	alloc := funcSig([]api.ValueType{i32, i32, i32, i32}, []api.ValueType{i32})
	types, imports, decls, bodies := [][]byte{alloc}, [][]byte{}, [][]byte{{0}}, [][]byte{sized(bump)}
	exports := [][]byte{cat(sized([]byte("memory")), []byte{2, 0}),
		cat(sized([]byte("cabi_realloc")), []byte{0}, uleb(len(funcs)))}
	for i, f := range funcs {
		types = append(types, funcSig(f.Params, f.Results))
		imports = append(imports, cat(sized([]byte("host")), sized([]byte(f.Name)), []byte{0}, uleb(i+1)))
		decls = append(decls, uleb(i+1))
		body := []byte{0}
		for p := range f.Params {
			body = cat(body, []byte{0x20}, uleb(p))
		}
		bodies = append(bodies, sized(cat(body, []byte{0x10}, uleb(i), []byte{0x0b})))
		exports = append(exports, cat(sized([]byte("call-"+f.Name)), []byte{0}, uleb(len(funcs)+1+i)))
	}
	return cat([]byte("\x00asm\x01\x00\x00\x00"), section(1, vec(types...)), section(2, vec(imports...)), section(3, vec(decls...)),
		section(5, []byte{1, 0, 16}), section(6, []byte{1, 0x7f, 1, 0x41, 0x80, 0x10, 0x0b}), // 1 MiB; space from 2048 on
		section(7, vec(exports...)), section(10, vec(bodies...)))
}

// start runs a guest of funcs.
func start(t testing.TB, funcs ...HostFunc) *guest {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	t.Cleanup(func() { r.Close(ctx) })
	b := r.NewHostModuleBuilder("host")
	for _, f := range funcs {
		call := f.Call
		b = b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
			call(ctx, FromContext(ctx), stack)
		}), f.Params, f.Results).Export(f.Name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	m, err := r.Instantiate(ctx, wasmOf(funcs))
	if err != nil {
		t.Fatal(err)
	}
	cx := NewContext(nil, nil, Options{})
	cx.Attach(m)
	return &guest{m, cx, WithContext(ctx, cx)}
}

// put writes b into the guest and returns where.
func (g *guest) put(b []byte) uint32 { return g.cx.storeBytes(g.ctx, b, 8) }

// encoded returns a view of g's context with another encoding.
func (g *guest) encoded(e Encoding) *Context {
	o := g.cx.opts
	o.Encoding = e
	return g.cx.With(o)
}

// trapped returns the reason of the trap that do panics with, or "".
func trapped(do func()) (reason string) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Trap:
			reason = r.Reason
		default:
			panic(r)
		}
	}()
	do()
	return ""
}
