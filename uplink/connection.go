package uplink

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/principal"
)

const (
	// maxRequests bounds the requests of one connection that run at once.
	maxRequests = 32
	readBuffer  = 8 << 10
)

// connection is one client after the handshake.
type connection struct {
	server *Server
	conn   *net.UnixConn
	id     principal.ID
	queue  *queue
	// ctx is the parent of the connection's requests and publishes.
	ctx    context.Context
	cancel context.CancelFunc
	// requests holds a token for each request that runs.
	requests  chan struct{}
	publisher publisher
	calls     map[call]struct{} // guarded by Server.mu
}

func newConnection(s *Server, conn *net.UnixConn, id principal.ID) *connection {
	c := &connection{
		server: s, conn: conn, id: id, queue: newQueue(),
		requests: make(chan struct{}, maxRequests), calls: map[call]struct{}{},
	}
	c.ctx, c.cancel = context.WithCancel(s.root)
	c.publisher.connection = c
	return c
}

// serve runs the connection until it ends. The writer outlives the reader until
// what waits is sent, so that a client which is thrown out is told why.
func (c *connection) serve() {
	var writer sync.WaitGroup
	writer.Go(c.write)
	c.read()
	c.cancel()
	c.queue.finish()
	writer.Wait()
	c.server.forget(c)
}

// read handles frames until the client leaves or breaks the protocol.
func (c *connection) read() {
	in := bufio.NewReaderSize(c.conn, readBuffer)
	for {
		frame, err := c.next(in)
		if tooLarge, ok := errors.AsType[*api.FrameSizeError](err); ok {
			c.server.counters.malformed.Add(1)
			c.refuse(address{}, &api.Error{Code: api.CodeTooLarge, Message: tooLarge.Error(), Hint: "the connection is closed"})
			return
		}
		if err != nil {
			return
		}
		c.handle(frame)
	}
}

// next reads a frame. It waits for the first byte without limit.
func (c *connection) next(in *bufio.Reader) ([]byte, error) {
	if _, err := in.Peek(1); err != nil {
		return nil, err
	}
	if !whole(in) {
		if err := c.conn.SetReadDeadline(time.Now().Add(c.server.limits.frame)); err != nil {
			return nil, err
		}
		defer c.conn.SetReadDeadline(time.Time{}) // fails only on a closed connection, as the next read will
	}
	return api.ReadFrame(in, api.MaxFrame)
}

// whole reports whether a frame is in the buffer to its end, which is the usual
// case and needs no deadline.
func whole(in *bufio.Reader) bool {
	if in.Buffered() < api.FrameHeader {
		return false
	}
	header, err := in.Peek(api.FrameHeader)
	return err == nil && int64(binary.BigEndian.Uint32(header)) <= int64(in.Buffered()-api.FrameHeader)
}

// write sends what is queued, and closes the connection when there will be no
// more or when the client does not take it.
func (c *connection) write() {
	defer c.conn.Close()
	var batch [][]byte
	for {
		var more bool
		batch, more = c.queue.take(batch[:0])
		if !more {
			return
		}
		if len(batch) == 0 {
			<-c.queue.wake
			continue
		}
		if err := c.conn.SetWriteDeadline(time.Now().Add(c.server.limits.write)); err != nil {
			return
		}
		frames := net.Buffers(batch)
		if _, err := frames.WriteTo(c.conn); err != nil {
			return
		}
		clear(batch)
	}
}

// send queues a frame. A client that lets too much pile up loses its connection.
func (c *connection) send(frame []byte) {
	if c.queue.put(frame) {
		return
	}
	c.server.counters.overflows.Add(1)
	c.server.log.Warn("client does not read: connection closed", "principal", c.id)
	c.conn.Close()
	c.queue.finish()
}
