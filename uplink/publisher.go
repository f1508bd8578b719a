package uplink

import (
	"errors"
	"sync"

	"github.com/astrid-go/astrid/bus"
)

// maxJobs bounds the messages of one connection that wait to be published.
const maxJobs = 256

// job is a message on its way to the bus, and where a refusal goes.
type job struct {
	to      address
	message bus.Message
}

// publisher publishes the messages of one connection in order. It is apart from
// the reader because a publish waits for guards, and the frame that a guard waits
// for, such as an answer to a question, may be the next one. Its goroutine exists
// only while it has work.
type publisher struct {
	connection *connection

	mu      sync.Mutex // guards what follows
	jobs    []job
	running bool
}

// put returns false when too much waits. It is called by the reader, which the
// server's count of goroutines includes.
func (p *publisher) put(j job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.jobs) >= maxJobs {
		return false
	}
	p.jobs = append(p.jobs, j)
	if !p.running {
		p.running = true
		// It ends with its jobs, and each job no later than the connection's
		// context; Shutdown waits for it.
		p.connection.server.goroutines.Go(p.run)
	}
	return true
}

func (p *publisher) run() {
	for {
		p.mu.Lock()
		if len(p.jobs) == 0 {
			p.jobs, p.running = nil, false
			p.mu.Unlock()
			return
		}
		j := p.jobs[0]
		p.jobs[0] = job{}
		p.jobs = p.jobs[1:]
		p.mu.Unlock()
		p.connection.dispatch(j)
	}
}

// dispatch publishes one message and answers if nobody else will.
func (c *connection) dispatch(j job) {
	if c.ctx.Err() != nil {
		return // the client is gone
	}
	err := c.server.config.Publish(c.ctx, j.message)
	if err == nil {
		return
	}
	if j.to.callID != "" && errors.Is(err, bus.ErrFull) {
		c.server.log.Warn("a subscriber missed a tool call", "topic", j.message.Topic, "error", err)
		return // the tool runs all the same, and answers
	}
	c.settle(j.to)
	c.refuse(j.to, c.server.told(err, j.message.Topic.String()))
}
