package wasi

import (
	"context"
	"encoding/binary"
	"math"
	"time"

	"github.com/astrid-go/astrid/wasm/canon"
)

// resolution of the clocks. Finer ones would help guests to observe others.
const resolution = time.Microsecond

// maxRandom bounds the random bytes of one call.
const maxRandom = 1 << 20

// datetime is wasi:clocks/wall-clock's.
type datetime struct {
	Seconds     uint64
	Nanoseconds uint32
}

// monotonic is a clock that begins when it is made: guests do not learn how
// long the machine has been up.
type monotonic struct{ start time.Time }

func (m monotonic) now(ctx context.Context) uint64 {
	return uint64(max(0, env(ctx).now().Sub(m.start).Truncate(resolution)))
}

// at returns what is ready at an instant of the clock.
func (m monotonic) at(instant uint64) canon.Own[*pollable] {
	d := time.Duration(min(instant, math.MaxInt64))
	return canon.Own[*pollable]{Value: &pollable{at: m.start.Add(d)}}
}

func (m monotonic) after(ctx context.Context, d uint64) canon.Own[*pollable] {
	now := m.now(ctx)
	if d > math.MaxInt64-now {
		d = math.MaxInt64 - now
	}
	return m.at(now + d)
}

func clockInterfaces(start time.Time) []canon.Interface {
	m := monotonic{start}
	return []canon.Interface{
		{Name: name("clocks/monotonic-clock"), Funcs: []canon.HostFunc{
			canon.Func0("now", m.now),
			canon.Func0("resolution", func(context.Context) uint64 { return uint64(resolution) }),
			canon.Func1("subscribe-instant", func(_ context.Context, when uint64) canon.Own[*pollable] { return m.at(when) }),
			canon.Func1("subscribe-duration", m.after),
		}},
		{Name: name("clocks/wall-clock"), Funcs: []canon.HostFunc{
			canon.Func0("now", func(ctx context.Context) datetime {
				t := env(ctx).now().Truncate(resolution)
				return datetime{uint64(max(0, t.Unix())), uint32(t.Nanosecond())}
			}),
			canon.Func0("resolution", func(context.Context) datetime { return datetime{0, uint32(resolution)} }),
		}},
	}
}

func randomInterfaces() []canon.Interface {
	number := func(ctx context.Context) uint64 {
		var b [8]byte
		env(ctx).random(b[:])
		return binary.LittleEndian.Uint64(b[:])
	}
	bytes := func(ctx context.Context, n uint64) []byte {
		if n > maxRandom {
			canon.Fail("%d random bytes, at most %d at a time", n, maxRandom)
		}
		b := make([]byte, n)
		env(ctx).random(b)
		return b
	}
	return []canon.Interface{
		{Name: name("random/random"), Funcs: []canon.HostFunc{
			canon.Func1("get-random-bytes", bytes), canon.Func0("get-random-u64", number),
		}},
		{Name: name("random/insecure"), Funcs: []canon.HostFunc{
			canon.Func1("get-insecure-random-bytes", bytes), canon.Func0("get-insecure-random-u64", number),
		}},
		{Name: name("random/insecure-seed"), Funcs: []canon.HostFunc{
			canon.Func0("insecure-seed", func(ctx context.Context) canon.Tuple2[uint64, uint64] {
				return canon.Tuple2[uint64, uint64]{F0: number(ctx), F1: number(ctx)}
			}),
		}},
	}
}
