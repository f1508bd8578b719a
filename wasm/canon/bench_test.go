package canon

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero/api"
)

// The benchmarks are calls from a guest to the host, by shape of signature.

type ten struct {
	A, B, C, D, E uint32
	F, G, H       uint64
	I, J          bool
}

func benchmark(b *testing.B, f HostFunc, args func(g *guest) []uint64) {
	g := start(b, f)
	call, in := g.ExportedFunction("call-"+f.Name), args(g)
	stack := make([]uint64, max(len(in), 1))
	b.ReportAllocs()
	for b.Loop() {
		copy(stack, in)
		if err := call.CallWithStack(g.ctx, stack); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScalars(b *testing.B) {
	benchmark(b, Func2("f", func(_ context.Context, x uint32, y uint64) uint64 { return uint64(x) + y }),
		func(*guest) []uint64 { return []uint64{1, 2} })
}

func BenchmarkString64(b *testing.B) {
	benchmark(b, Proc1("f", func(context.Context, string) {}), func(g *guest) []uint64 {
		return []uint64{uint64(g.put([]byte(strings.Repeat("x", 64)))), 64}
	})
}

func BenchmarkList64K(b *testing.B) {
	benchmark(b, Proc1("f", func(context.Context, []byte) {}), func(g *guest) []uint64 {
		return []uint64{uint64(g.put(bytes.Repeat([]byte{1}, 1<<16))), 1 << 16}
	})
}

func BenchmarkRecordOfTen(b *testing.B) {
	benchmark(b, Proc1("f", func(context.Context, ten) {}), func(*guest) []uint64 { return make([]uint64, 10) })
}

func BenchmarkResourceMethod(b *testing.B) {
	benchmark(b, Func2("f", func(_ context.Context, f Borrow[*file], n uint32) uint32 { return n }), func(g *guest) []uint64 {
		return []uint64{uint64(g.cx.Instance().lowerOwn(&Resource{Type: ResourceOf[*file](), Obj: &file{}})), 1}
	})
}

func BenchmarkExportScalar(b *testing.B) {
	g := start(b, Func1("f", func(_ context.Context, x uint32) uint32 { return x }))
	c := &cachedCallee{g, g.ExportedFunction("call-f")}
	e := NewExport1[uint32, uint32]("call-f")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Call(g.ctx, c, 1); err != nil {
			b.Fatal(err)
		}
	}
}

// cachedCallee keeps its function, as an engine should: wazero gives each a
// stack of its own.
type cachedCallee struct {
	*guest
	f api.Function
}

func (c *cachedCallee) ExportedFunction(name string) api.Function {
	if name == "call-f" {
		return c.f
	}
	return nil
}
