package meter

// Costs, in units of fuel. A unit is about one simple instruction; a guest
// does one to three thousand of them in a microsecond.
const (
	entryCost = 2    // of a call, on top of the body
	callCost  = 3    // of the caller's part of a call
	growCost  = 2000 // memory.grow and table.grow: a system call or a copy

	// A function with many locals clears them on entry, sixteen bytes a unit.
	localsPerUnit = 2

	// byteShift makes a bulk memory instruction cost a unit for 16 bytes.
	// Bulk table instructions cost a unit an element.
	byteShift = 4

	// foldLimit is the largest entry cost that a leading loop takes over: the
	// loop then charges it again each time around.
	foldLimit = 64

	// leafLimit is the largest cost of a function without loops and calls
	// that is not charged: its caller's call stands for it.
	leafLimit = 24

	// maxCases bounds by how much the cost of a loop is divided because it is
	// a jump table. A guest that runs through all cases each time is stopped
	// later by no more than this factor.
	maxCases = 16
)

const (
	// maxFunctionSize bounds one body: engines take more than linear time and
	// memory for one. The largest known, from Python, are below 1 MiB.
	maxFunctionSize = 8 << 20

	// maxBlockDepth bounds nesting; real code stays below a few hundred, but
	// switch statements make one block a case.
	maxBlockDepth = 1 << 16
)

// edit is one change to a body: what stands at [at,until) is replaced.
type edit struct {
	at, until int
	kind      editKind
	value     uint32 // function index, or shift of the length
	cost      int64
}

type editKind byte

const (
	charge    editKind = iota // take cost, before at
	renumber                  // write the function index anew
	chargeLen                 // take what the length on the stack costs, before at
)

func (w *rewriter) code(r *reader) ([]byte, error) {
	n := r.count()
	if int(n) != len(w.funcs) {
		r.fail("%d bodies for %d functions", n, len(w.funcs))
		return nil, r.err()
	}
	out := appendU32(make([]byte, 0, r.left()+r.left()/4), n)
	var scratch []byte
	scan := &scanner{rewriter: w}
	for i := range n {
		size := r.u32()
		start := r.pos
		r.bytes(size)
		if size > maxFunctionSize {
			r.fail("function is larger than %d bytes", maxFunctionSize)
		}
		if r.failed() {
			return nil, r.err()
		}
		body := &reader{wasm: w.wasm, pos: start, end: r.pos}
		var err error
		if scratch, err = w.function(scan, body, w.funcs[i], scratch[:0]); err != nil {
			return nil, err
		}
		out = append(appendU32(out, uint32(len(scratch))), scratch...)
	}
	return out, r.err()
}

// function appends the rewritten body of a function of the given type to out.
func (w *rewriter) function(s *scanner, r *reader, typeIndex uint32, out []byte) ([]byte, error) {
	if uint64(typeIndex) >= uint64(len(w.module.types)) {
		r.fail("function of type %d, there are %d", typeIndex, len(w.module.types))
		return nil, r.err()
	}
	groups := r.count()
	declared := r.pos
	locals := uint64(len(w.module.types[typeIndex].params))
	own := uint64(0)
	for range groups {
		own += uint64(r.u32())
		r.byte()
	}
	locals += own
	if locals > 1<<31 {
		r.fail("%d locals", locals)
	}
	declarations := r.wasm[declared:r.pos]
	code := r.pos
	s.locals = uint32(locals)
	if err := s.scan(r, int64(entryCost+own/localsPerUnit)); err != nil {
		return nil, err
	}
	p := printer{rewriter: w, fuel: w.globalCount, left: uint32(locals), length: uint32(locals) + 1}
	out = append(appendU32(out, groups+1), declarations...)
	out = append(out, 2, typeI64)
	return p.print(out, code, r.end, s.edits), nil
}

// printer writes a body with its edits.
type printer struct {
	*rewriter
	fuel   uint32 // the global
	left   uint32 // a local: the fuel after a charge
	length uint32 // a local: the length that a bulk instruction takes
}

func (p *printer) print(out []byte, from, to int, edits []edit) []byte {
	for _, e := range edits {
		out = append(out, p.wasm[from:e.at]...)
		switch e.kind {
		case charge:
			out = appendU32(append(out, opGlobalGet), p.fuel)
			out = appendS64(append(out, opI64Const), e.cost)
			out = p.appendTake(out)
		case renumber:
			out = appendU32(out, p.shift(e.value))
		case chargeLen:
			out = appendU32(append(out, opI64ExtendU, opLocalSet), p.length)
			out = appendU32(append(out, opGlobalGet), p.fuel)
			out = appendU32(append(out, opLocalGet), p.length)
			out = append(out, opI64Const, byte(e.value), opI64ShrU)
			out = p.appendTake(out)
			out = append(appendU32(append(out, opLocalGet), p.length), opI32WrapI64)
		}
		from = e.until
	}
	return append(out, p.wasm[from:to]...)
}

// appendTake subtracts the cost on the stack from the fuel beneath it, and
// asks for more when that is below zero.
func (p *printer) appendTake(out []byte) []byte {
	out = appendU32(append(out, opI64Sub, opLocalTee), p.left)
	out = appendU32(append(out, opGlobalSet), p.fuel)
	out = appendU32(append(out, opLocalGet), p.left)
	out = append(out, opI64Const, 0, opI64LtS, opIf, blockTypeVoid)
	out = appendU32(append(out, opLocalGet), p.left)
	out = appendU32(append(out, opCall), p.importedFuncs)
	out = appendU32(append(out, opGlobalSet), p.fuel)
	return append(out, opEnd)
}
