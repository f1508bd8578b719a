package canon

import "context"

// union is a variant, enum, option or result. Cases are matched by name when it
// is made: toGo and toWire translate.
type union struct {
	wire   *Type
	disc   number   // the Go value that holds the case
	toGo   []goCase // by the guest's case
	toWire []int    // by the host's case: the guest's, or -1 if it has none
	names  []string // of the host's cases
	other  int      // the guest's unknown(string), or -1
}

// goCase is how a guest's case looks to the host.
type goCase struct {
	disc    uint64 // the host's case
	payload codec  // nil if there is none
	offset  uintptr
	size    uint32
}

func (c *union) load(cx *Context, b []byte, p pointer) {
	k := &c.toGo[c.wire.caseOf(get(b, c.wire.disc))]
	c.disc.set(k.disc, p)
	if k.payload != nil {
		k.payload.load(cx, b[c.wire.payload:][:k.size], field(p, k.offset))
	}
}

func (c *union) lift(cx *Context, flat []uint64, p pointer) {
	k := &c.toGo[c.wire.caseOf(uint64(uint32(flat[0])))]
	c.disc.set(k.disc, p)
	if k.payload != nil {
		k.payload.lift(cx, flat[1:], field(p, k.offset))
	}
}

// guestCase returns the guest's case for p's, and the codec of its payload with
// where that is. A case that the guest does not know is its unknown(text).
func (c *union) guestCase(p pointer) (k uint64, payload codec, from pointer) {
	host := c.disc.bits(p)
	if host >= uint64(len(c.toWire)) {
		panic("canon: host value with an undefined case of " + c.wire.kind.String())
	}
	if i := c.toWire[host]; i >= 0 {
		return uint64(i), c.toGo[i].payload, field(p, c.toGo[i].offset)
	}
	if c.other < 0 {
		Fail("host answers with case %s, which the guest does not know", c.names[host])
	}
	return uint64(c.other), text{}, pointer(&c.names[host])
}

func (c *union) store(ctx context.Context, cx *Context, to uint32, p pointer) {
	k, payload, from := c.guestCase(p)
	cx.put(to, c.wire.disc, k)
	if payload != nil {
		payload.store(ctx, cx, to+c.wire.payload, from)
	}
}

func (c *union) lower(ctx context.Context, cx *Context, p pointer, flat []uint64) {
	k, payload, from := c.guestCase(p)
	clear(flat)
	flat[0] = k
	if payload != nil {
		payload.lower(ctx, cx, from, flat[1:])
	}
}
