package component_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/astrid-go/astrid/wasm/component"
)

// rule is a component that obeys a rule of validation, or breaks it: reason is
// then part of what Decode says.
type rule struct{ name, text, reason string }

func (r rule) check(t *testing.T, wasm []byte) {
	_, err := component.Decode(wasm, component.Limits{})
	if r.reason == "" {
		if err != nil {
			t.Fatalf("valid component is refused: %v", err)
		}
		return
	}
	var invalid *component.ValidationError
	if !errors.As(err, &invalid) || !strings.Contains(invalid.Reason, r.reason) {
		t.Fatalf("error is %v, want a ValidationError with %q", err, r.reason)
	}
	if invalid.Offset <= 0 || invalid.Offset > len(wasm) || invalid.Section == "" {
		t.Fatalf("error does not say where: %+v", invalid)
	}
}

func checkRules(t *testing.T, rules []rule) {
	t.Helper()
	texts := make([]string, len(rules))
	for i, r := range rules {
		texts[i] = r.text
	}
	for i, wasm := range assemble(t, texts...) {
		t.Run(rules[i].name, func(t *testing.T) { rules[i].check(t, wasm) })
	}
}

func TestNameRules(t *testing.T) {
	imports := func(names ...string) string {
		text := "(component"
		for _, n := range names {
			text += ` (import "` + n + `" (func))`
		}
		return text + ")"
	}
	checkRules(t, []rule{
		{"kebab case", imports("a", "b1", "a-1", "c-1-d-2", "X", "Y1", "Y-1-z", "e22-FF-gg"), ""},
		{"a fragment begins with a letter if it is the first", imports("1-a"), "not in kebab case"},
		{"no name is empty", imports(""), "not in kebab case"},
		{"no fragment is empty", imports("a--b"), "not in kebab case"},
		{"a fragment is of one case", imports("aB"), "not in kebab case"},
		{"interfaces", imports("n:p/i", "n:p/i@1.0.0", "n:p/i@1.0.1", "n:p/j@0.0.0-rc.1+b-c.5", "n-1:p-2/I-3"), ""},
		{"namespaces are lower-case", imports("N:p/i"), "not a valid extern name"},
		{"packages are lower-case", imports("n:P/i"), "not a valid extern name"},
		{"an interface has a projection", imports("n:p"), "expected `/`"},
		{"one namespace only", imports("n:m:p/i"), "not a valid extern name"},
		{"one projection only", imports("n:p/i/j"), "not a valid extern name"},
		{"a version is not empty", imports("n:p/i@"), "empty version"},
		{"a version has three numbers", imports("n:p/i@1.2"), "semantic version"},
		{"numbers have no leading zero", imports("n:p/i@1.02.3"), "semantic version"},
		{"build metadata is not empty", imports("n:p/i@1.2.3+"), "semantic version"},
		{"names are unique whatever the case", imports("ab-CD", "AB-cd"), "conflicts with previous name"},
		{"names are unique without hyphens", imports("ab-cd", "abc-d"), "conflicts with previous name"},
		{"imports and exports do not conflict", `(component (import "a" (func $f)) (export "a" (func $f)))`, ""},
		{"exports are unique", `(component (import "f" (func $f)) (export "a" (func $f)) (export "A" (func $f)))`, "conflicts with previous name"},
		{"exports of bundles have names of that kind", `(component (import "f" (func $f)) (instance (export "1" (func $f))))`, "not in kebab case"},
		{"field names are unique", `(component (type (record (field "a-B" u8) (field "A-b" u8))))`, "conflicts with previous"},
		{"parameter names are in kebab case", `(component (type (func (param "aB" u8))))`, "not in kebab case"},
		{"labels are not empty", `(component (type (enum "")))`, "cannot be empty"},
	})
}

