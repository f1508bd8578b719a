package component

import (
	"fmt"
	"unicode/utf8"
)

// reader reads a part of a component. Its first failure stays: everything read
// afterwards is zero, and loops must look at failed.
type reader struct {
	data    []byte // the whole component
	pos     int
	end     int // of the section
	section string
	fault   *fault
}

// fault is the first failure of all readers of a component.
type fault struct{ err error }

func (r *reader) failed() bool { return r.fault.err != nil }

// malformed fails with a DecodeError at the current position.
func (r *reader) malformed(format string, args ...any) {
	if !r.failed() {
		r.fault.err = &DecodeError{Offset: r.pos, Section: r.section, Reason: fmt.Sprintf(format, args...)}
	}
	r.pos = r.end
}

// invalid fails with a ValidationError at the current position.
func (r *reader) invalid(format string, args ...any) {
	if !r.failed() {
		r.fault.err = &ValidationError{Offset: r.pos, Section: r.section, Reason: fmt.Sprintf(format, args...)}
	}
	r.pos = r.end
}

// check fails with a ValidationError if err is one.
func (r *reader) check(err error) {
	if err != nil {
		r.invalid("%s", err)
	}
}

func (r *reader) left() int { return r.end - r.pos }

const endOfFile = "unexpected end-of-file"

func (r *reader) byte() byte {
	if r.left() < 1 {
		r.malformed(endOfFile)
		return 0
	}
	b := r.data[r.pos]
	r.pos++
	return b
}

// peek returns the next byte, or 0 at the end.
func (r *reader) peek() byte {
	if r.left() < 1 {
		return 0
	}
	return r.data[r.pos]
}

// unexpected fails because of the byte just read.
func (r *reader) unexpected(b byte, what string) {
	if r.pos > 0 && !r.failed() {
		r.pos--
	}
	r.malformed("invalid leading byte (0x%x) for %s", b, what)
}

func (r *reader) u32() uint32 {
	var v uint32
	for shift := 0; ; shift += 7 {
		b := r.byte()
		if r.failed() {
			return 0
		}
		if shift == 28 && b > 0x0f {
			r.malformed("integer too large or its representation too long")
			return 0
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
}

// index33 reads a type index, which is a signed integer of 33 bits that is not
// negative. A negative one stands for what has a byte of its own.
func (r *reader) index33(what string) uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		v |= uint64(b&0x7f) << shift
		if b >= 0x80 {
			continue
		}
		if b&0x40 != 0 {
			r.unexpected(b, what)
			return 0
		}
		if v >= 1<<32 {
			r.malformed("integer too large")
		}
		return uint32(v)
	}
	r.malformed("integer representation too long")
	return 0
}

// skipLEB passes over an integer of up to 64 bits.
func (r *reader) skipLEB() {
	for range 10 {
		if b := r.byte(); b < 0x80 {
			return
		}
	}
	r.malformed("integer representation too long")
}

// count reads the length of a vector, each element of which takes at least a
// byte: what it returns may be allocated for.
func (r *reader) count(limit int) int {
	n := r.u32()
	if uint64(n) > uint64(r.left()) {
		r.malformed("%s: %d elements in %d bytes", endOfFile, n, r.left())
		return 0
	}
	if int(n) > limit {
		r.invalid("vector of %d elements, at most %d are allowed", n, limit)
		return 0
	}
	return int(n)
}

func (r *reader) bytes(n uint32) []byte {
	if uint64(n) > uint64(r.left()) {
		r.malformed(endOfFile)
		return nil
	}
	b := r.data[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b
}

func (r *reader) name() string {
	n := r.u32()
	if n > maxNameBytes {
		r.malformed("name of %d bytes, at most %d are allowed", n, maxNameBytes)
		return ""
	}
	b := r.bytes(n)
	if !utf8.Valid(b) {
		r.malformed("malformed UTF-8 encoding")
		return ""
	}
	return string(b)
}

// optional reads the flag before an optional part.
func (r *reader) optional(what string) bool {
	b := r.byte()
	if b > 1 {
		r.unexpected(b, what)
	}
	return b == 1
}

// zero reads a byte that must be zero.
func (r *reader) zero(what string) {
	if b := r.byte(); b != 0 {
		r.unexpected(b, what)
	}
}
