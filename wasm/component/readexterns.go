package component

// importDef reads an import definition.
func (p *parser) importDef() {
	name := p.externName()
	x, fresh := p.externType(name.text)
	if p.failed() {
		return
	}
	p.perform(&importDef{index: len(p.imports), typ: x})
	p.declareImport(name, x, fresh)
}

// exportDef reads an export definition. What it exports gets a new index, and
// the type that is ascribed to it, if one is.
func (p *parser) exportDef() {
	name := p.externName()
	from, def := p.sortIndex()
	ascribed := p.optional("optional component export type")
	if p.failed() {
		return
	}
	x := externType{name.text, from.sort, def}
	d := &exportDef{argument: argument{name.text, from, def}}
	var fresh []*resource
	if ascribed {
		x, fresh = p.externType(name.text)
		if p.failed() {
			return
		}
		m := newMatcher(p.budget, fresh)
		if err := m.extern(externType{name.text, from.sort, def}, x); err != nil {
			p.invalid("ascribed type of export is not compatible with item's type: %s", err)
			return
		}
	} else if x.sort == sortType {
		x.def = rename(def)
	}
	d.typ = x
	p.perform(d)
	p.declareExport(name, x, fresh)
}
