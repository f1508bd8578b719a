package wasm_test

import (
	"context"
	"testing"

	"github.com/astrid-go/astrid/wasm"
	"github.com/astrid-go/astrid/wasm/canon"
)

func BenchmarkCompileCold(b *testing.B) {
	code := buildGo(b, goGuest)
	b.SetBytes(int64(len(code)))
	for b.Loop() {
		e := open(b, wasm.Config{})
		if _, err := e.Compile(context.Background(), code, nil); err != nil {
			b.Fatal(err)
		}
		_ = e.Close(context.Background())
	}
}

func BenchmarkCompileWarm(b *testing.B) {
	code := buildGo(b, goGuest)
	dir := b.TempDir()
	b.SetBytes(int64(len(code)))
	turn := func() {
		e := open(b, wasm.Config{CacheDir: dir})
		if _, err := e.Compile(context.Background(), code, nil); err != nil {
			b.Fatal(err)
		}
		_ = e.Close(context.Background())
	}
	turn()
	for b.Loop() {
		turn()
	}
}

func BenchmarkInstantiate(b *testing.B) {
	e := open(b, wasm.Config{})
	for name, code := range map[string][]byte{"small": villain.encode(), "go": buildGo(b, goGuest)} {
		m, err := e.Compile(context.Background(), code, hosts())
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				i, err := m.Instantiate(context.Background(), wasm.InstanceConfig{})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(i.Memory()), "memory-B")
				_ = i.Close(context.Background())
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "instances/s")
		})
	}
}

func BenchmarkCall(b *testing.B) {
	i := start(b, compile(b, open(b, wasm.Config{}), villain), wasm.InstanceConfig{})
	stack := make([]uint64, 2)
	b.ReportAllocs()
	for b.Loop() {
		if err := i.CallRaw(context.Background(), "add", stack); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHostCall times a thousand calls of a host function from the guest.
func BenchmarkHostCall(b *testing.B) {
	host := []canon.HostFunc{{Name: "f", Params: []byte{i32}, Results: []byte{i32},
		Call: func(_ context.Context, _ *canon.Context, stack []uint64) { stack[0]-- }}}
	g := guest{
		imports: []imported{{"test:host/calls", "f", []byte{i32}, []byte{i32}}},
		funcs: []function{{export: "run", params: []byte{i32}, code: []byte{ // until f(n) is zero
			0x03, 0x40, 0x20, 0, 0x10, 0, 0x22, 0, 0x0d, 0, 0x0b}}},
	}
	m, err := open(b, wasm.Config{}).Compile(context.Background(), g.encode(), []canon.Interface{{Name: "test:host/calls", Funcs: host}})
	if err != nil {
		b.Fatal(err)
	}
	i := start(b, m, wasm.InstanceConfig{})
	stack := make([]uint64, 1)
	b.ReportAllocs()
	for b.Loop() {
		stack[0] = 1000
		if err := i.CallRaw(context.Background(), "run", stack); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/host-call")
}
