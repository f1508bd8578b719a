package canon

import (
	"context"
	"math"
)

// slack is what a call may lift beyond the size of the guest's memory, so that
// tiny memories are not felt.
const slack = 1 << 20

// view returns the n bytes at ptr. The bytes are the guest's: valid until guest
// code runs again.
func (cx *Context) view(ptr uint32, n uint64, align uint32) []byte {
	trapIf(ptr&(align-1) != 0, "unaligned pointer")
	trapIf(cx.opts.Memory == nil, "the function has no memory option")
	trapIf(n > MaxBytes, "list or string is too long")
	b, ok := cx.opts.Memory.Read(ptr, uint32(n))
	trapIf(!ok, "pointer is out of bounds of memory")
	return b
}

// charge counts n bytes of lists and strings. Lists may overlap, so that a
// small memory could describe a value without bound; a call may not lift more
// than the memory holds.
func (cx *Context) charge(n uint64) {
	cx.inst.lifted += n
	trapIf(cx.inst.lifted > uint64(cx.opts.Memory.Size())+slack, "values lifted are larger than the memory they are in")
}

// alloc calls realloc for n bytes, and checks its answer.
func (cx *Context) alloc(ctx context.Context, n uint64, align uint32) uint32 {
	trapIf(cx.opts.Realloc == nil || cx.opts.Memory == nil, "the function has no realloc option")
	trapIf(n > MaxBytes, "list or string is too long")
	in := cx.inst
	args := in.scratch[:]
	args[0], args[1], args[2], args[3] = 0, 0, uint64(align), n
	stay := in.stay
	in.stay = true
	err := cx.opts.Realloc.CallWithStack(ctx, args)
	in.stay = stay
	if err != nil {
		in.failed = err
		panic(err)
	}
	ptr := uint32(args[0])
	trapIf(ptr&(align-1) != 0, "realloc returned an unaligned pointer")
	trapIf(uint64(ptr)+n > uint64(cx.opts.Memory.Size()), "realloc returned a pointer out of bounds of memory")
	return ptr
}

// dest traps unless n bytes at ptr may be written.
func (cx *Context) dest(ptr uint32, n uint64, align uint32) uint32 {
	cx.view(ptr, n, align)
	return ptr
}

// The canonical NaNs: no guest learns of another's payload bits.
const (
	canonicalNaN32 = 0x7fc00000
	canonicalNaN64 = 0x7ff8000000000000
)

func canonical32(bits uint32) uint32 {
	if f := math.Float32frombits(bits); f != f {
		return canonicalNaN32
	}
	return bits
}

func canonical64(bits uint64) uint64 {
	if f := math.Float64frombits(bits); f != f {
		return canonicalNaN64
	}
	return bits
}

func validChar(c uint32) uint32 {
	trapIf(c >= 0x110000 || c >= 0xd800 && c <= 0xdfff, "invalid char")
	return c
}

// put writes the low size bytes of v, little-endian, at a checked address.
func (cx *Context) put(at uint32, size uint32, v uint64) {
	m, ok := cx.opts.Memory, false
	switch size {
	case 1:
		ok = m.WriteByte(at, byte(v))
	case 2:
		ok = m.WriteUint16Le(at, uint16(v))
	case 4:
		ok = m.WriteUint32Le(at, uint32(v))
	case 8:
		ok = m.WriteUint64Le(at, v)
	}
	trapIf(!ok, "pointer is out of bounds of memory")
}

// get reads size bytes of b, little-endian.
func get(b []byte, size uint32) uint64 {
	var v uint64
	for i := int(size) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}
