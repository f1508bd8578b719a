package component

import (
	"fmt"

	"github.com/astrid-go/astrid/wasm/canon"
)

// A sort says what a definition of a component is.
type sort uint8

// The sorts, as they stand in the binary format.
const (
	sortCore sort = iota // followed by a coreSort
	sortFunc
	sortValue
	sortType
	sortComponent
	sortInstance
)

// sortModule is sortCore where only modules can stand.
const sortModule = sortCore

func (s sort) String() string {
	return [...]string{"module", "func", "value", "type", "component", "instance"}[s]
}

// definition is what an index of one of the index spaces stands for, as far as
// types go: *moduleType, *funcType, *componentType, *instanceType, *valType or
// *resourceType. Types are immutable once they are defined. A pointer is a
// type's name, which matters for visibility; equal types may have many.
type definition interface{ describe() string }

// resource is the identity of a resource type. It is not empty, so that no two
// share an address.
type resource struct{ name string }

// resourceType is a name of a resource type.
type resourceType struct{ id *resource }

// valType is a value type.
type valType struct {
	kind   canon.Kind
	fields []valField    // of records, tuples; cases; labels
	elem   *valType      // of lists
	res    *resourceType // of handles
	canon  *canon.Type   // with a placeholder for each resource
	depth  int
	facts
}

// valField is a field, case, label or parameter. typ is nil for a case without
// payload.
type valField struct {
	name string
	typ  *valType
}

// facts are what holds of a type if it holds of a part of it: that it has
// handles, borrows among them, or strings or lists.
type facts struct{ handles, borrows, pointers bool }

func (f *facts) join(g facts) {
	f.handles = f.handles || g.handles
	f.borrows = f.borrows || g.borrows
	f.pointers = f.pointers || g.pointers
}

// funcType is the type of a function.
type funcType struct {
	params []valField
	result *valType // nil if there is none
	facts
}

// externType is the type of an import or export.
type externType struct {
	name string
	sort sort
	def  definition
}

// instanceType is the type of an instance. Resources among vars are bound by
// the type: each instance has its own. The type of an actual instance has none.
type instanceType struct {
	exports exportMap
	vars    []*resource
}

// componentType is the type of a component. imported stands for the resources
// that an instantiation is given, defined for those that it makes.
type componentType struct {
	imports  []externType
	exports  exportMap
	imported []*resource
	defined  []*resource
}

// exportMap is a list of exports, by name.
type exportMap struct {
	list  []externType
	index map[string]int
}

func (m *exportMap) add(x externType) {
	if m.index == nil {
		m.index = map[string]int{}
	}
	m.index[x.name] = len(m.list)
	m.list = append(m.list, x)
}

func (m *exportMap) find(name string) (externType, bool) {
	i, ok := m.index[name]
	if !ok {
		return externType{}, false
	}
	return m.list[i], true
}

func (*moduleType) describe() string    { return "module type" }
func (*funcType) describe() string      { return "function type" }
func (*componentType) describe() string { return "component type" }
func (*instanceType) describe() string  { return "instance type" }
func (*resourceType) describe() string  { return "resource" }
func (t *valType) describe() string     { return t.kind.String() }

// named reports whether types of t's kind need a name of their own to be seen
// outside.
func (t *valType) named() bool {
	switch t.kind {
	case canon.Record, canon.Variant, canon.Enum, canon.Flags:
		return true
	}
	return false
}

// placeholder stands for all resources in the canon.Types of valTypes, which
// are for layouts.
var placeholder = &canon.ResourceType{Name: "resource"}

// primitives are the types without parts, by kind.
var primitives = func() (types [canon.String + 1]*valType) {
	for k := canon.Bool; k <= canon.String; k++ {
		types[k] = &valType{kind: k, canon: canon.Prim(k), facts: facts{pointers: k == canon.String}}
	}
	return types
}()

// complete computes what follows from t's parts.
func (t *valType) complete() error {
	for _, f := range t.fields {
		t.include(f.typ)
	}
	t.include(t.elem)
	t.pointers = t.pointers || t.kind == canon.List
	if t.res != nil {
		t.handles, t.borrows = true, t.kind == canon.BorrowOf
	}
	var err error
	t.canon, err = t.convert(func(f *valType) *canon.Type { return f.canon }, placeholder)
	return err
}

func (t *valType) include(part *valType) {
	if part != nil {
		t.join(part.facts)
		t.depth = max(t.depth, part.depth+1)
	}
}

// convert makes the canon.Type of t from those of its parts, which may be nil,
// and of its resource.
func (t *valType) convert(part func(*valType) *canon.Type, res *canon.ResourceType) (*canon.Type, error) {
	fields := make([]canon.Field, len(t.fields))
	types := make([]*canon.Type, len(t.fields))
	names := make([]string, len(t.fields))
	for i, f := range t.fields {
		if f.typ != nil {
			types[i] = part(f.typ)
		}
		fields[i], names[i] = canon.Field{Name: f.name, Type: types[i]}, f.name
	}
	switch t.kind {
	case canon.List:
		return canon.NewList(part(t.elem)), nil
	case canon.Record:
		return canon.NewRecord(fields...)
	case canon.Tuple:
		return canon.NewTuple(types...)
	case canon.Variant:
		return canon.NewVariant(fields...)
	case canon.Enum:
		return canon.NewEnum(names...)
	case canon.OptionOf:
		return canon.NewOption(types[1])
	case canon.ResultOf:
		return canon.NewResult(types[0], types[1])
	case canon.Flags:
		return canon.NewFlags(names...)
	case canon.OwnOf:
		return canon.NewOwn(res), nil
	case canon.BorrowOf:
		return canon.NewBorrow(res), nil
	}
	return nil, fmt.Errorf("type of kind %s", t.kind)
}

// flat returns the function type with placeholders for resources, for its core
// signatures.
func (t *funcType) flat() canon.FuncType {
	ft := canon.FuncType{Params: make([]canon.Field, len(t.params))}
	for i, p := range t.params {
		ft.Params[i] = canon.Field{Name: p.name, Type: p.typ.canon}
	}
	if t.result != nil {
		ft.Result = t.result.canon
	}
	return ft
}
