package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/go-json-experiment/json"
)

// maxEvents bounds what waits for a slow reader of Events.
const maxEvents = 1024

// Events is a stream of messages. Close it.
type Events struct {
	client *Client
	match  func(topic string) bool

	mu      sync.Mutex // guards what follows
	queue   []Message
	dropped uint64
	wake    chan struct{} // capacity 1
	closed  bool
}

// Subscribe returns the messages, from now on, whose topic match accepts; replies
// to this client's own requests and calls are not among them. At most 1024 wait;
// then the oldest goes and is counted. match must be quick and may not use c.
func (c *Client) Subscribe(match func(topic string) bool) *Events {
	e := &Events{client: c, match: match, wake: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events[e] = struct{}{}
	return e
}

// Next waits for a message. What arrived before the connection ended is returned
// first; then the error wraps ErrClosed, or is that of ctx.
func (e *Events) Next(ctx context.Context) (Message, error) {
	for {
		m, ok, closed := e.take()
		if ok {
			return m, nil
		}
		if closed {
			return Message{}, ErrClosed
		}
		select {
		case <-e.wake:
		case <-ctx.Done():
			return Message{}, context.Cause(ctx)
		case <-e.client.done:
			if m, ok, _ := e.take(); ok {
				return m, nil
			}
			return Message{}, e.client.ended()
		}
	}
}

func (e *Events) take() (m Message, ok, closed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.queue) == 0 {
		return Message{}, false, e.closed
	}
	m = e.queue[0]
	e.queue = e.queue[1:]
	return m, true, e.closed
}

// Dropped counts the messages that were lost because nobody took them.
func (e *Events) Dropped() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dropped
}

// Close ends the stream. It is safe twice.
func (e *Events) Close() {
	e.client.mu.Lock()
	delete(e.client.events, e)
	e.client.mu.Unlock()
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.signal()
}

func (e *Events) put(m Message) {
	e.mu.Lock()
	if len(e.queue) >= maxEvents {
		e.queue = e.queue[1:]
		e.dropped++
	}
	e.queue = append(e.queue, m)
	e.mu.Unlock()
	e.signal()
}

func (e *Events) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// read delivers messages until the connection ends. It never waits for a
// receiver. Frames that do not decode are skipped: a newer daemon may send what
// this client does not know.
func (c *Client) read() {
	in := bufio.NewReaderSize(c.conn, 64<<10)
	for {
		frame, err := ReadFrame(in, MaxFrame)
		if err != nil {
			c.lose(err)
			return
		}
		m, err := DecodeMessage(frame)
		if err == nil {
			c.deliver(m)
		}
	}
}

// lose ends everything that waits, with the reason that the connection ended for.
func (c *Client) lose(err error) {
	c.conn.Close() // it may be closed already, and nothing is left to be written
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = ErrClosed
	if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		c.lost = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	close(c.done)
}

func (c *Client) deliver(m Message) {
	key := m.Topic
	if _, ok := ToolOfResultTopic(m.Topic); ok {
		key = callKey(callID(m))
	}
	c.mu.Lock()
	answer, awaited := c.waiting[key]
	delete(c.waiting, key)
	var to []*Events
	if !awaited {
		for e := range c.events {
			to = append(to, e)
		}
	}
	c.mu.Unlock()
	if awaited {
		answer <- m // capacity 1, and nobody else sends: the key is gone
		return
	}
	for _, e := range to {
		if e.match(m.Topic) {
			e.put(m)
		}
	}
}

func callID(m Message) string {
	var head struct {
		CallID string `json:"call_id"`
	}
	if json.Unmarshal(m.Payload, &head) != nil {
		return ""
	}
	return head.CallID
}
