package canon

import (
	"context"
	"fmt"
)

// Value is a value of any Type, for code that learns types at run time. Which
// part is used, is up to the type:
//
//	bool, integers, floats, char   Bits (floats as IEEE 754, signed extended)
//	flags                          Bits, label i as bit i
//	string                         Ref is a string
//	list<u8>                       Ref is a []byte
//	list, record, tuple            Ref is a []Value
//	variant, enum, option, result  Bits is the case; Ref is a Value if it has a payload
//	own, borrow                    Ref is a *Resource
type Value struct {
	Bits uint64
	Ref  any
}

// Load lifts the value of type t at ptr in the guest's memory. It panics with a
// *Trap if there is none.
func (cx *Context) Load(t *Type, ptr uint32) Value {
	cx.Instance()
	return cx.load(t, cx.view(ptr, uint64(t.size), t.align))
}

func (cx *Context) load(t *Type, b []byte) Value {
	switch t.kind {
	case String:
		return Value{Ref: cx.loadString(uint32(get(b, 4)), uint32(get(b[4:], 4)))}
	case List:
		return cx.loadList(t.elem, uint32(get(b, 4)), uint32(get(b[4:], 4)))
	case Record, Tuple:
		vs := make([]Value, len(t.fields))
		for i, f := range t.fields {
			vs[i] = cx.load(f.Type, b[t.offsets[i]:][:f.Type.size])
		}
		return Value{Ref: vs}
	case Variant, Enum, OptionOf, ResultOf:
		c := t.caseOf(get(b, t.disc))
		v := Value{Bits: c}
		if p := t.fields[c].Type; p != nil {
			v.Ref = cx.load(p, b[t.payload:][:p.size])
		}
		return v
	}
	return cx.liftScalar(t, get(b, t.size))
}

func (t *Type) caseOf(disc uint64) uint64 {
	if disc >= uint64(len(t.fields)) {
		Fail("invalid %s discriminant %d of %d cases", t.kind, disc, len(t.fields))
	}
	return disc
}

func (cx *Context) loadList(elem *Type, ptr, n uint32) Value {
	size := uint64(n) * uint64(elem.size)
	b := cx.view(ptr, size, elem.align)
	cx.charge(size)
	if elem.kind == U8 {
		return Value{Ref: append([]byte{}, b...)}
	}
	vs := make([]Value, n)
	for i := range vs {
		vs[i] = cx.load(elem, b[uint64(i)*uint64(elem.size):][:elem.size])
	}
	return Value{Ref: vs}
}

// liftScalar checks and narrows the bits of a scalar, flags or handle.
func (cx *Context) liftScalar(t *Type, bits uint64) Value {
	switch t.kind {
	case OwnOf:
		return Value{Ref: cx.inst.liftOwn(uint32(bits), t.resource)}
	case BorrowOf:
		return Value{Ref: cx.inst.liftBorrow(uint32(bits), t.resource)}
	}
	return Value{Bits: scalar(t, bits)}
}

// scalar gives the canonical bits of t's value from core bits, or from a memory.
func scalar(t *Type, bits uint64) uint64 {
	switch t.kind {
	case Bool:
		if uint32(bits) != 0 {
			return 1
		}
		return 0
	case S8:
		return uint64(int64(int8(bits)))
	case U8:
		return uint64(uint8(bits))
	case S16:
		return uint64(int64(int16(bits)))
	case U16:
		return uint64(uint16(bits))
	case S32:
		return uint64(int64(int32(bits)))
	case U32:
		return uint64(uint32(bits))
	case F32:
		return uint64(canonical32(uint32(bits)))
	case F64:
		return canonical64(bits)
	case Char32:
		return uint64(validChar(uint32(bits)))
	case Flags:
		return uint64(uint32(bits)) & (1<<len(t.fields) - 1)
	}
	return bits
}

// core gives the core value of a scalar: 32-bit types have a zero upper half.
func core(t *Type, bits uint64) uint64 {
	bits = scalar(t, bits)
	if t.kind != S64 && t.kind != U64 && t.kind != F64 {
		bits = uint64(uint32(bits))
	}
	return bits
}

