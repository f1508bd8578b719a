package bus

import (
	"time"

	"github.com/astrid-go/astrid/principal"
)

// rates holds one token bucket of one second's worth per principal. The stripe's lock guards it.
type rates struct {
	buckets map[principal.ID]bucket
	sweepAt int // how many buckets to hold before those that are full again are dropped
}

type bucket struct {
	tokens float64 // bytes
	at     time.Time
}

// minSweep keeps a stripe with few principals from sweeping at all.
const minSweep = 64

// spend takes size bytes from id's bucket, which refills at limit bytes a second, and reports whether they were there.
func (r *rates) spend(id principal.ID, size int, limit int64, now time.Time) bool {
	b, known := r.buckets[id]
	if !known {
		r.sweep(now)
		b = bucket{tokens: float64(limit), at: now}
	}
	if gap := now.Sub(b.at); gap > 0 {
		b.tokens += gap.Seconds() * float64(limit)
		b.at = now
	}
	b.tokens = min(b.tokens, float64(limit))
	if b.tokens < float64(size) {
		r.buckets[id] = b
		return false
	}
	b.tokens -= float64(size)
	r.buckets[id] = b
	return true
}

// sweep drops buckets untouched for a second: they are full, and a new one would start full too.
func (r *rates) sweep(now time.Time) {
	if r.buckets == nil {
		r.buckets = map[principal.ID]bucket{}
	}
	if len(r.buckets) < max(r.sweepAt, minSweep) {
		return
	}
	for id, b := range r.buckets {
		if now.Sub(b.at) >= time.Second {
			delete(r.buckets, id)
		}
	}
	r.sweepAt = 2 * len(r.buckets)
}
