package bus

import "github.com/astrid-go/astrid/principal"

const (
	// quantum is how many bytes a principal may take in its turn before the next one is served: a few dozen small
	// messages, so that a flood of them delays others little.
	quantum = 4096
	// overhead is what a queued message costs besides its bytes, so that empty ones are not free.
	overhead = 64
)

// flow is what one subscription holds for one principal. The subscription's lock guards it.
type flow struct {
	id         principal.ID
	prev, next *flow // the circle of principals with waiting messages
	credit     int   // bytes this principal may still take in its turn; below zero it owes
	lanes      [2]ring
	lagged     uint64 // evicted since the last batch
	dropped    uint64 // refused since the last batch
}

// head returns the waiting message with the lowest sequence number; the lanes are ordered by it, so taking heads
// keeps the order across both.
func (f *flow) head() *ring {
	control, stream := &f.lanes[Control], &f.lanes[Stream]
	if stream.n == 0 || control.n > 0 && control.front().Seq < stream.front().Seq {
		return control
	}
	return stream
}

func (f *flow) empty() bool { return f.lanes[Control].n+f.lanes[Stream].n == 0 }

// circle is the deficit round robin: flows in a ring, the one at front being served with its credit already granted.
type circle struct {
	front *flow
	n     int
}

func (c *circle) add(f *flow) {
	c.n++
	if c.front == nil {
		f.prev, f.next, f.credit, c.front = f, f, quantum, f
		return
	}
	f.prev, f.next, f.credit = c.front.prev, c.front, 0
	f.prev.next, f.next.prev = f, f
}

func (c *circle) remove(f *flow) {
	c.n--
	if c.n == 0 {
		c.front = nil
		return
	}
	f.prev.next, f.next.prev = f.next, f.prev
	if c.front == f {
		c.front = f.next
		c.front.credit += quantum
	}
}

// turn moves on until the front flow has credit. One round grants each flow a quantum; if all still owe after it, the
// rounds that nobody could use are granted at once instead of walked.
func (c *circle) turn() *flow {
	for range c.n {
		if c.front.credit > 0 {
			return c.front
		}
		c.front = c.front.next
		c.front.credit += quantum
	}
	debt := c.front.credit
	for f := c.front.next; f != c.front; f = f.next {
		debt = max(debt, f.credit)
	}
	rounds := max(0, -debt/quantum+1)
	for range c.n {
		c.front.credit += rounds * quantum
		c.front = c.front.next
	}
	for c.front.credit <= 0 {
		c.front = c.front.next
	}
	return c.front
}

// ring is a growing circular buffer of messages with the cost of what it holds.
type ring struct {
	buf     []Message
	head, n int
	cost    int
}

// maxSpare is the largest buffer an idle flow keeps for reuse.
const maxSpare = 64

func cost(m *Message) int { return m.size() + overhead }

func (r *ring) front() *Message { return &r.buf[r.head] }

func (r *ring) push(m *Message) {
	if r.n == len(r.buf) {
		grown := make([]Message, max(4, 2*r.n))
		n := copy(grown, r.buf[r.head:])
		copy(grown[n:], r.buf[:r.head])
		r.buf, r.head = grown, 0
	}
	r.buf[(r.head+r.n)&(len(r.buf)-1)] = *m
	r.n++
	r.cost += cost(m)
}

func (r *ring) pop() Message {
	m := r.buf[r.head]
	r.buf[r.head] = Message{}
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	r.cost -= cost(&m)
	return m
}

// reset makes an emptied ring ready for another principal.
func (r *ring) reset() {
	if len(r.buf) > maxSpare {
		r.buf = nil
	}
	r.head = 0
}
