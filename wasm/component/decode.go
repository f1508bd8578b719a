package component

import (
	"bytes"
	"fmt"
)

// Sections of a component.
const (
	secCustom = iota
	secModule
	secCoreInstance
	secCoreType
	secComponent
	secInstance
	secAlias
	secType
	secCanon
	secStart
	secImport
	secExport
	secValue
)

var sectionNames = [...]string{"custom", "core module", "core instance", "core type", "component", "instance", "alias", "type",
	"canon", "start", "import", "export", "value"}

var header = []byte{0, 'a', 's', 'm', 0x0d, 0, 1, 0}

// Component is a decoded and valid component. It is immutable.
type Component struct {
	typ   *componentType
	defs  []def   // in the order in which instantiation meets them
	sites []*site // the core functions that it is given

	name    string // from its name section
	customs []Custom
}

// Custom is a custom section: of producers, names, or anything.
type Custom struct {
	Name string
	Data []byte // aliases the component's bytes
}

// Name returns the component's name if its name section tells one.
func (c *Component) Name() string { return c.name }

// CustomSections returns the component's custom sections, in order. They are
// not validated.
func (c *Component) CustomSections() []Custom { return c.customs }

// IsComponent reports whether data begins as a component does, whatever the
// version, and not as a core module.
func IsComponent(data []byte) bool {
	return len(data) >= len(header) && bytes.HasPrefix(data, header[:4]) && data[6] == header[6]
}

// Decode reads and validates a component, which it keeps and which must not
// change. Core modules inside are validated as far as their types go; their
// code is validated when it is compiled. The error is a *DecodeError or a
// *ValidationError.
func Decode(data []byte, l Limits) (*Component, error) {
	l = l.withDefaults()
	r := &reader{data: data, end: len(data), section: "header", fault: &fault{}}
	if len(data) > l.Bytes {
		r.invalid("component of %d bytes, at most %d are allowed", len(data), l.Bytes)
		return nil, r.fault.err
	}
	d := &decoder{limits: l, budget: &budget{left: l.TypeNodes}}
	c := d.component(r, nil)
	if d.exhausted() {
		r.invalid("%s: at most %d parts are allowed", errBudget, l.TypeNodes)
	}
	if r.failed() {
		return nil, r.fault.err
	}
	return c, nil
}

// decoder is what all parts of a component share while it is read.
type decoder struct {
	limits Limits
	*budget
	sites int // in all of the component
}

// nextSite numbers the core functions that this package makes.
func (d *decoder) nextSite() int {
	d.sites++
	return d.sites - 1
}

// parser reads the definitions of one scope.
type parser struct {
	*reader
	*scope
	*decoder
}

// component reads the component that fills r.
func (d *decoder) component(r *reader, parent *scope) *Component {
	p := &parser{r, newScope(inComponent, parent), d}
	p.scope.component = &Component{}
	head := r.bytes(uint32(len(header)))
	switch {
	case r.failed():
	case !bytes.Equal(head[:4], header[:4]):
		r.malformed("magic header not detected")
	case !bytes.Equal(head, header):
		r.malformed("unknown binary version and layer % x: expected a version header for a component", head[4:])
	}
	if p.depth > d.limits.Nesting {
		r.invalid("components nest deeper than %d", d.limits.Nesting)
	}
	for r.left() > 0 && !r.failed() {
		p.readSection()
	}
	p.scope.component.typ = p.componentType()
	return p.scope.component
}

// readSection reads a section, which must be filled by what it says it has.
func (p *parser) readSection() {
	r := p.reader
	id := r.byte()
	if int(id) >= len(sectionNames) {
		r.pos--
		r.malformed("malformed section id: %d", id)
		return
	}
	outer := r.section
	r.section = sectionNames[id]
	size := r.u32()
	start, end := r.pos, r.end
	r.bytes(size)
	if r.failed() {
		return
	}
	r.pos, r.end = start, start+int(size)
	p.section(id)
	if r.left() > 0 {
		r.malformed("section size mismatch: %d bytes are left over", r.left())
	}
	r.end, r.section = end, outer
	if r.failed() {
		r.pos = end
	}
}

func (p *parser) section(id byte) {
	switch id {
	case secCustom:
		p.custom()
	case secModule:
		m := readModule(p.reader, p.limits.Definitions)
		p.define(&moduleDef{module: m}, externType{"", sortModule, m.typ})
	case secComponent:
		c := p.decoder.component(p.reader, p.scope)
		p.define(&componentDef{component: c}, externType{"", sortComponent, c.typ})
	case secStart:
		p.start()
	case secValue:
		p.invalid("unsupported: value definitions")
	default:
		p.each(p.readers()[id])
	}
}

// readers returns what reads one definition, for sections that are vectors.
func (p *parser) readers() map[byte]func() {
	return map[byte]func(){
		secCoreInstance: p.coreInstance,
		secCoreType:     func() { p.coreTypes = append(p.coreTypes, p.coreType()) },
		secInstance:     p.instance,
		secAlias:        p.alias,
		secType:         func() { p.types = append(p.types, p.typeDef()) },
		secCanon:        p.canon,
		secImport:       p.importDef,
		secExport:       p.exportDef,
	}
}

// each reads a vector of definitions.
func (p *parser) each(read func()) {
	for range p.count(p.limits.Definitions) {
		if p.failed() {
			return
		}
		if p.exhausted() {
			p.invalid("%s: at most %d parts are allowed", errBudget, p.limits.TypeNodes)
			return
		}
		read()
		if p.largest() > p.limits.Definitions {
			p.invalid("more than %d definitions", p.limits.Definitions)
		}
	}
}

// define adds a definition and its type.
func (p *parser) define(d def, x externType) {
	p.scope.component.defs = append(p.scope.component.defs, d)
	p.push(x)
}

// perform adds a definition that the caller has pushed, or that has no index.
func (p *parser) perform(d def) {
	p.scope.component.defs = append(p.scope.component.defs, d)
}

// custom keeps a custom section. A name section may be anything.
func (p *parser) custom() {
	name := p.name()
	data := p.bytes(uint32(p.left()))
	c := p.scope.component
	if p.failed() {
		return
	}
	if len(c.customs) == p.limits.Definitions {
		p.invalid("more than %d custom sections", p.limits.Definitions)
		return
	}
	c.customs = append(c.customs, Custom{name, data})
	if name == "component-name" && c.name == "" {
		c.name = componentName(data)
	}
}

// componentName returns the name in the first subsection of a name section, or
// nothing if there is none to be read.
func componentName(data []byte) string {
	r := &reader{data: data, end: len(data), fault: &fault{}}
	if r.byte() != 0 {
		return ""
	}
	r.u32()
	return r.name()
}

// start reads a start function: one without parameters and results, since
// there are no values to pass.
func (p *parser) start() {
	i := p.u32()
	args := p.count(p.limits.Definitions)
	for range args {
		p.u32()
	}
	results := p.u32()
	f := element(p.reader, "func", p.funcs, i)
	if p.failed() {
		return
	}
	if args > 0 || results > 0 {
		p.invalid("unsupported: start functions with values")
		return
	}
	if len(f.params) > 0 || f.result != nil {
		p.invalid("start function has %d parameters and %s, it is given none", len(f.params), describeResult(f))
		return
	}
	p.perform(&startDef{fn: i})
}

func describeResult(f *funcType) string {
	if f.result == nil {
		return "no result"
	}
	return fmt.Sprintf("a result of %s", f.result.kind)
}
