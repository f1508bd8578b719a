package component

import (
	"fmt"

	"github.com/astrid-go/astrid/wasm/canon"
)

// matcher checks that what is given may stand where something is expected. As
// it goes it learns which resources stand for the variables of the expected
// type, in order: see learn.
type matcher struct {
	*subst
	vars map[*resource]bool // that are still to be learnt
	same map[[2]*valType]bool
}

// newMatcher returns a matcher that learns vars.
func newMatcher(b *budget, vars []*resource) *matcher {
	m := &matcher{newSubst(b), make(map[*resource]bool, len(vars)), map[[2]*valType]bool{}}
	for _, v := range vars {
		m.vars[v] = true
	}
	return m
}

// extern checks given against expected.
func (m *matcher) extern(given, expected externType) error {
	if !m.spend(1) {
		return errBudget
	}
	if given.sort != expected.sort {
		return fmt.Errorf("expected %s, found %s", expected.sort, given.sort)
	}
	if expected.sort == sortType {
		return m.typeExtern(given.def, expected.def)
	}
	return m.definition(given.def, expected.def)
}

var errBudget = fmt.Errorf("types are too large")

// typeExtern checks a type given for an imported or exported type.
func (m *matcher) typeExtern(given, expected definition) error {
	if e, ok := expected.(*resourceType); ok && m.vars[e.id] {
		g, ok := given.(*resourceType)
		if !ok {
			return fmt.Errorf("expected resource, found %s", describe(given))
		}
		delete(m.vars, e.id)
		m.to[e.id] = g.id
		return nil
	}
	return m.definition(given, expected)
}

func describe(d definition) string {
	if v, ok := d.(*valType); ok {
		return "defined type " + v.describe()
	}
	return d.describe()
}

// definition checks types of the same sort.
func (m *matcher) definition(given, expected definition) error {
	switch e := expected.(type) {
	case *resourceType:
		if g, ok := given.(*resourceType); ok {
			return m.resource(g, e)
		}
	case *valType:
		if g, ok := given.(*valType); ok {
			return m.value(g, e)
		}
	case *funcType:
		if g, ok := given.(*funcType); ok {
			return m.function(g, e)
		}
	case *moduleType:
		if g, ok := given.(*moduleType); ok {
			return matchModule(m.budget, g, e)
		}
	case *instanceType:
		if g, ok := given.(*instanceType); ok {
			return m.instance(g, e)
		}
	case *componentType:
		if g, ok := given.(*componentType); ok {
			return m.component(g, e)
		}
	}
	return fmt.Errorf("expected %s, found %s", describe(expected), describe(given))
}

func (m *matcher) resource(given, expected *resourceType) error {
	id := expected.id
	if known, ok := m.to[id]; ok {
		id = known
	}
	if given.id != id {
		return fmt.Errorf("resource types are not the same (%s and %s)", quote(expected.id.name), quote(given.id.name))
	}
	return nil
}

func (m *matcher) value(given, expected *valType) error {
	if given == expected && !expected.handles {
		return nil
	}
	pair := [2]*valType{given, expected}
	if m.same[pair] {
		return nil
	}
	if !m.spend(1 + len(expected.fields)) {
		return errBudget
	}
	if given.kind != expected.kind {
		return fmt.Errorf("expected %s, found %s", expected.kind, given.kind)
	}
	if expected.res != nil {
		return m.resource(given.res, expected.res)
	}
	if expected.elem != nil && expected.kind == canon.List {
		return m.value(given.elem, expected.elem)
	}
	if err := m.fields(expected.kind.String(), given.fields, expected.fields); err != nil {
		return err
	}
	m.same[pair] = true
	return nil
}

// fields checks fields, cases, labels or parameters, which have the same names
// in the same order.
func (m *matcher) fields(what string, given, expected []valField) error {
	if len(given) != len(expected) {
		return fmt.Errorf("%s: expected %d parts, found %d", what, len(expected), len(given))
	}
	for i, e := range expected {
		g := given[i]
		if g.name != e.name {
			return fmt.Errorf("%s: expected name %s, found %s", what, quote(e.name), quote(g.name))
		}
		if (g.typ == nil) != (e.typ == nil) {
			return fmt.Errorf("%s: only one of the two has a type for %s", what, quote(e.name))
		}
		if e.typ == nil {
			continue
		}
		if err := m.value(g.typ, e.typ); err != nil {
			return fmt.Errorf("type mismatch in %s %s: %w", what, quote(e.name), err)
		}
	}
	return nil
}

func (m *matcher) function(given, expected *funcType) error {
	if err := m.fields("parameters", given.params, expected.params); err != nil {
		return err
	}
	if (given.result == nil) != (expected.result == nil) {
		return fmt.Errorf("only one of the two functions has a result")
	}
	if expected.result == nil {
		return nil
	}
	if err := m.value(given.result, expected.result); err != nil {
		return fmt.Errorf("type mismatch with result type: %w", err)
	}
	return nil
}

// instance checks that an actual instance has all that is expected. The
// resources that the expected type binds are learnt from the instance.
func (m *matcher) instance(given, expected *instanceType) error {
	for _, v := range expected.vars {
		delete(m.to, v)
		m.vars[v] = true
		clear(m.same) // which was so for the previous meaning of v
		clear(m.types)
	}
	return m.exports(given.exports, expected.exports)
}

func (m *matcher) exports(given, expected exportMap) error {
	for _, e := range expected.list {
		g, ok := given.find(e.name)
		if !ok {
			return fmt.Errorf("missing expected export %s", quote(e.name))
		}
		if err := m.extern(g, e); err != nil {
			return fmt.Errorf("type mismatch in instance export %s: %w", quote(e.name), err)
		}
	}
	return nil
}

// component checks that the given component asks for no more than the expected
// one is given, and exports no less.
func (m *matcher) component(given, expected *componentType) error {
	expected = m.subst.definition(expected).(*componentType)
	in := newMatcher(m.budget, given.imported)
	for _, g := range given.imports {
		i := indexOf(expected.imports, g.name)
		if i < 0 {
			return fmt.Errorf("component needs import %s, which is not expected", quote(g.name))
		}
		if err := in.extern(expected.imports[i], g); err != nil {
			return fmt.Errorf("type mismatch in import %s: %w", quote(g.name), err)
		}
	}
	in.freshen(given.defined)
	exports := in.subst.exports(given.exports)
	out := newMatcher(m.budget, expected.defined)
	return out.exports(exports, expected.exports)
}

func indexOf(list []externType, name string) int {
	for i, x := range list {
		if x.name == name {
			return i
		}
	}
	return -1
}
