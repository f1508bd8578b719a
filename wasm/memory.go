package wasm

import (
	"sync"

	"github.com/tetratelabs/wazero/experimental"
)

// DefaultMemoryLimit is what the memories of an instance may grow to together
// if its config does not say.
const DefaultMemoryLimit = 64 << 20

// Pool allocates the linear memories of one instance and bounds what they hold
// together. It implements experimental.MemoryAllocator.
//
// Address space is reserved once and committed as the guest grows, so that
// growing copies nothing. Memories are unmapped by Release and not before:
// wazero frees them when a guest exits, while its callers may still look.
type Pool struct {
	limit uint64

	mu      sync.Mutex
	used    uint64    // bytes; guarded by mu
	refused bool      // whether growth was ever refused; guarded by mu
	areas   []*linear // guarded by mu
}

// NewPool returns a pool of at most limit bytes.
func NewPool(limit uint64) *Pool { return &Pool{limit: limit} }

// Allocate implements experimental.MemoryAllocator.
func (p *Pool) Allocate(_, maximum uint64) experimental.LinearMemory {
	l := &linear{pool: p, reserve: min(maximum, p.limit)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.areas = append(p.areas, l)
	return l
}

// Used returns how many bytes the memories hold.
func (p *Pool) Used() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

// Refused reports whether the limit ever kept a memory from growing.
func (p *Pool) Refused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// Release returns all memories to the system. Nothing may touch them any more.
func (p *Pool) Release() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first error
	for _, l := range p.areas {
		if err := l.area.release(); err != nil && first == nil {
			first = err
		}
	}
	p.areas, p.used, p.limit = nil, 0, 0
	return first
}

// linear is one memory.
type linear struct {
	pool    *Pool
	reserve uint64
	area    area // guarded by pool.mu
	size    uint64
}

// Reallocate implements experimental.LinearMemory; nil refuses.
func (l *linear) Reallocate(size uint64) []byte {
	p := l.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if size < l.size || size > l.reserve || size-l.size > p.limit-p.used {
		p.refused = true
		return nil
	}
	b, err := l.area.commit(size, l.reserve)
	if err != nil {
		p.refused = true
		return nil
	}
	p.used += size - l.size
	l.size = size
	return b
}

// Free implements experimental.LinearMemory. See Pool for why it does nothing.
func (l *linear) Free() {}
