package meter

import "fmt"

// reader reads a part of a module. The first error stays: later reads return
// zero values and move no further, so that callers may check once.
type reader struct {
	wasm  []byte // the whole module
	pos   int
	end   int
	fault *Error
}

func (r *reader) fail(format string, args ...any) {
	if r.fault == nil {
		r.fault = &Error{Offset: r.pos, Reason: fmt.Sprintf(format, args...)}
		r.pos = r.end
	}
}

func (r *reader) failed() bool { return r.fault != nil }

// err returns the first error, as an error that is nil when there was none.
func (r *reader) err() error {
	if r.fault == nil {
		return nil
	}
	return r.fault
}

func (r *reader) left() int { return r.end - r.pos }

func (r *reader) byte() byte {
	if r.pos >= r.end {
		r.fail("unexpected end")
		return 0
	}
	b := r.wasm[r.pos]
	r.pos++
	return b
}

// bytes returns the next n bytes, which alias the module.
func (r *reader) bytes(n uint32) []byte {
	if uint64(n) > uint64(r.left()) {
		r.fail("length %d is beyond the end", n)
		return nil
	}
	b := r.wasm[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b
}

func (r *reader) rest() []byte { return r.wasm[r.pos:r.end] }

func (r *reader) u32() uint32 {
	if r.pos < r.end && r.wasm[r.pos] < 0x80 {
		r.pos++
		return uint32(r.wasm[r.pos-1])
	}
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		if shift == 28 && b > 0x0f {
			break
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.fail("number does not fit 32 bits")
	return 0
}

// skipSigned passes over a signed number of at most bits bits. Whether its
// last byte fits is the engine's to check.
func (r *reader) skipSigned(bits int) {
	for read := 0; read < bits; read += 7 {
		if r.byte() < 0x80 {
			return
		}
	}
	r.fail("number does not fit %d bits", bits)
}

// count reads a number of items that take at least one byte each.
func (r *reader) count() uint32 {
	n := r.u32()
	if uint64(n) > uint64(r.left()) {
		r.fail("count %d is beyond the end", n)
		return 0
	}
	return n
}

// index reads an index into a space of n items of a kind. Every index into a
// space that rewriting adds to must be read with it: a module must not reach
// what was added, its own fuel first of all.
func (r *reader) index(kind string, n uint64) uint32 {
	at := r.pos
	i := r.u32()
	if uint64(i) >= n && !r.failed() {
		r.pos = at
		r.fail("%s %d of %d", kind, i, n)
	}
	return i
}

func (r *reader) name() string { return string(r.bytes(r.u32())) }

func (r *reader) skipU32s(n int) {
	for range n {
		r.u32()
	}
}

func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// appendS64 appends v as a signed number.
func appendS64(b []byte, v int64) []byte {
	for v < -0x40 || v >= 0x40 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v)&0x7f)
}

func appendName(b []byte, name string) []byte {
	return append(appendU32(b, uint32(len(name))), name...)
}

func appendSection(b []byte, id byte, body []byte) []byte {
	b = append(b, id)
	b = appendU32(b, uint32(len(body)))
	return append(b, body...)
}
