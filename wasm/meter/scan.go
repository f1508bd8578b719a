package meter

// scanner finds the edits a body needs. It is reused from body to body.
type scanner struct {
	*rewriter
	edits  []edit
	blocks []block
	cur    int // the edit that pays for the current instruction
	locals uint32

	straight bool // no instruction so far could leave or call
	leaf     bool // no loop, call or bulk instruction so far
	heading  bool // only blocks and local.get since the last loop's header
}

// block is an open block.
type block struct {
	outer int   // the edit that pays for what follows the block
	cases int64 // of a loop that begins with a jump table: its length, up to maxCases; else 0
}

// scan reads a body's instructions and leaves its edits in order in s.edits.
// entry is the cost of entering the function.
func (s *scanner) scan(r *reader, entry int64) error {
	s.edits = append(s.edits[:0], edit{at: r.pos, until: r.pos, kind: charge, cost: entry})
	s.blocks = append(s.blocks[:0], block{})
	s.cur, s.straight, s.leaf, s.heading = 0, true, true, false
	folded := -1
	for len(s.blocks) > 0 {
		op := r.byte()
		if r.failed() {
			return r.err()
		}
		if op == opLoop && s.straight {
			folded = len(s.edits)
		}
		s.heading = s.heading && (op == opBlock || op == opLocalGet || op == opBrTable)
		s.instruction(r, op)
	}
	if r.left() > 0 {
		r.fail("code after the end of the function")
	}
	switch first := s.edits[0].cost; {
	case s.leaf && first <= leafLimit:
		s.edits = s.edits[1:]
	case folded > 0 && first <= foldLimit:
		s.edits[folded].cost += first
		s.edits = s.edits[1:]
	}
	return r.err()
}

const (
	opBlock        = 0x02
	opLoop         = 0x03
	opElse         = 0x05
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCallIndirect = 0x11
)

// instruction reads one instruction, whose first byte is op, and pays for it.
func (s *scanner) instruction(r *reader, op byte) {
	switch op {
	case opBlock, opIf, opLoop:
		s.open(r, op)
	case opElse:
	case opEnd:
		s.close()
	case opBrTable:
		s.pay(2)
		s.straight = false
		n := r.count()
		r.skipU32s(int(n))
		r.u32()
		if s.heading {
			s.markCases(int64(n))
		}
	case opBr, opBrIf:
		s.pay(1)
		s.straight = false
		r.u32()
	case 0x00, opReturn: // unreachable
		s.pay(1)
		s.straight = false
	case opCall:
		s.pay(callCost)
		s.straight, s.leaf = false, false
		s.renumber(r)
	case opCallIndirect:
		s.pay(callCost + 2)
		s.straight, s.leaf = false, false
		r.index("type", uint64(len(s.module.types)))
		r.u32()
	case opRefFunc:
		s.pay(1)
		s.renumber(r)
	case 0x01: // nop
	case 0xfc:
		s.bulk(r)
	case 0xfd:
		s.pay(1)
		r.vector()
	default:
		s.plain(r, op)
	}
}

// open enters a block. A loop's instructions are paid for at its header.
func (s *scanner) open(r *reader, op byte) {
	s.blockType(r)
	if len(s.blocks) == maxBlockDepth {
		r.fail("blocks nest deeper than %d", maxBlockDepth)
		return
	}
	outer := s.cur
	switch op {
	case opIf:
		s.pay(1)
		s.straight = false
	case opLoop:
		s.straight, s.leaf, s.heading = false, false, true
		s.cur = len(s.edits)
		s.edits = append(s.edits, edit{at: r.pos, until: r.pos, kind: charge, cost: 1})
	}
	s.blocks = append(s.blocks, block{outer: outer})
}

// close leaves the innermost block.
func (s *scanner) close() {
	b := s.blocks[len(s.blocks)-1]
	s.blocks = s.blocks[:len(s.blocks)-1]
	if b.cases > 1 {
		s.edits[s.cur].cost = s.edits[s.cur].cost/b.cases + 1
	}
	s.cur = b.outer
}

// markCases notes that the innermost loop begins with a jump table: each time
// around it runs about one of its cases. Go compiles its functions so.
func (s *scanner) markCases(n int64) {
	for i := len(s.blocks) - 1; i > 0; i-- {
		if s.blocks[i].outer != s.cur {
			s.blocks[i].cases = min(n, maxCases)
			return
		}
	}
}