// LiftFlat lifts a value of type t from its flat core values. Narrow ones are
// in the low half, whatever the upper.
func (cx *Context) LiftFlat(t *Type, flat []uint64) Value {
	cx.Instance()
	switch t.kind {
	case String:
		return Value{Ref: cx.loadString(uint32(flat[0]), uint32(flat[1]))}
	case List:
		return cx.loadList(t.elem, uint32(flat[0]), uint32(flat[1]))
	case Record, Tuple:
		vs := make([]Value, len(t.fields))
		for i, f := range t.fields {
			vs[i] = cx.LiftFlat(f.Type, flat)
			flat = flat[len(f.Type.flat):]
		}
		return Value{Ref: vs}
	case Variant, Enum, OptionOf, ResultOf:
		c := t.caseOf(uint64(uint32(flat[0])))
		v := Value{Bits: c}
		if p := t.fields[c].Type; p != nil {
			v.Ref = cx.LiftFlat(p, flat[1:])
		}
		return v
	}
	return cx.liftScalar(t, flat[0])
}

// Store lowers v to ptr in the guest's memory.
func (cx *Context) Store(ctx context.Context, t *Type, v Value, ptr uint32) {
	cx.Instance()
	cx.store(ctx, t, v, cx.dest(ptr, uint64(t.size), t.align))
}

func (cx *Context) store(ctx context.Context, t *Type, v Value, at uint32) {
	switch t.kind {
	case String, List:
		ptr, n := cx.lowerRange(ctx, t, v)
		cx.put(at, 4, uint64(ptr))
		cx.put(at+4, 4, uint64(n))
	case Record, Tuple:
		for i, f := range parts(t, v) {
			cx.store(ctx, t.fields[i].Type, f, at+t.offsets[i])
		}
	case Variant, Enum, OptionOf, ResultOf:
		c := t.caseOf(v.Bits)
		cx.put(at, t.disc, c)
		if p := t.fields[c].Type; p != nil {
			cx.store(ctx, p, as[Value](t, v.Ref), at+t.payload)
		}
	default:
		cx.put(at, t.size, cx.lowerScalar(t, v))
	}
}

// lowerRange lowers a string or list to its address and length.
func (cx *Context) lowerRange(ctx context.Context, t *Type, v Value) (ptr, n uint32) {
	if t.kind == String {
		return cx.storeString(ctx, as[string](t, v.Ref))
	}
	if t.elem.kind == U8 {
		b := as[[]byte](t, v.Ref)
		return cx.storeBytes(ctx, b, 1), uint32(len(b))
	}
	vs := as[[]Value](t, v.Ref)
	ptr = cx.alloc(ctx, uint64(len(vs))*uint64(t.elem.size), t.elem.align)
	for i, e := range vs {
		cx.store(ctx, t.elem, e, ptr+uint32(i)*t.elem.size)
	}
	return ptr, uint32(len(vs))
}

func (cx *Context) lowerScalar(t *Type, v Value) uint64 {
	switch t.kind {
	case OwnOf:
		return uint64(cx.inst.lowerOwn(as[*Resource](t, v.Ref)))
	case BorrowOf:
		return uint64(cx.inst.lowerBorrow(as[*Resource](t, v.Ref)))
	}
	return core(t, v.Bits)
}

// LowerFlat lowers v to its flat core values. What a variant's case does not
// use is zero.
func (cx *Context) LowerFlat(ctx context.Context, t *Type, v Value, flat []uint64) {
	cx.Instance()
	switch t.kind {
	case String, List:
		ptr, n := cx.lowerRange(ctx, t, v)
		flat[0], flat[1] = uint64(ptr), uint64(n)
	case Record, Tuple:
		for i, f := range parts(t, v) {
			ft := t.fields[i].Type
			cx.LowerFlat(ctx, ft, f, flat)
			flat = flat[len(ft.flat):]
		}
	case Variant, Enum, OptionOf, ResultOf:
		c := t.caseOf(v.Bits)
		clear(flat[:len(t.flat)])
		flat[0] = c
		if p := t.fields[c].Type; p != nil {
			cx.LowerFlat(ctx, p, as[Value](t, v.Ref), flat[1:])
		}
	default:
		flat[0] = cx.lowerScalar(t, v)
	}
}

// parts returns the fields of a record's value.
func parts(t *Type, v Value) []Value {
	vs := as[[]Value](t, v.Ref)
	if len(vs) != len(t.fields) {
		panic(fmt.Sprintf("canon: %d values for a %s of %d fields", len(vs), t.kind, len(t.fields)))
	}
	return vs
}

// as asserts the embedder's side of a Value.
func as[T any](t *Type, ref any) T {
	v, ok := ref.(T)
	if !ok {
		panic(fmt.Sprintf("canon: value of %s holds a %T", t.kind, ref))
	}
	return v
}
