package component

import "github.com/astrid-go/astrid/wasm/canon"

// typeDef reads a type definition.
func (p *parser) typeDef() definition {
	p.spend(1)
	switch b := p.peek(); b {
	case 0x40:
		p.byte()
		return p.funcType()
	case 0x41, 0x42:
		p.byte()
		return p.scopeType(b == 0x41)
	case 0x43:
		p.invalid("unsupported: async functions")
	case 0x3f:
		p.byte()
		return p.resource()
	default:
		return p.defValType()
	}
	return primitives[canon.Bool]
}

// primitive returns the type of a primitive's byte, or nil.
func primitive(b byte) *valType {
	const first, last = 0x73, 0x7f // string, bool
	if b < first || b > last {
		return nil
	}
	order := [...]canon.Kind{canon.String, canon.Char32, canon.F64, canon.F32, canon.U64, canon.S64, canon.U32, canon.S32,
		canon.U16, canon.S16, canon.U8, canon.S8, canon.Bool}
	return primitives[order[b-first]]
}

// valType reads a value type: a primitive's byte or an index.
func (p *parser) valType() *valType {
	b := p.peek()
	if t := primitive(b); t != nil {
		p.byte()
		return t
	}
	if b == 0x64 {
		p.invalid("unsupported: error contexts")
		return primitives[canon.Bool]
	}
	i := p.index33("component value type")
	d := element(p.reader, "type", p.types, i)
	t, ok := d.(*valType)
	if !ok {
		p.invalid("type index %d is not a defined type", i)
		return primitives[canon.Bool]
	}
	return t
}

func (p *parser) optionalValType() *valType {
	if p.optional("optional type") {
		return p.valType()
	}
	return nil
}

// defValType reads a defined value type.
func (p *parser) defValType() *valType {
	b := p.byte()
	if t := primitive(b); t != nil {
		out := *t // a definition is a name of its own
		return &out
	}
	t := &valType{}
	switch b {
	case 0x72:
		t.kind, t.fields = canon.Record, p.labelled("record field name", func() *valType { return p.valType() })
	case 0x71:
		t.kind, t.fields = canon.Variant, p.labelled("variant case name", p.payload)
	case 0x70:
		t.kind, t.elem = canon.List, p.valType()
	case 0x6f:
		t.kind, t.fields = canon.Tuple, p.positional()
	case 0x6e:
		t.kind, t.fields = canon.Flags, p.labelled("flag name", nil)
	case 0x6d:
		t.kind, t.fields = canon.Enum, p.labelled("enum tag name", nil)
	case 0x6b:
		t.kind, t.fields = canon.OptionOf, []valField{{name: "none"}, {"some", p.valType()}}
	case 0x6a:
		t.kind, t.fields = canon.ResultOf, []valField{{"ok", p.optionalValType()}, {"error", p.optionalValType()}}
	case 0x69:
		t.kind, t.res = canon.OwnOf, p.resourceIndex()
	case 0x68:
		t.kind, t.res = canon.BorrowOf, p.resourceIndex()
	default:
		p.unsupportedType(b)
	}
	return p.finish(t)
}

// finish completes a type if all of it could be read.
func (p *parser) finish(t *valType) *valType {
	if p.failed() {
		return primitives[canon.Bool]
	}
	p.spend(len(t.fields))
	if err := t.complete(); err != nil {
		p.invalid("%s", err)
		return primitives[canon.Bool]
	}
	if t.depth > p.limits.TypeDepth {
		p.invalid("type nests deeper than %d", p.limits.TypeDepth)
	}
	return t
}

func (p *parser) unsupportedType(b byte) {
	switch b {
	case 0x67:
		p.invalid("unsupported: lists of fixed length")
	case 0x66, 0x65:
		p.invalid("unsupported: streams and futures")
	case 0x64:
		p.invalid("unsupported: error contexts")
	case 0x63:
		p.invalid("unsupported: maps")
	default:
		p.unexpected(b, "component defined type")
	}
}

// labelled reads labels, each followed by what read reads.
func (p *parser) labelled(what string, read func() *valType) []valField {
	n := p.count(p.limits.Definitions)
	fields := make([]valField, 0, n)
	names := make(nameSet, n)
	for range n {
		label := p.name()
		if p.failed() {
			return nil
		}
		if label == "" {
			p.invalid("%s cannot be empty", what)
			return nil
		}
		p.check(checkLabel(label))
		p.check(names.add(externName{text: label}.canonical(), label, what))
		f := valField{name: label}
		if read != nil {
			f.typ = read()
		}
		fields = append(fields, f)
	}
	return fields
}

// payload reads what follows a case's label.
func (p *parser) payload() *valType {
	t := p.optionalValType()
	p.zero("zero byte required")
	return t
}

func (p *parser) positional() []valField {
	n := p.count(p.limits.Definitions)
	fields := make([]valField, n)
	for i := range fields {
		fields[i].typ = p.valType()
	}
	return fields
}

func (p *parser) resourceIndex() *resourceType {
	i := p.u32()
	t, ok := element(p.reader, "type", p.types, i).(*resourceType)
	if !ok {
		p.invalid("type index %d is not a resource type", i)
	}
	return t
}

func (p *parser) funcType() *funcType {
	f := &funcType{params: p.labelled("function parameter name", func() *valType { return p.valType() })}
	switch b := p.byte(); b {
	case 0x00:
		f.result = p.valType()
	case 0x01:
		p.zero("number of results")
	default:
		p.unexpected(b, "component function results")
	}
	if p.failed() {
		return &funcType{}
	}
	for _, param := range f.params {
		f.join(param.typ.facts)
	}
	if f.result != nil {
		if f.result.borrows {
			p.invalid("function returns a type which contains a `borrow<T>`")
		}
		f.join(f.result.facts)
	}
	p.spend(len(f.params))
	return f
}

// resource reads a resource type definition, which makes a new type.
func (p *parser) resource() definition {
	if p.kind != inComponent {
		p.invalid("resources can only be defined within a concrete component")
		return primitives[canon.Bool]
	}
	if b := p.byte(); b != 0x7f {
		p.pos--
		p.invalid("a resource is represented by an i32, not by type 0x%x", b)
	}
	r := &resource{}
	d := &resourceDef{id: r}
	if p.optional("resource destructor") {
		i := p.u32()
		item := element(p.reader, "core func", p.core[coreFunc].items, i)
		if p.failed() {
			return primitives[canon.Bool]
		}
		if want := (signature{params: i32s(1)}); !item.sig.equal(want) {
			p.invalid("resource destructor has type %s, it must be %s", item.sig, want)
		}
		d.dtor = p.funcSource(i)
	}
	p.defined = append(p.defined, r)
	p.local[r] = true
	p.perform(d)
	return &resourceType{r}
}
