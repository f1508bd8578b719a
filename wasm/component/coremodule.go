package component

import "bytes"

var coreHeader = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// Sections of core modules whose ids matter here, in the order they must have.
const (
	coreSecType = iota + 1
	coreSecImport
	coreSecFunction
	coreSecTable
	coreSecMemory
	coreSecGlobal
	coreSecExport
	coreSecStart
	coreSecElement
	coreSecCode
	coreSecData
	coreSecDataCount // stands between elements and code
)

// module is a core module: its type, and where it is. Its code is validated by
// whoever compiles it.
type module struct {
	typ  *moduleType
	code []byte // aliases the component
}

// moduleReader reads a module's type.
type moduleReader struct {
	*coreReader
	typ      *moduleType
	seen     map[[2]string]bool
	funcs    []*signature
	tables   []coreItem
	memories []coreItem
	globals  []coreItem
}

// readModule reads the module that fills r.
func readModule(r *reader, max int) *module {
	code := r.data[r.pos:r.end]
	if head := r.bytes(uint32(len(coreHeader))); !r.failed() && !bytes.Equal(head, coreHeader) {
		r.pos -= len(coreHeader)
		r.malformed("unknown binary version: not a core module")
	}
	m := &moduleReader{coreReader: &coreReader{reader: r, max: max}, typ: &moduleType{exports: map[string]coreItem{}}, seen: map[[2]string]bool{}}
	last, end := 0, r.end
	for r.pos < end && !r.failed() {
		id := r.byte()
		size := r.u32()
		start := r.pos
		r.bytes(size)
		if r.failed() {
			break
		}
		if id != 0 {
			rank := coreRank(id)
			if rank <= last {
				r.malformed("section out of order: core section %d", id)
			}
			last = rank
		}
		r.pos, r.end = start, start+int(size)
		m.section(id)
		r.pos, r.end = start+int(size), end
	}
	return &module{m.typ, code}
}

// coreRank returns the place of a section in the order that the format
// demands; 0 for an unknown one.
func coreRank(id byte) int {
	switch {
	case id > coreSecDataCount:
		return 0
	case id == coreSecDataCount:
		return 2*coreSecElement + 1
	}
	return 2 * int(id)
}

func (m *moduleReader) section(id byte) {
	switch id {
	case coreSecType:
		m.each(m.readType)
	case coreSecImport:
		m.each(m.readImport)
	case coreSecFunction:
		m.each(func() { m.funcs = append(m.funcs, m.typeIndex()) })
	case coreSecTable:
		m.each(func() { m.tables = append(m.tables, m.table()) })
	case coreSecMemory:
		m.each(func() { m.memories = append(m.memories, m.memory()) })
	case coreSecGlobal:
		m.each(func() {
			m.globals = append(m.globals, m.global())
			m.skipConstant()
		})
	case coreSecExport:
		m.each(m.readExport)
	default:
		return // what other sections have is not part of the type
	}
	if m.left() > 0 {
		m.malformed("section size mismatch: %d bytes of core section %d are left over", m.left(), id)
	}
}

func (m *moduleReader) each(read func()) {
	for range m.count(m.max) {
		if m.failed() {
			return
		}
		read()
	}
}

func (m *moduleReader) readType() {
	if b := m.byte(); b != 0x60 {
		m.pos--
		m.invalid("unsupported: core type 0x%x (garbage collection)", b)
	}
	m.types = append(m.types, m.signature())
}

func (m *moduleReader) readImport() {
	m.addImport(m.typ, m.seen)
	if m.failed() {
		return
	}
	item := m.typ.imports[len(m.typ.imports)-1].item
	switch item.sort {
	case coreFunc:
		m.funcs = append(m.funcs, item.sig)
	case coreTable:
		m.tables = append(m.tables, item)
	case coreMemory:
		m.memories = append(m.memories, item)
	case coreGlobal:
		m.globals = append(m.globals, item)
	}
}

func (m *moduleReader) readExport() {
	name, sort, i := m.name(), coreSort(m.byte()), m.u32()
	var item coreItem
	switch sort {
	case coreFunc:
		item = coreItem{sort: coreFunc, sig: element(m.reader, "function", m.funcs, i)}
	case coreTable:
		item = element(m.reader, "table", m.tables, i)
	case coreMemory:
		item = element(m.reader, "memory", m.memories, i)
	case coreGlobal:
		item = element(m.reader, "global", m.globals, i)
	default:
		m.malformed("export of %s", sort)
	}
	m.addExport(m.typ, name, item)
}

// element returns what index i of an index space stands for; it fails, and
// returns a zero value, if it stands for nothing.
func element[T any](r *reader, what string, space []T, i uint32) (item T) {
	if uint64(i) >= uint64(len(space)) {
		r.invalid("unknown %s %d: %s index out of bounds", what, i, what)
		return item
	}
	return space[i]
}

// skipConstant passes over a constant expression.
func (m *moduleReader) skipConstant() {
	for !m.failed() {
		switch op := m.byte(); op {
		case 0x0b: // end
			return
		case 0x41, 0x42, 0x23, 0xd2: // i32.const, i64.const, global.get, ref.func
			m.skipLEB()
		case 0x43:
			m.bytes(4)
		case 0x44:
			m.bytes(8)
		case 0xd0: // ref.null
			m.byte()
		case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e: // sums and products
		case 0xfd:
			m.skipLEB()
			m.bytes(16)
		default:
			m.pos--
			m.invalid("unsupported: instruction 0x%x in a constant expression", op)
		}
	}
}
