package meter

import "bytes"

const (
	sectionCustom    = 0
	sectionType      = 1
	sectionImport    = 2
	sectionFunction  = 3
	sectionTable     = 4
	sectionMemory    = 5
	sectionGlobal    = 6
	sectionExport    = 7
	sectionStart     = 8
	sectionElement   = 9
	sectionCode      = 10
	sectionData      = 11
	sectionDataCount = 12
	sectionTag       = 13

	headerSize = 8
	pageSize   = 64 << 10 // of a memory

	// maxSections is far above what toolchains write: eleven known ones and a
	// handful of custom ones.
	maxSections = 1024
)

var header = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// rank returns the place of a section in the order the format demands, which
// is that of the ids but for the data count; 0 for an unknown one.
func rank(id byte) int {
	switch {
	case id >= sectionType && id <= sectionElement:
		return int(id)
	case id == sectionDataCount:
		return 10
	case id == sectionCode:
		return 11
	case id == sectionData:
		return 12
	}
	return 0
}

// section is where one section's body lies.
type section struct {
	id         byte
	start, end int
}

// Import is one import of a module.
type Import struct {
	Module, Name string
	Kind         Kind
	// Params and Results are the types of a function, as their bytes in the
	// binary format. They alias the module.
	Params, Results []byte

	offset int
	desc   []byte // type index, or the type itself
	limits limits // of a table or memory
}

// Kind is what an import or export is.
type Kind byte

// The kinds, as they stand in the binary format.
const (
	Func Kind = iota
	Table
	Memory
	Global
)

// String returns the word of the text format.
func (k Kind) String() string {
	switch k {
	case Func:
		return "func"
	case Table:
		return "table"
	case Memory:
		return "memory"
	case Global:
		return "global"
	}
	return "unknown"
}

type limits struct {
	min, max uint32
	hasMax   bool
}

type funcType struct{ params, results []byte }

// module is what a first pass over the sections finds.
type module struct {
	wasm          []byte
	sections      []section
	types         []funcType
	imports       []Import
	importedFuncs uint32
	globalCount   uint32 // imported and own
	memoryMin     uint64 // bytes
	funcs         []uint32
}

// funcCount returns how many functions the module has, imported ones too.
func (m *module) funcCount() uint64 { return uint64(m.importedFuncs) + uint64(len(m.funcs)) }

func (m *module) hasCode() bool { return len(m.funcs) > 0 }

func (m *module) reader(s section) *reader {
	return &reader{wasm: m.wasm, pos: s.start, end: s.end}
}

// Info is what a host wants to know of a module before it compiles it.
type Info struct {
	Imports   []Import // in order
	MemoryMin uint64   // bytes that the module's own memories start with
}

// Inspect reads wasm without rewriting it. The error is an *Error.
func Inspect(wasm []byte) (Info, error) {
	m, err := parse(wasm)
	if err != nil {
		return Info{}, err
	}
	return Info{Imports: m.imports, MemoryMin: m.memoryMin}, nil
}

func parse(wasm []byte) (*module, error) {
	if !bytes.HasPrefix(wasm, header) {
		return nil, &Error{Reason: "not a core module: it does not begin with \\0asm and version 1"}
	}
	m := &module{wasm: wasm}
	if err := m.split(); err != nil {
		return nil, err
	}
	for _, s := range m.sections {
		if err := m.scan(s); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// split finds the sections and checks their order.
func (m *module) split() error {
	r := &reader{wasm: m.wasm, pos: headerSize, end: len(m.wasm)}
	last := 0
	for r.left() > 0 {
		at := r.pos
		id := r.byte()
		size := r.u32()
		s := section{id: id, start: r.pos}
		r.bytes(size)
		s.end = r.pos
		if r.failed() {
			return r.err()
		}
		switch {
		case id == sectionTag:
			return &Error{at, "exceptions are not supported"}
		case id != sectionCustom && rank(id) == 0:
			return &Error{at, "unknown section"}
		case id != sectionCustom && rank(id) <= last:
			return &Error{at, "section twice or out of order"}
		case len(m.sections) == maxSections:
			return &Error{at, "too many sections"}
		case id != sectionCustom:
			last = rank(id)
		}
		m.sections = append(m.sections, s)
	}
	return nil
}

// scan reads what other sections depend on.
func (m *module) scan(s section) error {
	r := m.reader(s)
	switch s.id {
	case sectionType:
		m.scanTypes(r)
	case sectionImport:
		m.scanImports(r)
	case sectionFunction:
		n := r.count()
		m.funcs = make([]uint32, 0, n)
		for range n {
			m.funcs = append(m.funcs, r.u32())
		}
	case sectionMemory:
		for range r.count() {
			m.memoryMin += uint64(r.limits().min) * pageSize
		}
	case sectionGlobal:
		m.globalCount += r.count()
		return r.err() // the rest is read when it is rewritten
	default:
		return nil
	}
	if !r.failed() && r.left() > 0 {
		r.fail("section is longer than its content")
	}
	return r.err()
}

func (m *module) scanTypes(r *reader) {
	n := r.count()
	m.types = make([]funcType, 0, n)
	for range n {
		if form := r.byte(); form != 0x60 {
			r.fail("type form 0x%x is not supported, only functions", form)
			return
		}
		m.types = append(m.types, funcType{params: r.bytes(r.u32()), results: r.bytes(r.u32())})
	}
}

func (m *module) scanImports(r *reader) {
	n := r.count()
	m.imports = make([]Import, 0, n)
	for range n {
		imp := Import{offset: r.pos, Module: r.name(), Name: r.name(), Kind: Kind(r.byte())}
		start := r.pos
		switch imp.Kind {
		case Func:
			m.importedFuncs++
			m.typeImport(r, &imp)
		case Table:
			r.refType()
			imp.limits = r.limits()
		case Memory:
			imp.limits = r.limits()
		case Global:
			m.globalCount++
			r.bytes(2) // value type, mutability
		default:
			r.fail("import kind %d is not supported", imp.Kind)
		}
		if r.failed() {
			return
		}
		imp.desc = m.wasm[start:r.pos]
		m.imports = append(m.imports, imp)
	}
}

func (m *module) typeImport(r *reader, imp *Import) {
	index := r.index("type", uint64(len(m.types)))
	if r.failed() {
		return
	}
	imp.Params, imp.Results = m.types[index].params, m.types[index].results
}

func (r *reader) refType() byte {
	t := r.byte()
	if t != 0x70 && t != 0x6f {
		r.fail("reference type 0x%x is not supported", t)
	}
	return t
}

func (r *reader) limits() limits {
	flags := r.byte()
	switch {
	case flags&2 != 0:
		r.fail("threads are not supported: shared memory")
	case flags&4 != 0:
		r.fail("64-bit memories and tables are not supported")
	case flags > 1:
		r.fail("limits flag 0x%x is not supported", flags)
	}
	l := limits{hasMax: flags == 1, min: r.u32()}
	if l.hasMax {
		l.max = r.u32()
	}
	return l
}
