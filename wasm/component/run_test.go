package component_test

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/astrid-go/astrid/wasm/canon"
	"github.com/astrid-go/astrid/wasm/component"
)

// start runs a component on a runtime of its own.
func start(tb testing.TB, wasm []byte, host component.Host) *component.Instance {
	tb.Helper()
	in, err := tryStart(tb, wasm, host)
	if err != nil {
		tb.Fatal(err)
	}
	return in
}

func tryStart(tb testing.TB, wasm []byte, host component.Host) (*component.Instance, error) {
	tb.Helper()
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	tb.Cleanup(func() { r.Close(ctx) })
	c, err := component.Decode(wasm, component.Limits{})
	if err != nil {
		return nil, err
	}
	plan, err := component.NewPlan(ctx, component.NewEngine(r), c)
	if err != nil {
		return nil, err
	}
	program, err := plan.Link(host)
	if err != nil {
		return nil, err
	}
	in, err := program.Instantiate(ctx, component.Config{})
	if err == nil {
		tb.Cleanup(func() {
			if err := in.Close(ctx); err != nil {
				tb.Error(err)
			}
		})
	}
	return in, err
}

// call calls an exported function with numbers, and returns its number.
func call(tb testing.TB, in *component.Instance, name string, args ...uint64) uint64 {
	tb.Helper()
	v, err := tryCall(tb, in, name, args...)
	if err != nil {
		tb.Fatalf("call %s: %v", name, err)
	}
	return v.Bits
}

func tryCall(tb testing.TB, in *component.Instance, name string, args ...uint64) (canon.Value, error) {
	tb.Helper()
	f, err := in.Func(name)
	if err != nil {
		return canon.Value{}, err
	}
	values := make([]canon.Value, len(args))
	for i, a := range args {
		values[i].Bits = a
	}
	return f.Call(context.Background(), values...)
}
