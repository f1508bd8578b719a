package component_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/astrid-go/astrid/wasm/canon"
	"github.com/astrid-go/astrid/wasm/component"
)

// maker is a component that defines a resource; live counts what has not been
// destroyed.
const maker = `
	(component $maker
		(core module $dtors (table (export "t") 1 funcref) (type $f (func (param i32)))
			(func (export "dtor") (param i32) (call_indirect (type $f) (local.get 0) (i32.const 0))))
		(core instance $d (instantiate $dtors))
		(type $r' (resource (rep i32) (dtor (core func $d "dtor"))))
		(export $r "r" (type $r'))
		(core func $new (canon resource.new $r'))
		(core func $rep (canon resource.rep $r'))
		(core module $m (import "" "new" (func $new (param i32) (result i32))) (import "" "rep" (func $rep (param i32) (result i32)))
			(import "" "t" (table 1 funcref))
			(global $live (mut i32) (i32.const 0))
			(func $drop (param i32) (global.set $live (i32.sub (global.get $live) (i32.const 1))))
			(elem (i32.const 0) $drop)
			(func (export "make") (param i32) (result i32)
				(global.set $live (i32.add (global.get $live) (i32.const 1))) (call $new (local.get 0)))
			(func (export "peek") (param i32) (result i32) local.get 0)
			(func (export "take") (param i32) (result i32) (call $rep (local.get 0)))
			(func (export "live") (result i32) global.get $live))
		(core instance $m (instantiate $m (with "" (instance
			(export "new" (func $new)) (export "rep" (func $rep)) (export "t" (table $d "t"))))))
		(func (export "make") (param "x" u32) (result (own $r)) (canon lift (core func $m "make")))
		(func (export "peek") (param "r" (borrow $r)) (result u32) (canon lift (core func $m "peek")))
		(func (export "take") (param "r" (own $r)) (result u32) (canon lift (core func $m "take")))
		(func (export "live") (result u32) (canon lift (core func $m "live"))))
	(instance $maker (instantiate $maker))`

// user wraps code that has the functions of a maker and drop.
func user(code string) string {
	return `(component ` + maker + `
		(component $user
			(import "m" (instance $m
				(export "r" (type $r (sub resource)))
				(export "make" (func (param "x" u32) (result (own $r))))
				(export "peek" (func (param "r" (borrow $r)) (result u32)))
				(export "take" (func (param "r" (own $r)) (result u32)))
				(export "live" (func (result u32)))))
			(alias export $m "r" (type $r))
			(core func $make (canon lower (func $m "make"))) (core func $peek (canon lower (func $m "peek")))
			(core func $take (canon lower (func $m "take"))) (core func $live (canon lower (func $m "live")))
			(core func $drop (canon resource.drop $r))
			(core module $c
				(import "" "make" (func $make (param i32) (result i32))) (import "" "peek" (func $peek (param i32) (result i32)))
				(import "" "take" (func $take (param i32) (result i32))) (import "" "live" (func $live (result i32)))
				(import "" "drop" (func $drop (param i32)))
				(func (export "run") (result i32) (local $a i32) (local $b i32) ` + code + `))
			(core instance $c (instantiate $c (with "" (instance
				(export "make" (func $make)) (export "peek" (func $peek)) (export "take" (func $take))
				(export "live" (func $live)) (export "drop" (func $drop))))))
			(func (export "run") (result u32) (canon lift (core func $c "run"))))
		(instance $user (instantiate $user (with "m" (instance $maker))))
		(export "maker" (instance $maker))
		(func (export "run") (alias export $user "run")))`
}

func TestResourcesCrossComponents(t *testing.T) {
	cases := []struct {
		name, code string
		want       uint64
		trap       string
	}{
		{"made, lent, dropped", `(local.set $a (call $make (i32.const 40)))
			(local.set $b (call $peek (local.get $a)))
			(call $drop (local.get $a))
			(i32.add (local.get $b) (i32.mul (call $live) (i32.const 1000)))`, 40, ""},
		{"given back", `(i32.add (call $take (call $make (i32.const 7))) (i32.mul (call $live) (i32.const 1000)))`, 1007, ""},
		{"handles are used again", `(local.set $a (call $make (i32.const 1))) (call $drop (local.get $a))
			(i32.sub (call $make (i32.const 1)) (local.get $a))`, 0, ""},
		{"dropped twice", `(local.set $a (call $make (i32.const 1))) (call $drop (local.get $a)) (call $drop (local.get $a)) i32.const 0`, 0, "unknown handle"},
		{"used after it was given", `(local.set $a (call $make (i32.const 1))) (drop (call $take (local.get $a))) (call $peek (local.get $a))`, 0, "unknown handle"},
		{"forged", `(call $peek (i32.const 77))`, 0, "unknown handle"},
		{"zero", `(call $drop (i32.const 0)) i32.const 0`, 0, "unknown handle"},
	}
	texts := make([]string, len(cases))
	for i, c := range cases {
		texts[i] = user(c.code)
	}
	for i, wasm := range assemble(t, texts...) {
		c := cases[i]
		t.Run(c.name, func(t *testing.T) {
			in := start(t, wasm, component.Host{})
			v, err := tryCall(t, in, "run")
			if c.trap == "" {
				if err != nil || v.Bits != c.want {
					t.Fatalf("run() = %d, %v; want %d", v.Bits, err, c.want)
				}
				return
			}
			var trap *canon.Trap
			if !errors.As(err, &trap) || !strings.Contains(trap.Reason, c.trap) {
				t.Fatalf("error is %v, want a trap with %q", err, c.trap)
			}
			if _, err := tryCall(t, in, "run"); !errors.Is(err, component.ErrDead) {
				t.Fatalf("after the trap: %v, want ErrDead", err)
			}
		})
	}
}

// The host owns what an export returns as own, and ends it.
func TestHostOwnsResourcesOfGuests(t *testing.T) {
	ctx := context.Background()
	in := start(t, assemble(t, user(`i32.const 0`))[0], component.Host{})
	function := func(name string) *component.Func {
		f, err := in.Func("maker", name)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	live := func() uint64 {
		v, err := function("live").Call(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return v.Bits
	}
	for range 1000 {
		v, err := function("make").Call(ctx, canon.Value{Bits: 5})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := function("peek").Call(ctx, v); err != nil || got.Bits != 5 {
			t.Fatalf("peek = %v, %v; want 5", got, err)
		}
		if live() != 1 {
			t.Fatalf("%d are alive, want 1", live())
		}
		if err := in.Drop(ctx, v.Ref.(*canon.Resource)); err != nil {
			t.Fatal(err)
		}
	}
	if live() != 0 {
		t.Fatalf("%d are alive after all were dropped", live())
	}
}
