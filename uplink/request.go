package uplink

import (
	"fmt"

	"github.com/astrid-go/astrid/api"
)

// request answers a kernel request in a goroutine of its own.
func (c *connection) request(to address, payload []byte) {
	r, err := api.DecodeRequest(payload)
	to.requestID = r.RequestID
	if err != nil {
		c.server.counters.malformed.Add(1)
		c.refuse(to, wireError(err))
		return
	}
	select {
	case c.requests <- struct{}{}:
	default:
		c.server.counters.limited.Add(1)
		c.refuse(to, &api.Error{
			Code: api.CodeRateLimited, Message: fmt.Sprintf("%d requests of this connection run already", maxRequests),
			Hint: "wait for replies before sending more",
		})
		return
	}
	if !c.server.enter() {
		<-c.requests
		c.refuse(to, &api.Error{Code: api.CodeUnavailable, Message: "the daemon shuts down"})
		return
	}
	// It ends no later than the connection's context; Shutdown waits for it.
	c.server.goroutines.Go(func() {
		defer c.server.requests.Done()
		c.answer(to, r)
		<-c.requests
	})
}

// enter counts a request that Shutdown waits for; false means that it is too
// late. The caller calls requests.Done.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.requests.Add(1)
	return true
}

func (c *connection) answer(to address, r api.Request) {
	data, err := c.server.config.Request(c.ctx, c.id, r.Method, r.Params)
	if err != nil {
		c.refuse(to, c.server.told(err, r.Method))
		return
	}
	reply, err := api.NewReply(r.RequestID, r.Method, data)
	if err != nil {
		c.refuse(to, c.server.told(err, r.Method))
		return
	}
	c.reply(to, reply)
}
