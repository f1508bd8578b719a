package meter

import "strings"

// Value types and instructions that the rewriter writes or must know.
const (
	typeI64       = 0x7e
	opIf          = 0x04
	opEnd         = 0x0b
	opCall        = 0x10
	opLocalGet    = 0x20
	opLocalSet    = 0x21
	opLocalTee    = 0x22
	opGlobalGet   = 0x23
	opGlobalSet   = 0x24
	opI64Const    = 0x42
	opI64LtS      = 0x53
	opI64Sub      = 0x7d
	opI64ShrU     = 0x88
	opI32WrapI64  = 0xa7
	opI64ExtendU  = 0xad
	opRefFunc     = 0xd2
	blockTypeVoid = 0x40
)

// types appends the type of refill to the others.
func (w *rewriter) types(r *reader) []byte {
	n := r.count()
	if !w.metered {
		return append(appendU32(nil, n), r.rest()...)
	}
	body := append(appendU32(nil, n+1), r.rest()...)
	return append(body, 0x60, 1, typeI64, 1, typeI64)
}

func (w *rewriter) importSection() []byte {
	n := uint32(len(w.imports))
	if w.metered {
		n++
	}
	body := appendU32(nil, n)
	for _, imp := range w.imports {
		from := imp.Module
		if w.opt.RenameImport != nil {
			from = w.opt.RenameImport(from)
		}
		body = appendName(appendName(body, from), imp.Name)
		body = append(append(body, byte(imp.Kind)), imp.desc...)
	}
	if w.metered {
		body = w.appendRefillImport(body)
	}
	return body
}

// appendRefillImport appends the import of refill. Standing after all other
// imports it has the first index after the imported functions.
func (w *rewriter) appendRefillImport(body []byte) []byte {
	body = append(appendName(appendName(body, Module), Refill), byte(Func))
	return appendU32(body, uint32(len(w.module.types)))
}

// appendFuelGlobal appends the fuel: a mutable i64 that starts at zero, so
// that the first code to run asks for its first quantum.
func appendFuelGlobal(body []byte) []byte {
	return append(body, typeI64, 1, opI64Const, 0, opEnd)
}

// tables bounds each table of the module's own.
func (w *rewriter) tables(r *reader) ([]byte, error) {
	n := r.count()
	body := appendU32(nil, n)
	for range n {
		at := r.pos
		kind := r.refType()
		l := r.limits()
		if r.failed() {
			break
		}
		if l.min > w.opt.MaxTableElements {
			return nil, &Error{at, "table starts with more elements than are allowed"}
		}
		if !l.hasMax || l.max > w.opt.MaxTableElements {
			l.max = w.opt.MaxTableElements
		}
		body = appendU32(appendU32(append(body, kind, 1), l.min), l.max)
	}
	return body, r.err()
}

// globals moves functions in initial values and appends the fuel.
func (w *rewriter) globals(r *reader) ([]byte, error) {
	n := r.count()
	extra := uint32(0)
	if w.metered {
		extra = 1
	}
	body := appendU32(nil, n+extra)
	for range n {
		body = append(body, r.bytes(2)...)
		body = w.constant(r, body)
	}
	if w.metered {
		body = appendFuelGlobal(body)
	}
	return body, r.err()
}

// constant copies a constant expression and moves the functions it refers to.
func (w *rewriter) constant(r *reader, body []byte) []byte {
	for !r.failed() {
		start := r.pos
		op := r.byte()
		switch op {
		case opRefFunc:
			body = appendU32(append(body, opRefFunc), w.shift(r.index("function", w.funcCount())))
			continue
		case 0x41: // i32.const
			r.skipSigned(32)
		case opI64Const:
			r.skipSigned(64)
		case 0x43: // f32.const
			r.bytes(4)
		case 0x44: // f64.const
			r.bytes(8)
		case opGlobalGet:
			r.index("global", uint64(w.globalCount))
		case 0xd0: // ref.null
			r.refType()
		case 0xfd: // v128.const
			if r.u32() != 12 {
				r.fail("instruction is not constant")
			}
			r.bytes(16)
		case opEnd:
			return append(body, opEnd)
		default:
			r.pos = start
			r.fail("instruction 0x%x is not constant", op)
		}
		body = append(body, r.wasm[start:r.pos]...)
	}
	return body
}

