package component

// scopeType reads a component type or an instance type, in a scope of its own.
func (p *parser) scopeType(component bool) definition {
	kind := inInstanceType
	if component {
		kind = inComponentType
	}
	in := &parser{p.reader, newScope(kind, p.scope), p.decoder}
	if in.depth > p.limits.Nesting {
		p.invalid("types nest deeper than %d", p.limits.Nesting)
	}
	in.each(in.declaration)
	if component {
		return in.componentType()
	}
	return &instanceType{exports: in.exports, vars: in.defined}
}

// declaration reads one declaration of a component type or instance type.
func (p *parser) declaration() {
	const what = "component or instance type declaration"
	switch b := p.byte(); {
	case b == 0x00:
		p.coreTypes = append(p.coreTypes, p.coreType())
	case b == 0x01:
		p.types = append(p.types, p.typeDef())
	case b == 0x02:
		p.aliasDecl()
	case b == 0x03 && p.kind == inComponentType:
		name := p.externName()
		x, fresh := p.externType(name.text)
		p.declareImport(name, x, fresh)
	case b == 0x04:
		name := p.externName()
		x, fresh := p.externType(name.text)
		p.declareExport(name, x, fresh)
	default:
		p.unexpected(b, what)
	}
}

// externName reads the name of an import or export with its attributes.
func (p *parser) externName() externName {
	form := p.byte()
	if form > 0x02 {
		p.unexpected(form, "component name")
	}
	text := p.name()
	if p.failed() {
		return externName{}
	}
	name, err := parseName(text)
	if err != nil {
		p.invalid("%s is not a valid extern name: %s", quote(text), err)
		return name
	}
	suffix, hasSuffix := "", false
	if form == 0x02 {
		suffix, hasSuffix = p.attributes(&name)
	}
	p.check(name.checkVersion(suffix, hasSuffix))
	return name
}

// Attributes of a name.
const (
	attrImplements = iota
	attrVersionSuffix
	attrExternalID
)

// attributes reads the attributes of a name. They say nothing of its type.
func (p *parser) attributes(name *externName) (suffix string, hasSuffix bool) {
	var seen [attrExternalID + 1]bool
	for range p.count(p.limits.Definitions) {
		kind := p.byte()
		if kind > attrExternalID {
			p.unexpected(kind, "name option")
			return "", false
		}
		if seen[kind] {
			p.invalid("duplicate option 0x%x in name %s", kind, quote(name.text))
		}
		seen[kind] = true
		value := p.name()
		switch kind {
		case attrImplements:
			p.implements(*name, value)
			name.implements = true
		case attrVersionSuffix:
			suffix, hasSuffix = value, true
		}
	}
	return suffix, hasSuffix
}

// implements checks that a plain name says it implements an interface. That it
// names an instance is checked with its type.
func (p *parser) implements(name externName, value string) {
	iface, err := parseName(value)
	if err == nil && iface.version != "" {
		err = iface.checkVersion("", false)
	}
	switch {
	case err != nil:
		p.invalid("implements %s: not a valid name: %s", quote(value), err)
	case iface.kind != interfaceName:
		p.invalid("implements %s: must be an interface", quote(value))
	case name.kind != plain:
		p.invalid("name %s is not valid with `implements`", quote(name.text))
	}
}

// externType reads the type of an import or export. Resources that it brings
// with it are new.
func (p *parser) externType(name string) (x externType, fresh []*resource) {
	x.name = name
	b := p.byte()
	switch b {
	case 0x00:
		if b := p.byte(); b != byte(coreModule) {
			p.unexpected(b, "component external kind")
		}
		i := p.u32()
		t, ok := element(p.reader, "core type", p.coreTypes, i).(*moduleType)
		if !ok {
			p.invalid("core type index %d is not a module type", i)
		}
		x.sort, x.def = sortModule, t
	case 0x01:
		x.sort, x.def = sortFunc, typeAt[*funcType](p, "a function type")
	case 0x02:
		p.invalid("unsupported: values")
	case 0x03:
		x.sort = sortType
		x.def, fresh = p.typeBound(name)
	case 0x04:
		x.sort, x.def = sortComponent, typeAt[*componentType](p, "a component type")
	case 0x05:
		x.sort = sortInstance
		if t := typeAt[*instanceType](p, "an instance type"); !p.failed() {
			x.def, fresh = p.open(t)
		}
	default:
		p.unexpected(b, "component external kind")
	}
	return x, fresh
}

// typeAt reads the index of a type of one sort.
func typeAt[T definition](p *parser, what string) T {
	i := p.u32()
	t, ok := element(p.reader, "type", p.types, i).(T)
	if !ok {
		p.invalid("type index %d is not %s", i, what)
	}
	return t
}

// typeBound reads what is known of an imported or exported type: that it
// equals another, or that it is a resource.
func (p *parser) typeBound(name string) (definition, []*resource) {
	switch b := p.byte(); b {
	case 0x00:
		return rename(element(p.reader, "type", p.types, p.u32())), nil
	case 0x01:
		r := &resource{name: name}
		return &resourceType{r}, []*resource{r}
	default:
		p.unexpected(b, "type bound")
	}
	return nil, nil
}

// declareImport adds an import to the scope.
func (p *parser) declareImport(name externName, x externType, fresh []*resource) {
	if p.failed() {
		return
	}
	p.check(p.importing.add(name, x))
	p.check(p.importing.visible.extern(p.budget, x, "import"))
	p.imported = append(p.imported, fresh...)
	p.imports = append(p.imports, x)
	p.push(x)
}

// declareExport adds an export to the scope. What imports name is visible to
// exports, too; an instance type may use what is visible where it is used.
func (p *parser) declareExport(name externName, x externType, fresh []*resource) {
	if p.failed() {
		return
	}
	p.check(p.exporting.add(name, x))
	if p.kind != inInstanceType {
		p.check(p.exporting.visible.extern(p.budget, x, "export"))
	}
	p.defined = append(p.defined, fresh...)
	p.exports.add(x)
	p.push(x)
}