// blockType passes over a block's type: a byte for none or one value, or else
// the index of a function type.
func (s *scanner) blockType(r *reader) {
	if r.left() > 0 && r.wasm[r.pos]&0xc0 == 0x40 {
		r.pos++
		return
	}
	r.index("type", uint64(len(s.module.types)))
}

func (s *scanner) pay(cost int64) { s.edits[s.cur].cost += cost }

func (s *scanner) renumber(r *reader) {
	at := r.pos
	index := r.index("function", s.funcCount())
	s.edits = append(s.edits, edit{at: at, until: r.pos, kind: renumber, value: index})
}

// plain reads an instruction that is one byte and its immediates.
func (s *scanner) plain(r *reader, op byte) {
	s.pay(1)
	switch {
	case op == 0x1a, op == 0x1b, op >= 0x45 && op <= 0xc4, op == 0xd1:
	case op == 0x1c: // select with types
		r.bytes(r.u32())
	case op >= opLocalGet && op <= opLocalTee:
		r.index("local", uint64(s.locals))
	case op == opGlobalGet, op == opGlobalSet:
		r.index("global", uint64(s.globalCount))
	case op == 0x25, op == 0x26: // tables
		r.u32()
	case op >= 0x28 && op <= 0x3e: // loads and stores
		r.skipU32s(2)
	case op == 0x3f: // memory.size
		r.byte()
	case op == 0x40: // memory.grow
		s.pay(growCost)
		r.byte()
	case op == 0x41:
		r.skipSigned(32)
	case op == opI64Const:
		r.skipSigned(64)
	case op == 0x43:
		r.bytes(4)
	case op == 0x44:
		r.bytes(8)
	case op == 0xd0:
		r.refType()
	default:
		r.pos--
		r.fail("%s", unsupported(op))
	}
}

func unsupported(op byte) string {
	switch op {
	case 0xfe:
		return "threads are not supported: atomic instruction"
	case 0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f:
		return "exceptions are not supported"
	case 0x12, 0x13, 0x15:
		return "tail calls are not supported"
	case 0x14, 0xd3, 0xd4, 0xd5, 0xd6:
		return "typed function references are not supported"
	case 0xfb:
		return "garbage collection is not supported"
	}
	return "unknown instruction"
}

// bulk reads an instruction with prefix 0xfc. Those that work in proportion
// to a length find it on top of the stack.
func (s *scanner) bulk(r *reader) {
	at := r.pos - 1
	sub := r.u32()
	s.pay(1)
	switch sub {
	case 0, 1, 2, 3, 4, 5, 6, 7: // saturating conversions
	case 8: // memory.init
		s.payLength(at, byteShift)
		r.u32()
		r.byte()
	case 10: // memory.copy
		s.payLength(at, byteShift)
		r.bytes(2)
	case 11: // memory.fill
		s.payLength(at, byteShift)
		r.byte()
	case 9, 13, 16: // data.drop, elem.drop, table.size
		r.u32()
	case 12, 14: // table.init, table.copy
		s.payLength(at, 0)
		r.skipU32s(2)
	case 15: // table.grow
		s.pay(growCost)
		s.payLength(at, 0)
		r.u32()
	case 17: // table.fill
		s.payLength(at, 0)
		r.u32()
	default:
		r.pos = at
		r.fail("unknown instruction 0xfc %d", sub)
	}
}

func (s *scanner) payLength(at int, shift uint32) {
	s.pay(4)
	s.leaf = false
	s.edits = append(s.edits, edit{at: at, until: at, kind: chargeLen, value: shift})
}

// vector reads what follows the prefix 0xfd.
func (r *reader) vector() {
	at := r.pos - 1
	sub := r.u32()
	switch {
	case sub <= 11, sub == 92, sub == 93: // loads and stores
		r.skipU32s(2)
	case sub == 12, sub == 13: // v128.const, i8x16.shuffle
		r.bytes(16)
	case sub >= 21 && sub <= 34: // lanes
		r.byte()
	case sub >= 84 && sub <= 91: // loads and stores of a lane
		r.skipU32s(2)
		r.byte()
	case sub > 255:
		r.pos = at
		r.fail("relaxed SIMD is not supported")
	}
}
