package wasm

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
)

// Layout of preview 1's subscription and event.
const (
	subscriptionSize = 48
	eventSize        = 32
	pollClock        = 0
	pollAbsolute     = 1
)

// subscription is one thing that poll_oneoff waits for.
type subscription struct {
	userData uint64
	kind     byte
	wait     time.Duration // of a clock; others are ready at once
	errno    uint16
}

// pollOneoff waits for the first of some clocks, or for the end of the call.
// Descriptors are always ready: output is never full, input at its end.
func pollOneoff(c *wasiCall) uint32 {
	in, out, n := c.arg(0), c.arg(1), c.arg(2)
	if n == 0 || n > maxPolls {
		return wasiInval
	}
	subs, ok := c.mem.Read(in, n*subscriptionSize)
	if !ok {
		return wasiFault
	}
	parsed := make([]subscription, n)
	shortest := time.Duration(math.MaxInt64)
	for i := range parsed {
		parsed[i] = parseSubscription(subs[i*subscriptionSize:])
		shortest = min(shortest, parsed[i].wait)
	}
	c.sleep(shortest)
	events := make([]byte, 0, n*eventSize)
	for _, s := range parsed {
		if s.wait <= shortest {
			events = binary.LittleEndian.AppendUint64(events, s.userData)
			events = binary.LittleEndian.AppendUint16(events, s.errno)
			events = append(events, s.kind)
			events = append(events, make([]byte, eventSize-11)...)
		}
	}
	if !c.mem.Write(out, events) || !c.put(c.arg(3), uint32(len(events)/eventSize)) {
		return wasiFault
	}
	return wasiOK
}

func parseSubscription(b []byte) subscription {
	s := subscription{userData: binary.LittleEndian.Uint64(b), kind: b[8]}
	if s.kind != pollClock {
		return s
	}
	timeout := int64(min(binary.LittleEndian.Uint64(b[24:]), math.MaxInt64))
	if b[40]&pollAbsolute != 0 {
		now, ok := clock(binary.LittleEndian.Uint32(b[16:]))
		if !ok {
			s.errno = wasiInval
			return s
		}
		timeout -= now
	}
	s.wait = time.Duration(max(0, timeout))
	return s
}

// sleep waits for d, or stops the guest when its call is over.
func (c *wasiCall) sleep(d time.Duration) {
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
		panic(stopped(c.ctx))
	}
}

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
