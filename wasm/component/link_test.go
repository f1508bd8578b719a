package component_test

import (
	"testing"

	"github.com/astrid-go/astrid/wasm/component"
)

// step is a call and what it returns.
type step struct {
	export string
	args   []uint64
	want   uint64
}

// TestLinking runs what the linker must be able to put together.
func TestLinking(t *testing.T) {
	cases := []struct {
		name, text string
		steps      []step
	}{
		{"a bundle renames what it gathers", `(component
			(core module $a (func (export "three") (result i32) i32.const 3))
			(core module $b (import "" "one" (func $f (result i32))) (func (export "run") (result i32) call $f))
			(core instance $a (instantiate $a))
			(core instance $b (instantiate $b (with "" (instance (export "one" (func $a "three"))))))
			(func (export "run") (result u32) (canon lift (core func $b "run"))))`,
			[]step{{"run", nil, 3}}},
		{"instances of one module share nothing", `(component
			(core module $m (global $g (mut i32) (i32.const 0))
				(func (export "bump") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) global.get $g))
			(core instance $a (instantiate $m)) (core instance $b (instantiate $m))
			(func (export "a") (result u32) (canon lift (core func $a "bump")))
			(func (export "b") (result u32) (canon lift (core func $b "bump"))))`,
			[]step{{"a", nil, 1}, {"a", nil, 2}, {"b", nil, 1}, {"a", nil, 3}}},
		{"a bundle passes memories, tables and globals on", `(component
			(core module $libc (memory (export "mem") 1) (table (export "tab") 1 funcref)
				(global (export "base") i32 (i32.const 40)))
			(core module $main (import "c" "memory" (memory 1)) (import "c" "t" (table 1 funcref)) (import "c" "g" (global $g i32))
				(type $ft (func (result i32)))
				(func $get (result i32) (i32.add (global.get $g) (i32.load8_u (i32.const 7))))
				(elem (i32.const 0) $get)
				(func (export "run") (result i32) (i32.store8 (i32.const 7) (i32.const 2)) (call_indirect (type $ft) (i32.const 0))))
			(core instance $libc (instantiate $libc))
			(core instance $main (instantiate $main (with "c" (instance
				(export "memory" (memory $libc "mem")) (export "again" (memory $libc "mem"))
				(export "t" (table $libc "tab")) (export "g" (global $libc "base"))))))
			(func (export "run") (result u32) (canon lift (core func $main "run"))))`,
			[]step{{"run", nil, 42}}},
		{"a lowered function may be lifted again", `(component
			(core module $m (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))
			(component $c
				(import "f" (func $f (param "x" u32) (result u32)))
				(core func $l (canon lower (func $f)))
				(func (export "g") (param "x" u32) (result u32) (canon lift (core func $l))))
			(core instance $m (instantiate $m))
			(func $f (param "x" u32) (result u32) (canon lift (core func $m "f")))
			(instance $c (instantiate $c (with "f" (func $f))))
			(func (export "run") (alias export $c "g")))`,
			[]step{{"run", []uint64{41}, 42}}},
		{"a module is passed to a component", `(component
			(component $c (import "m" (core module $m (export "f" (func (result i32)))))
				(core instance $i (instantiate $m))
				(func (export "f") (result u32) (canon lift (core func $i "f"))))
			(core module $m (func (export "f") (result i32) i32.const 9) (func (export "more")))
			(instance $i (instantiate $c (with "m" (core module $m))))
			(func (export "run") (alias export $i "f")))`,
			[]step{{"run", nil, 9}}},
		{"a component is passed to a component, and knows where it was defined", `(component
			(core module $m (func (export "f") (result i32) i32.const 5))
			(component $inner (alias outer 1 0 (core module $m))
				(core instance $i (instantiate $m))
				(func (export "f") (result u32) (canon lift (core func $i "f"))))
			(component $user (import "c" (component $c (export "f" (func (result u32)))))
				(instance $i (instantiate $c))
				(export "f" (func $i "f")))
			(instance $u (instantiate $user (with "c" (component $inner))))
			(func (export "run") (alias export $u "f")))`,
			[]step{{"run", nil, 5}}},
		{"a start function runs once", `(component
			(core module $m (global $g (mut i32) (i32.const 0))
				(func $start (global.set $g (i32.add (global.get $g) (i32.const 7)))) (start $start)
				(func (export "get") (result i32) global.get $g))
			(core instance $m (instantiate $m))
			(func (export "get") (result u32) (canon lift (core func $m "get"))))`,
			[]step{{"get", nil, 7}, {"get", nil, 7}}},
		{"an imported module name may be empty or that of a host module", `(component
			(core module $a (func (export "f") (result i32) i32.const 1))
			(core module $b (import "" "f" (func $f (result i32))) (import "component#1" "f" (func $g (result i32)))
				(func (export "run") (result i32) (i32.add (call $f) (call $g))))
			(core instance $a (instantiate $a))
			(core instance $b (instantiate $b (with "" (instance $a)) (with "component#1" (instance $a))))
			(func (export "run") (result u32) (canon lift (core func $b "run"))))`,
			[]step{{"run", nil, 2}}},
	}
	texts := make([]string, len(cases))
	for i, c := range cases {
		texts[i] = c.text
	}
	binaries := assemble(t, texts...)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := start(t, binaries[i], component.Host{})
			for _, s := range c.steps {
				if got := call(t, in, s.export, s.args...); got != s.want {
					t.Fatalf("%s(%v) = %d, want %d", s.export, s.args, got, s.want)
				}
			}
		})
	}
}
