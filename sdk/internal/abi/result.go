//go:build wasip1

package abi

import (
	"encoding/binary"
	"unsafe"
)

// Result is the area into which a host function writes what it returns. It is
// aligned for and as large as the largest result of the interfaces bound here.
type Result [16]uint64

// Area returns the address of r, to be passed as the return pointer.
func (r *Result) Area() unsafe.Pointer { return unsafe.Pointer(r) }

func (r *Result) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(r)), len(r)*8)
}

// U8 returns the byte at offset.
func (r *Result) U8(offset int) uint8 { return r.bytes()[offset] }

// U16 returns the 16-bit number at offset.
func (r *Result) U16(offset int) uint16 { return binary.LittleEndian.Uint16(r.bytes()[offset:]) }

// U32 returns the 32-bit number at offset.
func (r *Result) U32(offset int) uint32 { return binary.LittleEndian.Uint32(r.bytes()[offset:]) }

// U64 returns the 64-bit number at offset.
func (r *Result) U64(offset int) uint64 { return binary.LittleEndian.Uint64(r.bytes()[offset:]) }

// Bytes takes the list whose pointer and length stand at offset.
func (r *Result) Bytes(offset int) []byte { return Take(r.U32(offset), r.U32(offset+4)) }

// String takes the string whose pointer and length stand at offset.
func (r *Result) String(offset int) string { return TakeString(r.U32(offset), r.U32(offset+4)) }

// Strings takes the list of strings whose pointer and length stand at offset.
func (r *Result) Strings(offset int) []string {
	n := r.U32(offset + 4)
	list := Take(r.U32(offset), n*8)
	out := make([]string, n)
	for i := range out {
		entry := list[i*8:]
		out[i] = TakeString(binary.LittleEndian.Uint32(entry), binary.LittleEndian.Uint32(entry[4:]))
	}
	return out
}

// Failed returns nil when the result at offset zero is ok, and otherwise the
// error-code whose discriminant stands at offset. The last code of each
// interface is unknown, which carries a text.
func (r *Result) Failed(offset int, op, on string, codes []string) error {
	if r.U8(0) == 0 {
		return nil
	}
	e := &Error{Op: op, On: on, Code: "unknown"}
	n := int(r.U8(offset))
	if n < len(codes)-1 {
		e.Code = codes[n]
		return e
	}
	e.Text = r.String(offset + 4)
	return e
}

// Error is a host function's refusal or failure.
type Error struct {
	// Op is the function and On what it was asked to act upon.
	Op, On string
	// Code is the case of the interface's error-code, for example "not-found"
	// or "capability-denied". It is the part to branch on.
	Code string
	// Text is set for the code "unknown" alone; it is for people.
	Text string
}

func (e *Error) Error() string {
	if e.Text != "" {
		return e.Op + " " + e.On + ": " + e.Text
	}
	return e.Op + " " + e.On + ": " + e.Code
}
