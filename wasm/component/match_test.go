package component_test

import "testing"

func TestInstantiationRules(t *testing.T) {
	// eq asks for a type that equals expected, and gives it given.
	eq := func(expected, given string) string {
		return `(component (component $c (type $t ` + expected + `) (import "x" (type (eq $t))))
			(type $x ` + given + `) (instance (instantiate $c (with "x" (type $x)))))`
	}
	fn := func(expected, given string) string {
		return `(component (import "f" (func $f ` + given + `)) (component $c (import "f" (func ` + expected + `)))
			(instance (instantiate $c (with "f" (func $f)))))`
	}
	module := func(expected, given string) string {
		return `(component (core module $m ` + given + `) (component $c (import "m" (core module ` + expected + `)))
			(instance (instantiate $c (with "m" (core module $m)))))`
	}
	core := func(expected, given string) string {
		return `(component (core module $a ` + given + `) (core module $b (import "i" "x" ` + expected + `))
			(core instance $a (instantiate $a)) (core instance (instantiate $b (with "i" (instance $a)))))`
	}
	checkRules(t, []rule{
		{"equal types", eq(`(tuple u32 (list u8))`, `(tuple u32 (list u8))`), ""},
		{"primitives", eq(`u32`, `s32`), "expected u32, found s32"},
		{"kinds", eq(`(record (field "f" u8))`, `u8`), "expected record"},
		{"number of fields", eq(`(record (field "f" u8))`, `(record (field "f" u8) (field "g" u8))`), "expected 1 parts, found 2"},
		{"names of fields", eq(`(record (field "f" u8))`, `(record (field "g" u8))`), "expected name"},
		{"payloads", eq(`(variant (case "a"))`, `(variant (case "a" u8))`), "only one of the two"},
		{"labels", eq(`(flags "a")`, `(flags "b")`), "expected name"},
		{"errors", eq(`(result (error u8))`, `(result (error s8))`), "type mismatch in result"},
		{"elements", eq(`(list u8)`, `(list u16)`), "expected u8, found u16"},

		{"equal functions", fn(`(param "x" u8) (result u8)`, `(param "x" u8) (result u8)`), ""},
		{"names of parameters", fn(`(param "x" u8)`, `(param "y" u8)`), "expected name"},
		{"number of parameters", fn(``, `(param "x" u8)`), "expected 0 parts, found 1"},
		{"results", fn(`(result u8)`, ``), "has a result"},

		{"a module may import less", module(`(import "" "f" (func))`, ``), ""},
		{"a module may export more", module(``, `(func (export "f"))`), ""},
		{"a module may not import more", module(``, `(import "" "f" (func))`), "missing expected import"},
		{"a module may not export less", module(`(export "f" (func))`, ``), "missing expected export"},
		{"a module's export is of its sort", module(`(export "f" (global i32))`, `(func (export "f"))`), "expected global, found func"},
		{"limits go both ways", module(`(import "" "t" (table 2 funcref)) (export "m" (memory 1))`, `(import "" "t" (table 1 funcref)) (memory (export "m") 2)`), ""},

		{"core functions", core(`(func)`, `(func (export "x") (param i32))`), "expected function type"},
		{"core globals", core(`(global i32)`, `(global (export "x") i64 (i64.const 0))`), "expected global type i32"},
		{"mutability", core(`(global (mut i32))`, `(global (export "x") i32 (i32.const 0))`), "mutable"},
		{"elements of tables", core(`(table 1 funcref)`, `(table (export "x") 1 externref)`), "table type"},
		{"minimum", core(`(memory 2)`, `(memory (export "x") 1)`), "mismatch in memory limits"},
		{"maximum", core(`(table 1 2 funcref)`, `(table (export "x") 1 funcref)`), "mismatch in table limits"},
		{"items are there", core(`(func)`, ``), "does not export an item named"},
		{"modules are there", `(component (core module $b (import "i" "x" (func))) (core instance (instantiate $b)))`, "missing module instantiation argument"},
		{"core arguments once", `(component (core module $m) (core instance $i (instantiate $m))
			(core instance (instantiate $m (with "a" (instance $i)) (with "a" (instance $i)))))`, "duplicate module instantiation argument"},

		{"arguments are there", `(component (component $c (import "x" (func))) (instance (instantiate $c)))`, "missing import named"},
		{"arguments once", `(component (component $c) (instance $i (instantiate $c))
			(instance (instantiate $c (with "a" (instance $i)) (with "a" (instance $i)))))`, "conflicts with previous argument"},
		{"arguments too many", `(component (component $c) (instance $i (instantiate $c)) (instance (instantiate $c (with "Any Name" (instance $i)))))`, ""},
		{"arguments of the sort", `(component (component $d) (component $c (import "x" (func))) (instance (instantiate $c (with "x" (component $d)))))`, "expected func, found component"},
		{"instances may have more", `(component (import "i" (instance $i (export "a" (func)) (export "b" (func))))
			(component $c (import "i" (instance (export "a" (func))))) (instance (instantiate $c (with "i" (instance $i)))))`, ""},
		{"instances may not have less", `(component (import "i" (instance $i))
			(component $c (import "i" (instance (export "a" (func))))) (instance (instantiate $c (with "i" (instance $i)))))`, "missing expected export"},
		{"components may ask for less", `(component (component $d) (component $c (import "d" (component (import "x" (func)))))
			(instance (instantiate $c (with "d" (component $d)))))`, ""},
		{"components may not ask for more", `(component (component $d (import "x" (func))) (component $c (import "d" (component)))
			(instance (instantiate $c (with "d" (component $d)))))`, "needs import"},
	})
}

