package component_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/astrid-go/astrid/wasm/canon"
	"github.com/astrid-go/astrid/wasm/component"
)

// counter is a host resource.
type counter struct {
	n       uint32
	dropped *int
}

func (*counter) WITResource() string        { return "counter" }
func (c *counter) Drop(ctx context.Context) { *c.dropped++ }

func counters(name string, dropped *int) canon.Interface {
	return canon.Interface{Name: name, Funcs: []canon.HostFunc{
		canon.Func1("[constructor]counter", func(_ context.Context, n uint32) canon.Own[*counter] {
			return canon.Own[*counter]{Value: &counter{n, dropped}}
		}),
		canon.Func1("[method]counter.next", func(_ context.Context, c canon.Borrow[*counter]) uint32 {
			c.Value.n++
			return c.Value.n
		}),
		canon.Func1("greet", func(_ context.Context, name string) string { return "hello " + name }),
	}}
}

// counting imports a host's interface, and exports what uses it.
const counting = `(component
	(import "test:host/counters@1.1.0" (instance $h
		(export "counter" (type $c (sub resource)))
		(export "[constructor]counter" (func (param "n" u32) (result (own $c))))
		(export "[method]counter.next" (func (param "self" (borrow $c)) (result u32)))
		(export "greet" (func (param "name" string) (result string)))))
	(alias export $h "counter" (type $c))
	(core module $libc (memory (export "mem") 1) (global $top (mut i32) (i32.const 1024))
		(func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
			(local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
			(global.set $top (i32.add (local.get $at) (local.get 3)))
			local.get $at)
		(func (export "free") (param i32) (global.set $top (i32.const 1024))))
	(core instance $libc (instantiate $libc))
	(alias core export $libc "mem" (core memory $mem)) (alias core export $libc "realloc" (core func $realloc))
	(core func $new (canon lower (func $h "[constructor]counter")))
	(core func $next (canon lower (func $h "[method]counter.next")))
	(core func $greet (canon lower (func $h "greet") (memory $mem) (realloc $realloc)))
	(core func $drop (canon resource.drop $c))
	(core module $m (import "h" "new" (func $new (param i32) (result i32))) (import "h" "next" (func $next (param i32) (result i32)))
		(import "h" "drop" (func $drop (param i32))) (import "h" "greet" (func $greet (param i32 i32 i32)))
		(func (export "count") (param i32) (result i32) (local $c i32) (local $n i32)
			(local.set $c (call $new (local.get 0))) (drop (call $next (local.get $c)))
			(local.set $n (call $next (local.get $c))) (call $drop (local.get $c)) local.get $n)
		(func (export "keep") (drop (call $new (i32.const 0))))
		(func (export "greet") (param i32 i32) (result i32) (call $greet (local.get 0) (local.get 1) (i32.const 16)) i32.const 16))
	(core instance $m (instantiate $m (with "h" (instance
		(export "new" (func $new)) (export "next" (func $next)) (export "drop" (func $drop)) (export "greet" (func $greet))))))
	(func (export "count") (param "n" u32) (result u32) (canon lift (core func $m "count")))
	(func (export "keep") (canon lift (core func $m "keep")))
	(func (export "greet") (param "name" string) (result string)
		(canon lift (core func $m "greet") (memory $mem) (realloc $realloc) (post-return (core func $libc "free")))))`

func TestHostFunctions(t *testing.T) {
	ctx, dropped := context.Background(), 0
	in := start(t, assemble(t, counting)[0], component.Host{Interfaces: []canon.Interface{counters("test:host/counters@1.4.2", &dropped)}})
	for range 1000 {
		if got := call(t, in, "count", 40); got != 42 {
			t.Fatalf("count(40) = %d, want 42", got)
		}
	}
	if dropped != 1000 {
		t.Fatalf("%d counters were dropped, want 1000", dropped)
	}
	greet, err := in.Func("greet")
	if err != nil {
		t.Fatal(err)
	}
	typed := canon.NewExport1[string, string]("greet")
	for range 1000 { // more than the guest's memory holds, were it not freed
		got, err := typed.Call(ctx, greet, strings.Repeat("a", 100))
		if want := "hello " + strings.Repeat("a", 100); got != want || err != nil {
			t.Fatalf("greet = %q, %v", got, err)
		}
	}
	call(t, in, "keep")
	if err := in.Close(ctx); err != nil || dropped != 1001 {
		t.Fatalf("after close %d counters were dropped, want 1001 (%v)", dropped, err)
	}
}

