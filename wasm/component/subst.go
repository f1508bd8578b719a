package component

import "github.com/astrid-go/astrid/wasm/canon"

// budget bounds the work on the types of a component.
type budget struct{ left int }

// spend takes n from the budget. When it is spent, types are not walked any
// further; whoever walks must look at exhausted before using what comes out.
func (b *budget) spend(n int) bool {
	b.left -= n
	return b.left >= 0
}

func (b *budget) exhausted() bool { return b.left < 0 }

// subst replaces resources in types. Names stay names: what shared a pointer
// before does so afterwards. What mentions no replaced resource is kept as it
// is.
type subst struct {
	*budget
	to    map[*resource]*resource
	types map[definition]definition
}

func newSubst(b *budget) *subst {
	return &subst{budget: b, to: map[*resource]*resource{}, types: map[definition]definition{}}
}

// freshen replaces each of vars by a new resource and returns the new ones.
func (s *subst) freshen(vars []*resource) []*resource {
	fresh := make([]*resource, len(vars))
	s.spend(len(vars))
	for i, v := range vars {
		fresh[i] = &resource{name: v.name}
		s.to[v] = fresh[i]
	}
	return fresh
}

func (s *subst) definition(d definition) definition {
	if d == nil || len(s.to) == 0 {
		return d
	}
	if done, ok := s.types[d]; ok {
		return done
	}
	if !s.spend(1) {
		return d
	}
	out := d
	switch d := d.(type) {
	case *resourceType:
		if id, ok := s.to[d.id]; ok {
			out = &resourceType{id}
		}
	case *valType:
		if d.handles {
			out = s.value(d)
		}
	case *funcType:
		if d.handles {
			out = s.function(d)
		}
	case *instanceType:
		out = &instanceType{exports: s.exports(d.exports), vars: d.vars}
	case *componentType:
		out = &componentType{s.externs(d.imports), s.exports(d.exports), d.imported, d.defined}
	}
	s.types[d] = out
	return out
}

func (s *subst) val(t *valType) *valType {
	if t == nil {
		return nil
	}
	return s.definition(t).(*valType)
}

// value replaces in a type that has handles. The layout stays.
func (s *subst) value(t *valType) *valType {
	out := *t
	out.fields = s.fields(t.fields)
	out.elem = s.val(t.elem)
	if t.res != nil {
		out.res = s.definition(t.res).(*resourceType)
	}
	return &out
}

func (s *subst) fields(fields []valField) []valField {
	out := make([]valField, len(fields))
	for i, f := range fields {
		s.spend(1)
		out[i] = valField{f.name, s.val(f.typ)}
	}
	return out
}

func (s *subst) function(t *funcType) *funcType {
	return &funcType{params: s.fields(t.params), result: s.val(t.result), facts: t.facts}
}

func (s *subst) externs(list []externType) []externType {
	if !s.spend(len(list)) {
		return list
	}
	out := make([]externType, len(list))
	for i, x := range list {
		out[i] = externType{x.name, x.sort, s.definition(x.def)}
	}
	return out
}

func (s *subst) exports(m exportMap) exportMap {
	return exportMap{s.externs(m.list), m.index}
}

// open returns the type of an instance of t with resources of its own, and
// those resources.
func (b *budget) open(t *instanceType) (*instanceType, []*resource) {
	if len(t.vars) == 0 {
		return t, nil
	}
	s := newSubst(b)
	fresh := s.freshen(t.vars)
	return &instanceType{exports: s.exports(t.exports)}, fresh
}

// rename returns a new name for a type.
func rename(d definition) definition {
	switch d := d.(type) {
	case *resourceType:
		return &resourceType{d.id}
	case *valType:
		out := *d
		return &out
	}
	return d
}

// resourceFree reports whether d mentions no resource but those it binds
// itself.
func (b *budget) resourceFree(d definition, bound map[*resource]bool) bool {
	if !b.spend(1) {
		return false
	}
	switch d := d.(type) {
	case *resourceType:
		return bound[d.id]
	case *valType:
		return !d.handles || b.valueFree(d, bound)
	case *funcType:
		return !d.handles || b.fieldsFree(d.params, bound) && (d.result == nil || b.resourceFree(d.result, bound))
	case *instanceType:
		return b.externsFree(d.exports.list, bind(bound, d.vars))
	case *componentType:
		bound = bind(bind(bound, d.imported), d.defined)
		return b.externsFree(d.imports, bound) && b.externsFree(d.exports.list, bound)
	}
	return true
}

func bind(bound map[*resource]bool, vars []*resource) map[*resource]bool {
	out := make(map[*resource]bool, len(bound)+len(vars))
	for v := range bound {
		out[v] = true
	}
	for _, v := range vars {
		out[v] = true
	}
	return out
}

func (b *budget) valueFree(t *valType, bound map[*resource]bool) bool {
	if t.kind == canon.OwnOf || t.kind == canon.BorrowOf {
		return bound[t.res.id]
	}
	return b.fieldsFree(t.fields, bound) && (t.elem == nil || b.resourceFree(t.elem, bound))
}

func (b *budget) fieldsFree(fields []valField, bound map[*resource]bool) bool {
	for _, f := range fields {
		if f.typ != nil && !b.resourceFree(f.typ, bound) {
			return false
		}
	}
	return true
}

func (b *budget) externsFree(list []externType, bound map[*resource]bool) bool {
	for _, x := range list {
		if !b.resourceFree(x.def, bound) {
			return false
		}
	}
	return true
}
