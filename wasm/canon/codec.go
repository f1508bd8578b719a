package canon

import (
	"context"
	"reflect"
)

// codec moves Go values of one type, at p, in and out of a guest that knows
// them as one wire type. It is made once and used by any number of calls.
type codec interface {
	load(cx *Context, b []byte, p pointer)                        // b: the value's bytes
	store(ctx context.Context, cx *Context, at uint32, p pointer) // at: checked
	lift(cx *Context, flat []uint64, p pointer)
	lower(ctx context.Context, cx *Context, p pointer, flat []uint64)
}

// number is any scalar: bool, integer, float or char.
type number struct {
	wire *Type
	size uint32 // of the Go value
}

func (c number) set(bits uint64, p pointer) {
	switch c.size {
	case 1:
		*at[uint8](p) = uint8(bits)
	case 2:
		*at[uint16](p) = uint16(bits)
	case 4:
		*at[uint32](p) = uint32(bits)
	default:
		*at[uint64](p) = bits
	}
}

func (c number) bits(p pointer) uint64 {
	switch c.size {
	case 1:
		return uint64(*at[uint8](p))
	case 2:
		return uint64(*at[uint16](p))
	case 4:
		return uint64(*at[uint32](p))
	}
	return *at[uint64](p)
}

func (c number) load(_ *Context, b []byte, p pointer)      { c.set(scalar(c.wire, get(b, c.wire.size)), p) }
func (c number) lift(_ *Context, flat []uint64, p pointer) { c.set(scalar(c.wire, flat[0]), p) }
func (c number) store(_ context.Context, cx *Context, at uint32, p pointer) {
	cx.put(at, c.wire.size, core(c.wire, c.bits(p)))
}
func (c number) lower(_ context.Context, _ *Context, p pointer, flat []uint64) {
	flat[0] = core(c.wire, c.bits(p))
}

// text is string.
type text struct{}

func (text) load(cx *Context, b []byte, p pointer) {
	*at[string](p) = cx.loadString(uint32(get(b, 4)), uint32(get(b[4:], 4)))
}
func (text) lift(cx *Context, flat []uint64, p pointer) {
	*at[string](p) = cx.loadString(uint32(flat[0]), uint32(flat[1]))
}
func (text) store(ctx context.Context, cx *Context, to uint32, p pointer) {
	cx.putRange(to)(cx.storeString(ctx, *at[string](p)))
}
func (text) lower(ctx context.Context, cx *Context, p pointer, flat []uint64) {
	setRange(flat)(cx.storeString(ctx, *at[string](p)))
}

func (cx *Context) putRange(to uint32) func(ptr, n uint32) {
	return func(ptr, n uint32) {
		cx.put(to, 4, uint64(ptr))
		cx.put(to+4, 4, uint64(n))
	}
}

func setRange(flat []uint64) func(ptr, n uint32) {
	return func(ptr, n uint32) { flat[0], flat[1] = uint64(ptr), uint64(n) }
}

// octets is list<u8>.
type octets struct{}

func (octets) get(cx *Context, ptr, n uint32, p pointer) {
	b := cx.view(ptr, uint64(n), 1)
	cx.charge(uint64(n))
	*at[[]byte](p) = append([]byte{}, b...)
}
func (c octets) load(cx *Context, b []byte, p pointer) {
	c.get(cx, uint32(get(b, 4)), uint32(get(b[4:], 4)), p)
}
func (c octets) lift(cx *Context, flat []uint64, p pointer) {
	c.get(cx, uint32(flat[0]), uint32(flat[1]), p)
}
func (octets) store(ctx context.Context, cx *Context, to uint32, p pointer) {
	b := *at[[]byte](p)
	cx.putRange(to)(cx.storeBytes(ctx, b, 1), uint32(len(b)))
}
func (octets) lower(ctx context.Context, cx *Context, p pointer, flat []uint64) {
	b := *at[[]byte](p)
	setRange(flat)(cx.storeBytes(ctx, b, 1), uint32(len(b)))
}

// list is any other list. Its elements are allocated by reflection, for the
// collector must know their type.
type list struct {
	elem   codec
	wire   *Type // of an element
	goType reflect.Type
	stride uintptr
}