func TestAnnotatedNameRules(t *testing.T) {
	const res = `(import "a" (type $a (sub resource)))`
	one := func(more string) string { return "(component " + res + more + ")" }
	checkRules(t, []rule{
		{"functions of resources", one(`
			(import "[constructor]a" (func (param "x" u8) (result (own $a))))
			(import "[method]a.m" (func (param "self" (borrow $a))))
			(import "[static]a.s" (func (result u8)))`), ""},
		{"a constructor may fail", one(`(import "[constructor]a" (func (result (result (own $a) (error string)))))`), ""},
		{"a constructor returns its resource", one(`(import "[constructor]a" (func (result u32)))`), "should return"},
		{"a method takes self", one(`(import "[method]a.m" (func (param "x" (borrow $a))))`), "first argument"},
		{"a method borrows self", one(`(import "[method]a.m" (func (param "self" (own $a))))`), "first argument"},
		{"a method has two labels", one(`(import "[method]a" (func))`), "failed to find `.`"},
		{"a method has not three labels", one(`(import "[method]a.b.c" (func))`), "not in kebab case"},
		{"only functions are annotated", one(`(import "[static]a.b" (instance))`), "is not a func"},
		{"a method is not called as its resource", one(`(import "[static]a.a" (func))`), "conflicts with previous name"},
		{"methods and static functions do not conflict", one(`
			(import "[static]a.m" (func)) (import "[method]a.m" (func (param "self" (borrow $a))))`), "conflicts with previous name"},
		{"the resource is there", `(component (import "[static]a.b" (func)))`, "does not have a name"},
		{"the resource is the one of that name", one(`
			(import "b" (type $b (sub resource))) (import "[method]b.m" (func (param "self" (borrow $a))))`), "first argument"},
		{"unknown annotations", one(`(import "[other]a" (func))`), "unknown annotation"},
	})
}

func TestTypeRules(t *testing.T) {
	labels := func(n int) string {
		s := ""
		for i := range n {
			s += ` "f` + strings.Repeat("x", i) + `"`
		}
		return s
	}
	checkRules(t, []rule{
		{"all that is there", `(component
			(type $r (record (field "x" (result)) (field "y" string)))
			(type $v (variant (case "r" $r) (case "s")))
			(type (func (param "a" (result $v (error u32))) (result (option (list (tuple u8 char f32)))))))`, ""},
		{"records are not empty", `(component (type (record)))`, "record of nothing"},
		{"variants are not empty", `(component (type (variant)))`, "variant of nothing"},
		{"tuples are not empty", `(component (type (tuple)))`, "tuple of nothing"},
		{"enums are not empty", `(component (type (enum)))`, "enum of nothing"},
		{"flags are not empty", `(component (type (flags)))`, "flags of nothing"},
		{"32 flags", `(component (type (flags` + labels(32) + `)))`, ""},
		{"33 flags", `(component (type (flags` + labels(33) + `)))`, "at most 32"},
		{"types stand before they are used", `(component (type (option 1)) (type u8))`, "type index out of bounds"},
		{"functions are no values", `(component (type $f (func)) (type (option $f)))`, "is not a defined type"},
		{"handles are of resources", `(component (type $u u8) (type (own $u)))`, "is not a resource type"},
		{"nothing that is borrowed is returned", `(component (import "r" (type $r (sub resource))) (type (func (result (option (borrow $r))))))`, "borrow"},
		{"resources are defined in components", `(component (type (component (type (resource (rep i32))))))`, "within a concrete component"},
		{"an imported function is of a function type", `(component (type $t u8) (import "f" (func (type $t))))`, "is not a function type"},
		{"an imported module is of a module type", `(component (core type $t (func)) (import "m" (core module (type $t))))`, "is not a module type"},
		{"exports of module types are unique", `(component (core type (module (export "a" (func)) (export "a" (func)))))`, "already defined"},
		{"imports of modules are unique", `(component (core module (import "" "a" (func)) (import "" "a" (func))))`, "duplicate import name"},
		{"memories are not too large", `(component (core type (module (import "" "" (memory 70000)))))`, "memory size must be at most"},
		{"streams", `(component (type (stream u8)))`, "unsupported: streams"},
		{"async", `(component (canon backpressure.inc (core func)))`, "unsupported: async"},
	})
}