func TestResourceRules(t *testing.T) {
	const same = `(component $eq (import "a" (type $a (sub resource))) (import "b" (type (eq $a))))`
	sameResource := func(types, a, b string) string {
		return `(component ` + types + same + `(instance (instantiate $eq (with "a" (type ` + a + `)) (with "b" (type ` + b + `)))))`
	}
	const two = `(component $c (type $r (resource (rep i32))) (export "r" (type $r)) (export "s" (type $r)) (export "t" (type $r) (type (sub resource))))
		(instance $c1 (instantiate $c)) (instance $c2 (instantiate $c))
		(alias export $c1 "r" (type $r1)) (alias export $c1 "s" (type $s1)) (alias export $c1 "t" (type $t1)) (alias export $c2 "r" (type $r2))`
	const differ = "resource types are not the same"
	checkRules(t, []rule{
		{"a resource is itself", sameResource(`(type $r (resource (rep i32)))`, "$r", "$r"), ""},
		{"each definition is new", sameResource(`(type $r (resource (rep i32))) (type $s (resource (rep i32)))`, "$r", "$s"), differ},
		{"each import is new", sameResource(`(import "r" (type $r (sub resource))) (import "s" (type $s (sub resource)))`, "$r", "$s"), differ},
		{"an equal import is the same", sameResource(`(import "r" (type $r (sub resource))) (import "s" (type $s (eq $r)))`, "$r", "$s"), ""},
		{"exported twice it is the same", sameResource(two, "$r1", "$s1"), ""},
		{"ascribed it is another", sameResource(two, "$r1", "$t1"), differ},
		{"each instance has its own", sameResource(two, "$r1", "$r2"), differ},
		{"a component gives back what it is given", sameResource(`(type $r (resource (rep i32)))
			(component $id (import "in" (type $t (sub resource))) (export "out" (type $t)))
			(instance $i (instantiate $id (with "in" (type $r))))
			(instance $j (instantiate $id (with "in" (type $i "out"))))
			(alias export $j "out" (type $s))`, "$r", "$s"), ""},
		{"types that use a resource differ with it", `(component
			(import "t" (type $t (sub resource))) (import "u" (type $u (sub resource))) (import "f" (func $f (param "x" (list (own $u)))))
			(component $c (import "t" (type $t (sub resource))) (import "g" (func (param "x" (list (own $t))))))
			(instance (instantiate $c (with "t" (type $t)) (with "g" (func $f)))))`, differ},
		{"own is not borrow", `(component
			(import "t" (type $t (sub resource))) (import "f" (func $f (param "x" (borrow $t))))
			(component $c (import "t" (type $t (sub resource))) (import "g" (func (param "x" (own $t)))))
			(instance (instantiate $c (with "t" (type $t)) (with "g" (func $f)))))`, "expected own, found borrow"},
		{"a value is no resource", `(component (component $c (import "x" (type (sub resource)))) (type $x u8)
			(instance (instantiate $c (with "x" (type $x)))))`, "expected resource"},
		{"only its component makes one", `(component (import "r" (type $r (sub resource))) (core func (canon resource.new $r)))`, "not a local resource"},
		{"anyone may drop one", `(component (import "r" (type $r (sub resource))) (core func (canon resource.drop $r)))`, ""},
		{"a destructor takes the representation", `(component (core module $m (func (export "d") (param i64))) (core instance $i (instantiate $m))
			(type (resource (rep i32) (dtor (core func $i "d")))))`, "resource destructor has type"},
	})
}

