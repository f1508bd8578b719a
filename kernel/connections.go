package kernel

import (
	"sync"

	"github.com/astrid-go/astrid/principal"
)

// connections counts the open connections of each principal. Only the host
// counts: a client that crashes cannot leave a count behind.
type connections struct {
	mu    sync.Mutex // guards what follows
	count map[principal.ID]int
	total int
}

func newConnections() *connections {
	return &connections{count: map[principal.ID]int{}}
}

func (c *connections) opened(id principal.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[id]++
	c.total++
}

// closed reports whether that was the principal's last connection, and how many
// there are in all. A close without an open changes nothing.
func (c *connections) closed(id principal.ID) (last bool, total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, known := c.count[id]
	if !known {
		return false, c.total
	}
	c.total--
	if n > 1 {
		c.count[id] = n - 1
		return false, c.total
	}
	delete(c.count, id)
	return true, c.total
}

func (c *connections) snapshot() map[principal.ID]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[principal.ID]int, len(c.count))
	for id, n := range c.count {
		out[id] = n
	}
	return out
}

func (c *connections) sum() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}

// ConnectionOpened counts a connection of p. It is safe for concurrent use.
func (k *Kernel) ConnectionOpened(p principal.ID) { k.connections.opened(p) }

// ConnectionClosed takes one back; more closes than opens change nothing. When
// the last connection of p closes, the allowances of its session end, and
// nobody else's. An ephemeral kernel whose last connection closes is done.
func (k *Kernel) ConnectionClosed(p principal.ID) {
	last, total := k.connections.closed(p)
	if last {
		k.approvals.ClearSession(p)
	}
	if last && total == 0 && k.ephemeral.Load() {
		k.finish("last client left")
	}
}

// TotalConnectionCount returns the sum over all principals.
func (k *Kernel) TotalConnectionCount() int { return k.connections.sum() }

// ConnectionsByPrincipal returns a copy of the counts, without zeros.
func (k *Kernel) ConnectionsByPrincipal() map[principal.ID]int { return k.connections.snapshot() }

// SetEphemeral makes the kernel end when its last client has left.
func (k *Kernel) SetEphemeral(on bool) { k.ephemeral.Store(on) }

// Ephemeral reports whether it does.
func (k *Kernel) Ephemeral() bool { return k.ephemeral.Load() }