func (c *list) get(cx *Context, ptr, n uint32, p pointer) {
	size := uint64(n) * uint64(c.wire.size)
	b := cx.view(ptr, size, c.wire.align)
	cx.charge(size)
	v := reflect.MakeSlice(c.goType, int(n), int(n)).UnsafePointer()
	for i := range int(n) {
		c.elem.load(cx, b[i*int(c.wire.size):][:c.wire.size], field(v, uintptr(i)*c.stride))
	}
	*at[slice](p) = slice{v, int(n), int(n)}
}
func (c *list) put(ctx context.Context, cx *Context, p pointer) (ptr, n uint32) {
	s := *at[slice](p)
	ptr = cx.alloc(ctx, uint64(s.len)*uint64(c.wire.size), c.wire.align)
	for i := range s.len {
		c.elem.store(ctx, cx, ptr+uint32(i)*c.wire.size, field(s.data, uintptr(i)*c.stride))
	}
	return ptr, uint32(s.len)
}
func (c *list) load(cx *Context, b []byte, p pointer) {
	c.get(cx, uint32(get(b, 4)), uint32(get(b[4:], 4)), p)
}
func (c *list) lift(cx *Context, flat []uint64, p pointer) {
	c.get(cx, uint32(flat[0]), uint32(flat[1]), p)
}
func (c *list) store(ctx context.Context, cx *Context, to uint32, p pointer) {
	cx.putRange(to)(c.put(ctx, cx, p))
}
func (c *list) lower(ctx context.Context, cx *Context, p pointer, flat []uint64) {
	setRange(flat)(c.put(ctx, cx, p))
}

// record is a record or tuple, in the wire type's order.
type record struct{ fields []recordField }

type recordField struct {
	codec
	offset       uintptr // in the Go struct
	wire         uint32  // in the guest's memory
	size         uint32
	flat, flatTo int
}

func (c *record) load(cx *Context, b []byte, p pointer) {
	for i := range c.fields {
		f := &c.fields[i]
		f.codec.load(cx, b[f.wire:][:f.size], field(p, f.offset))
	}
}
func (c *record) store(ctx context.Context, cx *Context, to uint32, p pointer) {
	for i := range c.fields {
		f := &c.fields[i]
		f.codec.store(ctx, cx, to+f.wire, field(p, f.offset))
	}
}
func (c *record) lift(cx *Context, flat []uint64, p pointer) {
	for i := range c.fields {
		f := &c.fields[i]
		f.codec.lift(cx, flat[f.flat:f.flatTo], field(p, f.offset))
	}
}
func (c *record) lower(ctx context.Context, cx *Context, p pointer, flat []uint64) {
	for i := range c.fields {
		f := &c.fields[i]
		f.codec.lower(ctx, cx, field(p, f.offset), flat[f.flat:f.flatTo])
	}
}

// handleCodec is an own or borrow of a host's resource.
type handleCodec struct {
	wire *Type
	ops  handleType
}

func (c handleCodec) get(cx *Context, i uint32, p pointer) {
	if c.wire.kind == OwnOf {
		c.ops.put(p, cx.inst.liftOwn(i, c.wire.resource).Obj)
		return
	}
	c.ops.put(p, cx.inst.liftBorrow(i, c.wire.resource).Obj)
}
func (c handleCodec) put(cx *Context, p pointer) uint64 {
	res := &Resource{Type: c.wire.resource, Obj: c.ops.object(p)}
	if c.wire.kind == OwnOf {
		return uint64(cx.inst.lowerOwn(res))
	}
	return uint64(cx.inst.lowerBorrow(res))
}
func (c handleCodec) load(cx *Context, b []byte, p pointer)      { c.get(cx, uint32(get(b, 4)), p) }
func (c handleCodec) lift(cx *Context, flat []uint64, p pointer) { c.get(cx, uint32(flat[0]), p) }
func (c handleCodec) store(_ context.Context, cx *Context, at uint32, p pointer) {
	cx.put(at, 4, c.put(cx, p))
}
func (c handleCodec) lower(_ context.Context, cx *Context, p pointer, flat []uint64) {
	flat[0] = c.put(cx, p)
}