func TestCanonRules(t *testing.T) {
	lift := func(core, opts, typ string) string {
		return `(component (core module $m (memory (export "mem") 1)
				(func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
				(func (export "bad") (param i32) (result i32) unreachable)
				(func (export "post") (param i32))
				(func (export "f") ` + core + ` unreachable))
			(core instance $i (instantiate $m))
			(alias core export $i "mem" (core memory $mem)) (alias core export $i "realloc" (core func $realloc))
			(func ` + typ + ` (canon lift (core func $i "f") ` + opts + `)))`
	}
	lower := func(typ, opts string) string {
		return `(component (core module $m (memory (export "mem") 1)
				(func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable) (func (export "post") (param i32)))
			(core instance $i (instantiate $m))
			(alias core export $i "mem" (core memory $mem)) (alias core export $i "realloc" (core func $realloc))
			(import "f" (func $f ` + typ + `)) (core func (canon lower (func $f) ` + opts + `)))`
	}
	const sixteen, seventeen = `(param "a" (tuple u8 u8 u8 u8 u8 u8 u8 u8)) (param "b" (tuple u8 u8 u8 u8 u8 u8 u8 u8))`,
		`(param "a" (tuple u8 u8 u8 u8 u8 u8 u8 u8)) (param "b" (tuple u8 u8 u8 u8 u8 u8 u8 u8 u8))`
	const i16 = `(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)`
	const memory, realloc = "canonical option `memory` is required", "canonical option `realloc` is required"
	checkRules(t, []rule{
		{"the core signature is the flat one", lift(`(param i64)`, ``, `(param "x" u32)`), "does not match"},
		{"numbers need nothing", lift(`(param i32 f64) (result i64)`, ``, `(param "x" u8) (param "y" f64) (result s64)`), ""},
		{"a string that is given needs realloc", lift(`(param i32 i32)`, `(memory $mem)`, `(param "s" string)`), realloc},
		{"and memory", lift(`(param i32 i32)`, ``, `(param "s" string)`), memory},
		{"a string that is returned needs memory", lift(`(result i32)`, ``, `(result string)`), memory},
		{"and no realloc", lift(`(result i32)`, `(memory $mem)`, `(result string)`), ""},
		{"16 flat parameters", lift(i16, ``, sixteen), ""},
		{"17 are passed in memory", lift(`(param i32)`, `(memory $mem) (realloc $realloc)`, seventeen), ""},
		{"which must be allocated", lift(`(param i32)`, `(memory $mem)`, seventeen), realloc},
		{"realloc has its signature", lift(`(param i32 i32)`, `(memory $mem) (realloc (core func $i "bad"))`, `(param "s" string)`), "canonical option `realloc` has type"},
		{"post-return takes the result", lift(`(result i32)`, `(memory $mem) (post-return (core func $i "post"))`, `(result string)`), ""},
		{"and nothing else", lift(``, `(post-return (core func $i "post"))`, ``), "canonical option `post-return` has type"},
		{"options are given once", lift(``, `string-encoding=utf8 string-encoding=utf16`, ``), "more than once"},

		{"a string that is passed needs memory", lower(`(param "s" string)`, ``), memory},
		{"and no realloc", lower(`(param "s" string)`, `(memory $mem)`), ""},
		{"a string that is received needs realloc", lower(`(result string)`, `(memory $mem)`), realloc},
		{"two results need memory", lower(`(result (tuple u8 u8))`, ``), memory},
		{"but no realloc", lower(`(result (tuple u8 u8))`, `(memory $mem)`), ""},
		{"realloc needs memory", lower(``, `(realloc $realloc)`), "requires `memory`"},
		{"realloc may be too much", lower(`(result (tuple u8 u8))`, `(memory $mem) (realloc $realloc)`), ""},
		{"post-return is for lifting", lower(``, `(post-return (core func $i "post"))`), "cannot be specified for lowerings"},
	})
}