func (w *rewriter) exports(r *reader) []byte {
	n := r.count()
	body := appendU32(nil, n)
	for range n {
		name, kind := r.name(), r.byte()
		var index uint32
		switch Kind(kind) {
		case Func:
			index = w.shift(r.index("function", w.funcCount()))
		case Global:
			index = r.index("global", uint64(w.globalCount))
		default:
			index = r.u32()
		}
		if r.failed() {
			break
		}
		body = appendU32(append(appendName(body, name), kind), index)
	}
	return body
}

// elements moves the functions of element segments, in all eight forms.
func (w *rewriter) elements(r *reader) ([]byte, error) {
	n := r.count()
	body := appendU32(nil, n)
	for range n {
		start := r.pos
		flags := r.u32()
		if flags > 7 {
			r.fail("element segment form %d is unknown", flags)
		}
		active, explicit, exprs := flags&1 == 0, flags&2 != 0, flags&4 != 0
		if active && explicit {
			r.u32() // table
		}
		body = append(body, r.wasm[start:r.pos]...)
		if active {
			body = w.constant(r, body)
		}
		if flags&3 != 0 {
			body = append(body, r.byte()) // element kind or type
		}
		body = w.elementItems(r, body, exprs)
		if r.failed() {
			break
		}
	}
	return body, r.err()
}

func (w *rewriter) elementItems(r *reader, body []byte, exprs bool) []byte {
	items := r.count()
	body = appendU32(body, items)
	for range items {
		if exprs {
			body = w.constant(r, body)
			continue
		}
		body = appendU32(body, w.shift(r.index("function", w.funcCount())))
	}
	return body
}

// data checks the lengths of the data segments and moves nothing in them but
// what their offsets refer to.
func (w *rewriter) data(r *reader) ([]byte, error) {
	n := r.count()
	body := appendU32(make([]byte, 0, r.left()+5), n)
	for range n {
		flags := r.u32()
		if flags > 2 {
			r.fail("data segment form %d is unknown", flags)
		}
		body = appendU32(body, flags)
		if flags == 2 {
			body = appendU32(body, r.u32()) // memory
		}
		if flags != 1 {
			body = w.constant(r, body)
		}
		size := r.u32()
		content := r.bytes(size)
		if r.failed() {
			break
		}
		body = append(appendU32(body, size), content...)
	}
	return body, r.err()
}

// custom keeps a custom section, unless it speaks of offsets in the code,
// which move. A name section that cannot be read is left out: names are only
// for people.
func (w *rewriter) custom(r *reader) ([]byte, error) {
	all := r.rest()
	name := r.name()
	switch {
	case r.failed():
		return nil, r.err()
	case name == "name":
		return w.nameSection(r), nil
	case !w.metered:
		return all, nil
	case strings.HasPrefix(name, ".debug_"), strings.HasPrefix(name, "reloc."),
		name == "linking", name == "dylink.0", name == "sourceMappingURL", name == "external_debug_info",
		strings.HasPrefix(name, "metadata.code."):
		return nil, nil
	}
	return all, nil
}

// Parts of the name section.
const (
	namesOfModule    = 0
	namesOfFunctions = 1
	namesOfLocals    = 2
)

func (w *rewriter) nameSection(r *reader) []byte {
	body := appendName(nil, "name")
	for r.left() > 0 && !r.failed() {
		id := r.byte()
		size := r.u32()
		start := r.pos
		r.bytes(size)
		part := &reader{wasm: r.wasm, pos: start, end: r.pos}
		content := part.rest()
		switch id {
		case namesOfModule:
			part.name()
		case namesOfFunctions, namesOfLocals:
			content = w.functionNames(part, id == namesOfLocals)
		default:
			continue // engines read no others, and labels move with the code
		}
		if r.failed() || part.failed() {
			return nil
		}
		body = appendSection(body, id, content)
	}
	return body
}

// functionNames moves a map from functions to names, or to maps of names.
func (w *rewriter) functionNames(r *reader, nested bool) []byte {
	n := r.count()
	body := appendU32(nil, n)
	for range n {
		body = appendU32(body, w.shift(r.index("function", w.funcCount())))
		start := r.pos
		if nested {
			for range r.count() {
				r.u32()
				r.bytes(r.u32())
			}
		} else {
			r.bytes(r.u32())
		}
		if r.failed() {
			return nil
		}
		body = append(body, r.wasm[start:r.pos]...)
	}
	return body
}
