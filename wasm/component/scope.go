package component

import "fmt"

// scopeKind says what a scope belongs to.
type scopeKind uint8

const (
	inComponent scopeKind = iota
	inComponentType
	inInstanceType
)

// scope is the index spaces of a component, component type or instance type
// while it is read, and what its type is made of.
type scope struct {
	kind   scopeKind
	parent *scope
	depth  int

	coreTypes     []definition // *moduleType or *coreFuncType
	modules       []*moduleType
	coreInstances []map[string]coreItem
	core          [coreGlobal + 1]coreSpace
	types         []definition
	funcs         []*funcType
	components    []*componentType
	instances     []*instanceType

	imports   []externType
	exports   exportMap
	importing namespace
	exporting namespace

	// Resources: those that imports stand for, those that came into being
	// here, and of those the ones whose representation is known here.
	imported, defined []*resource
	local             map[*resource]bool

	component *Component // of inComponent
}

// coreFuncType is a function type in the core type index space.
type coreFuncType struct{ sig *signature }

func (*coreFuncType) describe() string { return "core function type" }

// coreSpace is the index space of one core sort: types, and where to find the
// things themselves.
type coreSpace struct {
	items   []coreItem
	sources []coreSource
}

// coreSource is where a core function, table, memory or global is: an export
// of a core instance, or a function that this package makes.
type coreSource struct {
	instance int
	name     string
	site     *site // if not nil
}

func (c *coreSpace) add(item coreItem, from coreSource) {
	c.items = append(c.items, item)
	c.sources = append(c.sources, from)
}

func newScope(kind scopeKind, parent *scope) *scope {
	s := &scope{kind: kind, parent: parent, local: map[*resource]bool{}}
	s.importing.init("import")
	s.exporting.init("export")
	s.exporting.visible.also = &s.importing.visible
	if parent != nil {
		s.depth = parent.depth + 1
	}
	return s
}

// namespace is the names of the imports or exports of a scope.
type namespace struct {
	what      string
	names     nameSet
	resources map[string]*resource // by label
	visible   visibility
}

func (n *namespace) init(what string) {
	n.what, n.names, n.resources = what, nameSet{}, map[string]*resource{}
	n.visible = visibility{named: map[definition]bool{}}
}

// add checks a name against the type of what it names and the names before it.
func (n *namespace) add(name externName, x externType) error {
	if name.implements && x.sort != sortInstance {
		return fmt.Errorf("%s: only instances can have an `implements`", quote(name.text))
	}
	if err := n.names.add(name.canonical(), name.text, n.what); err != nil {
		return err
	}
	if r, ok := x.def.(*resourceType); ok && x.sort == sortType && name.kind == plain {
		n.resources[name.text] = r.id
	}
	return n.annotated(name, x)
}

// annotated checks that a constructor, method or static function suits its
// resource.
func (n *namespace) annotated(name externName, x externType) error {
	if name.kind == plain || name.kind == interfaceName {
		return nil
	}
	f, ok := x.def.(*funcType)
	if !ok || x.sort != sortFunc {
		return fmt.Errorf("%s is not a func", quote(name.text))
	}
	id, known := n.resources[name.resource]
	if !known {
		return fmt.Errorf("%s: resource %s does not have a name in this context", quote(name.text), quote(name.resource))
	}
	switch name.kind {
	case constructor:
		if !constructs(f, id) {
			return fmt.Errorf("%s: function should return `(own $T)` or `(result (own $T))` of the resource", quote(name.text))
		}
	case method:
		if len(f.params) == 0 || f.params[0].name != "self" || !handles(f.params[0].typ, id, true) {
			return fmt.Errorf("%s: function should have a first argument called `self` which is `(borrow $T)` of the resource", quote(name.text))
		}
	}
	return nil
}

// push adds what x is the type of to the index space of its sort.
func (s *scope) push(x externType) {
	switch d := x.def.(type) {
	case *moduleType:
		s.modules = append(s.modules, d)
	case *funcType:
		if x.sort == sortFunc {
			s.funcs = append(s.funcs, d)
		}
	case *componentType:
		if x.sort == sortComponent {
			s.components = append(s.components, d)
		}
	case *instanceType:
		if x.sort == sortInstance {
			s.instances = append(s.instances, d)
		}
	}
	if x.sort == sortType {
		s.types = append(s.types, x.def)
	}
}

// largest returns the size of the largest index space.
func (s *scope) largest() int {
	n := max(len(s.coreTypes), len(s.modules), len(s.coreInstances), len(s.types), len(s.funcs), len(s.components), len(s.instances))
	for i := range s.core {
		n = max(n, len(s.core[i].items))
	}
	return n
}

// componentType returns the type of the component, or component type, that s
// is the scope of.
func (s *scope) componentType() *componentType {
	return &componentType{imports: s.imports, exports: s.exports, imported: s.imported, defined: s.defined}
}
