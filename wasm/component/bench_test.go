package component_test

import (
	"context"
	"os"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/astrid-go/astrid/wasm/canon"
	"github.com/astrid-go/astrid/wasm/component"
)

// shapesOfCalls is a component whose exports call host functions of the same
// shape.
const shapesOfCalls = `(component
	(import "add" (func $add (param "a" u32) (param "b" u32) (result u32)))
	(import "echo" (func $echo (param "b" (list u8)) (result (list u8))))
	(core module $libc (memory (export "mem") 8)
		(func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 131072))
	(core instance $libc (instantiate $libc))
	(alias core export $libc "mem" (core memory $mem)) (alias core export $libc "realloc" (core func $realloc))
	(core module $shim (table (export "t") 2 funcref)
		(type $add (func (param i32 i32) (result i32))) (type $echo (func (param i32 i32 i32)))
		(func (export "add") (param i32 i32) (result i32) (call_indirect (type $add) (local.get 0) (local.get 1) (i32.const 0)))
		(func (export "echo") (param i32 i32 i32) (call_indirect (type $echo) (local.get 0) (local.get 1) (local.get 2) (i32.const 1))))
	(core instance $shim (instantiate $shim))
	(core module $main (import "h" "add" (func $add (param i32 i32) (result i32))) (import "h" "echo" (func $echo (param i32 i32 i32)))
		(func (export "add") (param i32 i32) (result i32) (call $add (local.get 0) (local.get 1)))
		(func (export "calls") (param i32) (loop $l (drop (call $add (i32.const 1) (i32.const 2)))
			(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
		(func (export "echo") (param i32 i32) (result i32) (call $echo (local.get 0) (local.get 1) (i32.const 16)) i32.const 16))
	(core instance $main (instantiate $main (with "h" (instance $shim))))
	(core func $ladd (canon lower (func $add)))
	(core func $lecho (canon lower (func $echo) (memory $mem) (realloc $realloc)))
	(core module $fix (import "" "t" (table 2 funcref)) (import "" "add" (func $a (param i32 i32) (result i32)))
		(import "" "echo" (func $e (param i32 i32 i32))) (elem (i32.const 0) $a $e))
	(core instance (instantiate $fix (with "" (instance (export "t" (table $shim "t")) (export "add" (func $ladd)) (export "echo" (func $lecho))))))
	(func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $main "add")))
	(func (export "calls") (param "n" u32) (canon lift (core func $main "calls")))
	(func (export "echo") (param "b" (list u8)) (result (list u8))
		(canon lift (core func $main "echo") (memory $mem) (realloc $realloc))))`

func callHost() component.Host {
	return component.Host{Interfaces: []canon.Interface{{Funcs: []canon.HostFunc{
		canon.Func2("add", func(_ context.Context, a, b uint32) uint32 { return a + b }),
		canon.Func1("echo", func(_ context.Context, b []byte) []byte { return b }),
	}}}}
}

func BenchmarkDecode(b *testing.B) {
	code := assemble(b, shapesOfCalls)[0]
	b.SetBytes(int64(len(code)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := component.Decode(code, component.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeLarge decodes a component of a toolchain, named by the
// environment: ASTRID_BENCH_COMPONENT.
func BenchmarkDecodeLarge(b *testing.B) {
	code, err := os.ReadFile(os.Getenv("ASTRID_BENCH_COMPONENT"))
	if err != nil {
		b.Skip("ASTRID_BENCH_COMPONENT names no component")
	}
	b.SetBytes(int64(len(code)))
	for b.Loop() {
		if _, err := component.Decode(code, component.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInstantiate makes and closes a graph of seven core instances: libc,
// shim, main, fix, a bundle and what the linker adds.
func BenchmarkInstantiate(b *testing.B) {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	c, err := component.Decode(assemble(b, shapesOfCalls)[0], component.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	plan, err := component.NewPlan(ctx, component.NewEngine(r), c)
	if err != nil {
		b.Fatal(err)
	}
	program, err := plan.Link(callHost())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		in, err := program.Instantiate(ctx, component.Config{})
		if err != nil {
			b.Fatal(err)
		}
		if err := in.Close(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCall(b *testing.B) {
	ctx := context.Background()
	in := start(b, assemble(b, shapesOfCalls)[0], callHost())
	function := func(b *testing.B, name string) *component.Func {
		f, err := in.Func(name)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		return f
	}
	b.Run("scalars there and back", func(b *testing.B) {
		f, add := function(b, "add"), canon.NewExport2[uint32, uint32, uint32]("add")
		for b.Loop() {
			if sum, err := add.Call(ctx, f, 1, 2); sum != 3 || err != nil {
				b.Fatal(sum, err)
			}
		}
	})
	b.Run("scalars, dynamic", func(b *testing.B) {
		f := function(b, "add")
		for b.Loop() {
			if _, err := f.Call(ctx, canon.Value{Bits: 1}, canon.Value{Bits: 2}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("host call of scalars", func(b *testing.B) {
		f, calls := function(b, "calls"), canon.NewExportProc1[uint32]("calls")
		const batch = 1000
		b.ResetTimer()
		for b.Loop() {
			if err := calls.Call(ctx, f, batch); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/hostcall")
	})
	b.Run("list of 64 KB there and back", func(b *testing.B) {
		f, echo := function(b, "echo"), canon.NewExport1[[]byte, []byte]("echo")
		data := make([]byte, 64<<10)
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if got, err := echo.Call(ctx, f, data); len(got) != len(data) || err != nil {
				b.Fatal(len(got), err)
			}
		}
	})
}
