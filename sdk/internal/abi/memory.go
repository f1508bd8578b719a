//go:build wasip1

// Package abi is the lowered form of the canonical ABI as a Go guest sees it:
// the memory that the host allocates in the guest, and the areas in which host
// functions return what does not fit into one value.
//
// The format is that of the component model's canonical ABI
// (design/mvp/CanonicalABI.md): a string or list is a pointer and a length, a
// variant is a discriminant followed by its aligned payload.
//
// A guest runs on one thread and the kernel makes one call at a time, so
// nothing here is locked.
package abi

import "unsafe"

// held keeps what the host allocated from being collected until it is taken:
// the host knows these blocks as numbers, which the collector does not see.
var held = map[uintptr][]byte{}

// realloc is the allocator that the host calls to pass strings and lists in.
// It never frees; [Take] and [Release] do.
//
//go:wasmexport cabi_realloc
func realloc(old, oldSize, align, size uint32) uint32 {
	if size == 0 {
		return align
	}
	block := allocate(align, size)
	at := uintptr(unsafe.Pointer(unsafe.SliceData(block)))
	if old != 0 && oldSize != 0 {
		copy(block, Take(old, oldSize))
	}
	held[at] = block
	return uint32(at)
}

// allocate returns size bytes aligned for any value of the canonical ABI,
// whose largest alignment is eight.
func allocate(align, size uint32) []byte {
	if align <= 1 {
		return make([]byte, size)
	}
	words := make([]uint64, (uint64(size)+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), size)
}

// Take returns the block that the host put at pointer and leaves it to the
// collector: the slice is the only reference from here on. A pointer that
// [realloc] did not hand out yields nil.
func Take(pointer, length uint32) []byte {
	block := held[uintptr(pointer)]
	if uint64(length) > uint64(len(block)) {
		return nil
	}
	delete(held, uintptr(pointer))
	return block[:length]
}

// TakeString is [Take] for a string; the bytes are not copied.
func TakeString(pointer, length uint32) string {
	b := Take(pointer, length)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Hold keeps b reachable until [Release] and returns its address, for results
// that the host reads after the call returned.
func Hold(b []byte) uint32 {
	if len(b) > 0 {
		held[uintptr(unsafe.Pointer(unsafe.SliceData(b)))] = b
	}
	return Pointer(b)
}

// Release gives up a block of [Hold].
func Release(pointer uint32) { delete(held, uintptr(pointer)) }

// Pointer returns the address of b's first byte. An empty slice has none, and
// the canonical ABI wants an aligned one even where there is nothing to read.
func Pointer(b []byte) uint32 {
	if len(b) == 0 {
		return 8
	}
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
}