func TestAliasRules(t *testing.T) {
	checkRules(t, []rule{
		{"outer types, modules and components", `(component $c (core module $m) (component $d) (type $t (record (field "x" u32)))
			(component (alias outer $c $m (core module)) (alias outer $c $d (component)) (alias outer $c $t (type))))`, ""},
		{"resources do not cross a component", `(component $c (type $r (resource (rep i32)))
			(component (alias outer $c $r (type))))`, "transitively refers to resources"},
		{"nor do types that use them", `(component $c (type $r (resource (rep i32))) (type $l (list (own $r)))
			(component (alias outer $c $l (type))))`, "transitively refers to resources"},
		{"resources cross a type", `(component $c (type $r (resource (rep i32)))
			(type (instance (alias outer $c $r (type)))))`, ""},
		{"a component that binds its resources crosses", `(component $c (component $d (import "r" (type (sub resource))))
			(component (alias outer $c $d (component))))`, ""},
		{"there is a scope", `(component (alias outer 1 0 (type)))`, "outer alias count"},
		{"there is a type yet", `(component $c (component (alias outer 1 0 (type))) (type u8))`, "out of bounds"},
		{"types alias types only", `(component $c (component $d) (type (component (alias outer $c $d (component)))))`, "may only refer to types or instances"},
		{"exports are there", `(component (import "i" (instance $i)) (alias export $i "f" (func)))`, "has no export named"},
		{"exports are of the sort", `(component (import "i" (instance $i (export "f" (func)))) (alias export $i "f" (component)))`, "is not a component"},
		{"core exports are there", `(component (core module $m) (core instance $i (instantiate $m)) (alias core export $i "f" (core func)))`, "has no export named"},
	})
}

func TestVisibilityRules(t *testing.T) {
	lift := func(types, result, exports string) string {
		return `(component
			(core module $m (func (export "f") (result i32) unreachable))
			(core instance $i (instantiate $m)) ` + types + `
			(func $f (result ` + result + `) (canon lift (core func $i "f"))) ` + exports + `)`
	}
	const hidden = "has no name outside"
	checkRules(t, []rule{
		{"a resource has a name", lift(`(type $r (resource (rep i32))) (export $n "r" (type $r))`, `(own $n)`, `(export "f" (func $f))`), ""},
		{"a name may be ascribed", lift(`(type $r (resource (rep i32))) (export $n "r" (type $r))`, `(own $r)`, `(export "f" (func $f) (func (result (own $n))))`), ""},
		{"a resource without a name", lift(`(type $r (resource (rep i32)))`, `(own $r)`, `(export "f" (func $f))`), hidden},
		{"a name is not for the type before it", lift(`(type $r (resource (rep i32))) (export $n "r" (type $r))`, `(own $r)`, `(export "f" (func $f))`), hidden},
		{"an enum has a name", lift(`(type $e (enum "a" "b")) (export $n "e" (type $e))`, `$n`, `(export "f" (func $f))`), ""},
		{"an enum without a name", lift(`(type $e (enum "a" "b"))`, `$e`, `(export "f" (func $f))`), hidden},
		{"a record without a name in a tuple", lift(`(type $r (record (field "x" u8)))`, `(tuple $r)`, `(export "f" (func $f))`), hidden},
		{"tuples need no name", lift(``, `(tuple u8)`, `(export "f" (func $f))`), ""},
		{"what a named type uses has a name", lift(`(type $r (resource (rep i32))) (type $t (record (field "r" (own $r))))`, `u8`, `(export "t" (type $t))`), hidden},
		{"an instance names what it exports", lift(`(type $e (enum "a" "b"))`, `$e`, `(instance $b (export "e" (type $e)) (export "f" (func $f))) (export "b" (instance $b))`), ""},
		{"an instance that does not", lift(`(type $e (enum "a" "b"))`, `$e`, `(instance $b (export "f" (func $f))) (export "b" (instance $b))`), hidden},
		{"imports may use imports", `(component (import "r" (type $r (sub resource))) (import "f" (func (result (own $r)))))`, ""},
		{"imports may not use exports", `(component (type $r (resource (rep i32))) (export $n "r" (type $r)) (import "f" (func (result (own $n)))))`, hidden},
	})
}