func TestImportsThatAreMissingAreNamed(t *testing.T) {
	dropped := 0
	offered := counters("test:host/counters@1.1.0", &dropped)
	with := func(name string, funcs []canon.HostFunc) component.Host {
		return component.Host{Interfaces: []canon.Interface{{Name: name, Funcs: funcs}}}
	}
	wrong := append([]canon.HostFunc{canon.Func1("greet", func(context.Context, uint32) string { return "" })}, offered.Funcs[:2]...)
	cases := []struct {
		name, problem string
		host          component.Host
	}{
		{"no interface", `func "greet" of "test:host/counters@1.1.0": there is no such interface`, component.Host{}},
		{"an older version", "there is no such interface", with("test:host/counters@1.0.9", offered.Funcs)},
		{"another major version", "there is no such interface", with("test:host/counters@2.0.0", offered.Funcs)},
		{"a function less", "has no such function", with(offered.Name, offered.Funcs[:2])},
		{"another type", "host has u32, guest has string", with(offered.Name, wrong)},
	}
	wasm := assemble(t, counting)[0]
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := tryStart(t, wasm, c.host)
			var link *component.LinkError
			if !errors.As(err, &link) || !strings.Contains(link.Error(), c.problem) {
				t.Fatalf("error is %v, want a LinkError with %q", err, c.problem)
			}
		})
	}
}

func TestDynamicHostFunctions(t *testing.T) {
	text := `(component (import "twice" (func $f (param "x" u32) (result u32)))
		(core func $l (canon lower (func $f)))
		(func (export "run") (param "x" u32) (result u32) (canon lift (core func $l))))`
	fail := errors.New("host is out of order")
	host := component.Host{Dynamic: []component.Dynamic{{Name: "twice", Call: func(_ context.Context, args []canon.Value) (canon.Value, error) {
		if args[0].Bits == 13 {
			return canon.Value{}, fail
		}
		return canon.Value{Bits: 2 * args[0].Bits}, nil
	}}}}
	in := start(t, assemble(t, text)[0], host)
	if got := call(t, in, "run", 21); got != 42 {
		t.Fatalf("run(21) = %d", got)
	}
	if _, err := tryCall(t, in, "run", 13); !errors.Is(err, fail) {
		t.Fatalf("error is %v, want the host's", err)
	}
	if !errors.Is(in.Err(), component.ErrDead) {
		t.Fatal("the instance lives on after a host function failed in the middle of it")
	}
}

// A host function may not call the instance that called it, but another one.
func TestInstancesAreNotEnteredTwice(t *testing.T) {
	ctx := context.Background()
	text := `(component (import "f" (func $f)) (core func $l (canon lower (func $f))) (func (export "run") (canon lift (core func $l))))`
	var in *component.Instance
	var inner error
	host := component.Host{Dynamic: []component.Dynamic{{Name: "f", Call: func(ctx context.Context, _ []canon.Value) (canon.Value, error) {
		f, err := in.Func("run")
		if err == nil {
			_, inner = f.Call(ctx)
		}
		return canon.Value{}, err
	}}}}
	in = start(t, assemble(t, text)[0], host)
	f, err := in.Func("run")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Call(ctx); err != nil || !errors.Is(inner, component.ErrBusy) {
		t.Fatalf("call ended with %v, the one inside with %v; want ErrBusy", err, inner)
	}
}
