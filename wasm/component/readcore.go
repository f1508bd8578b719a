package component

// coreInstance reads a core instance: of a module, or made of exports.
func (p *parser) coreInstance() {
	switch b := p.byte(); b {
	case 0x00:
		p.coreInstantiate()
	case 0x01:
		p.coreBundle()
	default:
		p.unexpected(b, "core instance")
	}
}

func (p *parser) coreInstantiate() {
	i := p.u32()
	mod := element(p.reader, "module", p.modules, i)
	n := p.count(p.limits.Definitions)
	args := make(map[string]int, n)
	for range n {
		name := p.name()
		if b := p.byte(); b != byte(coreInstance) {
			p.unexpected(b, "instantiation arg kind")
		}
		arg := p.u32()
		element(p.reader, "core instance", p.coreInstances, arg)
		if _, twice := args[name]; twice {
			p.invalid("duplicate module instantiation argument named %s", quote(name))
		}
		args[name] = int(arg)
		if p.failed() {
			return
		}
	}
	if p.failed() {
		return
	}
	p.matchImports(mod, args)
	p.coreInstances = append(p.coreInstances, mod.exports)
	p.perform(&coreInstanceDef{module: int(i), args: args})
}

// matchImports checks that args have all that a module imports.
func (p *parser) matchImports(mod *moduleType, args map[string]int) {
	for _, imp := range mod.imports {
		if !p.spend(1) {
			return
		}
		arg, ok := args[imp.module]
		if !ok {
			p.invalid("missing module instantiation argument named %s", quote(imp.module))
			return
		}
		item, ok := p.coreInstances[arg][imp.name]
		if !ok {
			p.invalid("module instantiation argument %s does not export an item named %s", quote(imp.module), quote(imp.name))
			return
		}
		if err := matchItem(item, imp.item); err != nil {
			p.invalid("type mismatch for import %s::%s: %s", quote(imp.module), quote(imp.name), err)
			return
		}
	}
}

// coreBundle reads a core instance that is made of what others export.
func (p *parser) coreBundle() {
	n := p.count(p.limits.Definitions)
	exports := make(map[string]coreItem, n)
	d := &coreBundleDef{items: make([]bundleItem, 0, n)}
	for range n {
		name, sort := p.name(), coreSort(p.byte())
		if sort > coreGlobal {
			p.bundleSort(sort)
			return
		}
		i := p.u32()
		item := element(p.reader, "core "+sort.String(), p.core[sort].items, i)
		if _, twice := exports[name]; twice {
			p.invalid("export name %s already defined", quote(name))
		}
		if p.failed() {
			return
		}
		exports[name] = item
		d.items = append(d.items, bundleItem{name, item, p.core[sort].sources[i]})
	}
	p.coreInstances = append(p.coreInstances, exports)
	p.perform(d)
}

func (p *parser) bundleSort(sort coreSort) {
	switch sort {
	case coreTag:
		p.invalid("unsupported: exceptions")
	case coreType, coreModule, coreInstance:
		p.invalid("a core instance cannot export a %s", sort)
	default:
		p.unexpected(byte(sort), "core sort")
	}
}

// coreType reads a core type definition of a component.
func (p *parser) coreType() definition {
	c := &coreReader{reader: p.reader, max: p.limits.Definitions}
	switch b := p.byte(); b {
	case 0x60:
		return &coreFuncType{c.signature()}
	case 0x50:
		return p.moduleType(c)
	case 0x00, 0x4e, 0x4f, 0x5e, 0x5f:
		p.invalid("unsupported: core types of garbage collection")
	default:
		p.unexpected(b, "core type")
	}
	return &coreFuncType{&signature{}}
}

// moduleType reads the type of a core module.
func (p *parser) moduleType(c *coreReader) *moduleType {
	t := &moduleType{exports: map[string]coreItem{}}
	seen := map[[2]string]bool{}
	for range p.count(p.limits.Definitions) {
		if p.failed() || !p.spend(1) {
			break
		}
		switch b := p.byte(); b {
		case 0x00:
			c.addImport(t, seen)
		case 0x01:
			if b := p.byte(); b != 0x60 {
				p.pos--
				p.invalid("invalid leading byte (0x%x): a module type defines function types only", b)
			}
			c.types = append(c.types, c.signature())
		case 0x02:
			c.types = append(c.types, p.coreAlias(c))
		case 0x03:
			c.addExport(t, p.name(), c.item())
		default:
			p.unexpected(b, "type definition")
		}
	}
	return t
}

// coreAlias reads an alias of a core type of the scopes around a module type.
func (p *parser) coreAlias(c *coreReader) *signature {
	if b := p.byte(); b != byte(coreType) {
		p.unexpected(b, "outer alias kind")
	}
	if b := p.byte(); b != 0x01 {
		p.unexpected(b, "outer alias target")
	}
	count, i := p.u32(), p.u32()
	if count == 0 {
		return element(p.reader, "core type", c.types, i)
	}
	s := p.enclosing(count - 1)
	if s == nil {
		return nil
	}
	t, ok := element(p.reader, "core type", s.coreTypes, i).(*coreFuncType)
	if !ok {
		p.invalid("outer alias of core type %d, which is not a function type", i)
		return nil
	}
	return t.sig
}

// enclosing returns the scope count levels out, and fails if there is none.
func (p *parser) enclosing(count uint32) *scope {
	s := p.scope
	for range count {
		if s == nil {
			break
		}
		s = s.parent
	}
	if s == nil {
		p.invalid("invalid outer alias count of %d", count)
	}
	return s
}
