package canon

import "context"

// flagsCodec translates labels that host and guest may count differently.
type flagsCodec struct {
	number
	pairs [][2]uint8 // guest's bit, host's bit
}

func (c flagsCodec) toHost(bits uint64) (v uint64) {
	for _, p := range c.pairs {
		v |= bits >> p[0] & 1 << p[1]
	}
	return v
}

func (c flagsCodec) toGuest(p pointer) (v uint64) {
	bits := c.bits(p)
	for _, p := range c.pairs {
		v |= bits >> p[1] & 1 << p[0]
	}
	return v
}

func (c flagsCodec) load(_ *Context, b []byte, p pointer) { c.set(c.toHost(get(b, c.wire.size)), p) }
func (c flagsCodec) lift(_ *Context, flat []uint64, p pointer) {
	c.set(c.toHost(flat[0]), p)
}
func (c flagsCodec) store(_ context.Context, cx *Context, at uint32, p pointer) {
	cx.put(at, c.wire.size, c.toGuest(p))
}
func (c flagsCodec) lower(_ context.Context, _ *Context, p pointer, flat []uint64) {
	flat[0] = c.toGuest(p)
}
