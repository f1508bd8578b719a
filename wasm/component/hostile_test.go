package component_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/astrid-go/astrid/wasm"
	"github.com/astrid-go/astrid/wasm/canon"
	"github.com/astrid-go/astrid/wasm/component"
)

// sandboxed runs a component under the meter, with a megabyte of memory.
func sandboxed(t *testing.T, engine *wasm.Engine, code []byte) (*component.Instance, error) {
	t.Helper()
	ctx := context.Background()
	c, err := component.Decode(code, component.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := component.NewPlan(ctx, engine, c)
	if err != nil {
		t.Fatal(err)
	}
	program, err := plan.Link(component.Host{Dynamic: []component.Dynamic{{Name: "host",
		Call: func(context.Context, []canon.Value) (canon.Value, error) { return canon.Value{Ref: "text"}, nil }}}})
	if err != nil {
		t.Fatal(err)
	}
	pool := wasm.NewPool(1 << 20)
	t.Cleanup(func() {
		if err := pool.Release(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	in, err := program.Instantiate(ctx, component.Config{Sandbox: &wasm.Sandbox{Pool: pool}})
	if err == nil {
		t.Cleanup(func() {
			if err := in.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	return in, err
}

// text is a component whose run takes and returns a string, and whose host
// gives it one. The parts are code of a core module.
func text(realloc, run, post string) string {
	return `(component
		(import "host" (func $h (result string)))
		(core module $shim (table (export "t") 1 funcref) (type $f (func (param i32)))
			(func (export "host") (param i32) (call_indirect (type $f) (local.get 0) (i32.const 0))))
		(core instance $shim (instantiate $shim))
		(core module $m (import "" "host" (func $host (param i32)))
			(memory (export "mem") 1) (global $top (mut i32) (i32.const 1024))
			(func $forever (param i32) (result i32) (call $forever (call $forever (local.get 0))))
			(func (export "realloc") (param i32 i32 i32 i32) (result i32) ` + realloc + `)
			(func (export "run") (param i32 i32) (result i32) ` + run + `)
			(func (export "post") (param i32) ` + post + `))
		(core instance $m (instantiate $m (with "" (instance $shim))))
		(alias core export $m "mem" (core memory $mem)) (alias core export $m "realloc" (core func $realloc))
		(core func $lowered (canon lower (func $h) (memory $mem) (realloc $realloc)))
		(core module $fix (import "" "t" (table 1 funcref)) (import "" "f" (func $f (param i32))) (elem (i32.const 0) $f))
		(core instance (instantiate $fix (with "" (instance (export "t" (table $shim "t")) (export "f" (func $lowered))))))
		(func (export "run") (param "s" string) (result string)
			(canon lift (core func $m "run") (memory $mem) (realloc $realloc) (post-return (core func $m "post")))))`
}

const (
	goodRealloc = `i32.const 1024`
	goodRun     = `(i32.store (i32.const 8) (local.get 0)) (i32.store (i32.const 12) (local.get 1)) i32.const 8`
)

func TestHostileGuests(t *testing.T) {
	cases := []struct {
		name, realloc, run, post string
		kind                     wasm.FaultKind // empty: nothing is wrong
		detail                   string
	}{
		{"a good one", goodRealloc, goodRun, "", "", ""},
		{"a good one that calls the host", goodRealloc, `(call $host (i32.const 16)) i32.const 16`, "", "", ""},
		{"traps", goodRealloc, "unreachable", "", wasm.FaultTrap, "unreachable"},
		{"loops", goodRealloc, "(loop (br 0)) unreachable", "", wasm.FaultDeadline, ""},
		{"recurses", goodRealloc, "(call $forever (i32.const 1))", "", wasm.FaultStack, ""},
		{"loops in realloc", "(loop (br 0)) unreachable", goodRun, "", wasm.FaultDeadline, ""},
		{"traps in realloc", "unreachable", goodRun, "", wasm.FaultTrap, "unreachable"},
		{"loops in post-return", goodRealloc, goodRun, "(loop (br 0))", wasm.FaultDeadline, ""},
		{"realloc answers beyond the memory", "i32.const -16", goodRun, "", wasm.FaultABI, "out of bounds"},
		{"realloc answers the end of the memory", "i32.const 65536", goodRun, "", wasm.FaultABI, "out of bounds"},
		{"returns an address beyond the memory", goodRealloc, "i32.const -4", "", wasm.FaultABI, "out of bounds"},
		{"returns an address that is not aligned", goodRealloc, "i32.const 9", "", wasm.FaultABI, "unaligned"},
		{"returns a string longer than the memory", goodRealloc,
			`(i32.store (i32.const 8) (i32.const 0)) (i32.store (i32.const 12) (i32.const 0x7fffffff)) i32.const 8`, "", wasm.FaultABI, ""},
		{"returns a string that is not UTF-8", goodRealloc,
			`(i32.store (i32.const 0) (i32.const 0xff)) (i32.store (i32.const 8) (i32.const 0)) (i32.store (i32.const 12) (i32.const 1)) i32.const 8`,
			"", wasm.FaultABI, "UTF-8"},
		{"leaves in realloc", "(call $host (i32.const 16)) i32.const 1024", goodRun, "", wasm.FaultABI, "cannot leave"},
		{"leaves in post-return", goodRealloc, goodRun, "(call $host (i32.const 16))", wasm.FaultABI, "cannot leave"},
		{"takes results where no memory is", goodRealloc, "(call $host (i32.const -4)) i32.const 8", "", wasm.FaultABI, "out of bounds"},
	}
	texts := make([]string, len(cases))
	for i, c := range cases {
		texts[i] = text(c.realloc, c.run, c.post)
	}
	engine, err := wasm.NewEngine(context.Background(), wasm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(context.Background())
	binaries := assemble(t, texts...)
	bystander, err := sandboxed(t, engine, binaries[0])
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in, err := sandboxed(t, engine, binaries[i])
			if err != nil {
				t.Fatal(err)
			}
			limit := time.Minute
			if c.kind == wasm.FaultDeadline {
				limit = 100 * time.Millisecond
			}
			checkFault(t, callText(t, in, limit), c.kind, c.detail)
			if c.kind != "" {
				if err := callText(t, in, time.Second); !errors.Is(err, component.ErrDead) {
					t.Fatalf("after the fault: %v, want ErrDead", err)
				}
			}
			if err := callText(t, bystander, time.Minute); err != nil {
				t.Fatalf("another instance: %v", err)
			}
		})
	}
}

func callText(t *testing.T, in *component.Instance, limit time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	f, err := in.Func("run")
	if err != nil {
		return err
	}
	_, err = f.Call(ctx, canon.Value{Ref: "some text"})
	return err
}

func checkFault(t *testing.T, err error, kind wasm.FaultKind, detail string) {
	t.Helper()
	if kind == "" {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	var fault *wasm.GuestFault
	if !errors.As(err, &fault) || fault.Kind != kind || !strings.Contains(fault.Detail, detail) {
		t.Fatalf("error is %v, want a fault of kind %s with %q", err, kind, detail)
	}
}

// Components in components multiply: the number of instances is bounded.
func TestInstancesAreBounded(t *testing.T) {
	code := `(component $c0 (core module $m) (core instance (instantiate $m)))`
	for range 10 {
		code = `(component ` + code + ` (instance (instantiate 0)) (instance (instantiate 0)) (instance (instantiate 0)) (instance (instantiate 0)))`
	}
	if _, err := tryStart(t, assemble(t, code)[0], component.Host{}); err == nil || !strings.Contains(err.Error(), "too many instances") {
		t.Fatalf("error is %v, want too many instances", err)
	}
}

// A core module whose code is not valid is refused before anything runs.
func TestInvalidCodeIsRefused(t *testing.T) {
	_, err := tryStart(t, assemble(t, `(component (core module (func i32.add drop)))`)[0], component.Host{})
	if !errors.Is(err, component.ErrModule) {
		t.Fatalf("error is %v, want ErrModule", err)
	}
}

// A start function that traps leaves nothing behind.
func TestStartFunctionThatTraps(t *testing.T) {
	engine, err := wasm.NewEngine(context.Background(), wasm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(context.Background())
	code := `(component (core module $m (memory 1) (func $s unreachable) (start $s)) (core instance (instantiate $m)))`
	_, err = sandboxed(t, engine, assemble(t, code)[0])
	checkFault(t, err, wasm.FaultTrap, "unreachable")
}
