package component

// sortIndex is a reference to a definition.
type sortIndex struct {
	sort  sort
	index int
}

// sortIndex reads a reference, and what it refers to.
func (p *parser) sortIndex() (sortIndex, definition) {
	s := p.sort("component external kind")
	i := p.u32()
	var d definition
	switch s {
	case sortModule:
		d = element(p.reader, "module", p.modules, i)
	case sortFunc:
		d = element(p.reader, "func", p.funcs, i)
	case sortType:
		d = element(p.reader, "type", p.types, i)
	case sortComponent:
		d = element(p.reader, "component", p.components, i)
	case sortInstance:
		d = element(p.reader, "instance", p.instances, i)
	case sortValue:
		p.invalid("unsupported: values")
	}
	return sortIndex{s, int(i)}, d
}

// sort reads a sort; of the core sorts only modules can be told from outside.
func (p *parser) sort(what string) sort {
	b := p.byte()
	if b > byte(sortInstance) {
		p.unexpected(b, what)
		return sortValue
	}
	if sort(b) == sortCore {
		if c := p.byte(); coreSort(c) != coreModule {
			p.unexpected(c, what)
		}
	}
	return sort(b)
}

// instance reads an instance: of a component, or made of definitions.
func (p *parser) instance() {
	switch b := p.byte(); b {
	case 0x00:
		p.instantiate()
	case 0x01:
		p.bundle()
	default:
		p.unexpected(b, "instance")
	}
}

// argument is what an instantiation or a bundle is given under a name.
type argument struct {
	name string
	from sortIndex
	def  definition
}

func (p *parser) instantiate() {
	i := p.u32()
	c := element(p.reader, "component", p.components, i)
	n := p.count(p.limits.Definitions)
	args := make(map[string]argument, n)
	for range n {
		a := argument{name: p.name()}
		a.from, a.def = p.sortIndex()
		if _, twice := args[a.name]; twice {
			p.invalid("instantiation argument %s conflicts with previous argument %s", quote(a.name), quote(a.name))
		}
		if p.failed() {
			return
		}
		args[a.name] = a
	}
	if p.failed() {
		return
	}
	d := &instanceDef{component: int(i)}
	m := newMatcher(p.budget, c.imported)
	for _, imp := range c.imports {
		a, ok := args[imp.name]
		if !ok {
			p.invalid("missing import named %s", quote(imp.name))
			return
		}
		if err := m.extern(externType{a.name, a.from.sort, a.def}, imp); err != nil {
			p.invalid("type mismatch for import %s: %s", quote(imp.name), err)
			return
		}
		d.args = append(d.args, a)
	}
	p.defined = append(p.defined, m.freshen(c.defined)...)
	d.typ = &instanceType{exports: m.subst.exports(c.exports)}
	p.define(d, externType{"", sortInstance, d.typ})
}

// bundle reads an instance that is made of definitions.
func (p *parser) bundle() {
	d := &bundleDef{}
	t := &instanceType{}
	var names namespace
	names.init("export")
	for range p.count(p.limits.Definitions) {
		name := p.externName()
		from, def := p.sortIndex()
		if p.failed() {
			return
		}
		x := externType{name.text, from.sort, def}
		p.check(names.add(name, x))
		t.exports.add(x)
		d.items = append(d.items, argument{name.text, from, def})
	}
	p.define(d, externType{"", sortInstance, t})
}

// alias reads an alias definition.
func (p *parser) alias() {
	at := p.pos
	b := p.byte()
	var core coreSort
	if sort(b) == sortCore {
		core = coreSort(p.byte())
	}
	switch target := p.byte(); target {
	case 0x00:
		p.aliasExport(b, core)
	case 0x01:
		p.aliasCoreExport(b, core)
	case 0x02:
		p.aliasOuter(b, core, at)
	default:
		p.unexpected(target, "alias")
	}
}

func (p *parser) aliasExport(b byte, core coreSort) {
	s := sort(b)
	if s > sortInstance || s == sortCore && core != coreModule {
		p.malformed("invalid leading byte (0x%x) for component export alias kind", b)
		return
	}
	if s == sortValue {
		p.invalid("unsupported: values")
	}
	i := p.u32()
	name := p.name()
	t := element(p.reader, "instance", p.instances, i)
	if p.failed() {
		return
	}
	x, ok := t.exports.find(name)
	switch {
	case !ok:
		p.invalid("instance %d has no export named %s", i, quote(name))
	case x.sort != s:
		p.invalid("export %s of instance %d is not a %s", quote(name), i, s)
	case p.kind == inComponent:
		p.define(&aliasDef{instance: int(i), name: name, sort: s}, x)
	default:
		p.push(x)
	}
}

func (p *parser) aliasCoreExport(b byte, core coreSort) {
	i := p.u32()
	name := p.name()
	if sort(b) != sortCore || core > coreGlobal {
		p.malformed("invalid leading byte (0x%x) for component core export alias kind", max(b, byte(core)))
		return
	}
	t := element(p.reader, "core instance", p.coreInstances, i)
	if p.failed() {
		return
	}
	item, ok := t[name]
	switch {
	case !ok:
		p.invalid("core instance %d has no export named %s", i, quote(name))
	case item.sort != core:
		p.invalid("export %s of core instance %d is not a %s", quote(name), i, core)
	default:
		p.core[core].add(item, coreSource{instance: int(i), name: name})
	}
}

// aliasOuter reads an alias of a definition of an enclosing scope.
func (p *parser) aliasOuter(b byte, core coreSort, at int) {
	count, i := p.u32(), p.u32()
	s := sort(b)
	allowed := s == sortCore && (core == coreModule || core == coreType) || s == sortType || s == sortComponent
	if !allowed {
		if p.pos = at; s == sortCore {
			b = byte(core)
		}
		p.malformed("invalid leading byte (0x%x) for component outer alias kind", b)
		return
	}
	from := p.enclosing(count)
	if from == nil {
		return
	}
	switch {
	case s == sortCore && core == coreType:
		p.coreTypes = append(p.coreTypes, element(p.reader, "core type", from.coreTypes, i))
	case s == sortType:
		p.types = append(p.types, p.outerType(from, i))
	case s == sortComponent:
		t := element(p.reader, "component", from.components, i)
		p.define(&outerDef{count: int(count), index: int(i), sort: s}, externType{"", s, t})
	default:
		t := element(p.reader, "module", from.modules, i)
		p.define(&outerDef{count: int(count), index: int(i), sort: s}, externType{"", s, t})
	}
}

// outerType returns a type of an enclosing scope. Resources are made anew by
// each instance of a component, so that a component inside it cannot know them.
func (p *parser) outerType(from *scope, i uint32) definition {
	d := element(p.reader, "type", from.types, i)
	if p.failed() {
		return d
	}
	for s := p.scope; s != from; s = s.parent {
		if s.kind == inComponent {
			if !p.resourceFree(d, nil) {
				p.invalid("outer alias of type %d, which transitively refers to resources not defined in the current component", i)
			}
			break
		}
	}
	return d
}

// aliasDecl reads an alias in a component type or instance type.
func (p *parser) aliasDecl() {
	at := p.pos
	b := p.byte()
	core := coreType
	if sort(b) == sortCore {
		core = coreSort(p.byte())
	}
	target := p.peek()
	types := sort(b) == sortType || target == 0x00 && sort(b) == sortInstance || target == 0x02 && sort(b) == sortCore && core == coreType
	p.pos = at
	if !types {
		p.invalid("aliases in component and instance types may only refer to types or instances")
		return
	}
	p.alias()
}
