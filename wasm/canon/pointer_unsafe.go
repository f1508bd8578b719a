package canon

import "unsafe"

// This file holds the package's use of unsafe. Codecs are made once, by
// reflection, and then read and write Go values of types known only to
// reflection; package reflect itself would allocate on each call. A pointer is
// always to a live value of the codec's type, which its caller keeps alive, and
// offsets are those that reflection gave for its fields.
type pointer = unsafe.Pointer

// hide gives the address of v without moving v to the heap. Codecs do not keep
// the pointers they are given, which the compiler cannot see through their
// interface. No stack can move between the two lines: there is no call.
//
//go:nosplit
func hide[T any](v *T) pointer {
	x := uintptr(unsafe.Pointer(v))
	return *(*pointer)(unsafe.Pointer(&x))
}

func field(p pointer, offset uintptr) pointer { return unsafe.Add(p, offset) }

// at reads p as a T, whose memory layout the value must have.
func at[T any](p pointer) *T { return (*T)(p) }

// slice is the layout of any slice.
type slice struct {
	data pointer
	len  int
	cap  int
}
