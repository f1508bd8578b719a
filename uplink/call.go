package uplink

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

const (
	// maxCalls bounds the calls of one connection that wait for a result.
	maxCalls = 256
	// maxCallID bounds the id that a client chooses for a call.
	maxCallID = 128
)

// call names a tool call in flight. The principal is part of it, so that no one
// can take another's results by guessing ids.
type call struct {
	principal principal.ID
	id        string
}

// toolCall publishes the call of a tool and remembers who waits for its result.
func (c *connection) toolCall(to address, topic bus.Topic, payload []byte) {
	p, err := api.DecodePayload(payload)
	if err != nil {
		c.server.counters.malformed.Add(1)
		c.refuse(to, wireError(err))
		return
	}
	r, ok := p.(api.ToolExecuteRequest)
	if !ok || r.CallID == "" || len(r.CallID) > maxCallID || api.ToolTopic(r.ToolName) != to.topic {
		c.server.counters.malformed.Add(1)
		c.refuse(to, &api.Error{
			Code:    api.CodeInvalid,
			Message: fmt.Sprintf("%s takes a tool_execute_request for that tool with a call_id of 1 to %d bytes", to.topic, maxCallID),
		})
		return
	}
	to.callID = r.CallID
	if refusal := c.claim(call{c.id, r.CallID}); refusal != nil {
		c.server.counters.limited.Add(1)
		c.refuse(to, refusal)
		return
	}
	c.publish(to, bus.Message{Topic: topic, Payload: payload, From: bus.Verified(c.id)})
}

// claim makes c the connection that gets the result of a call.
func (c *connection) claim(key call) *api.Error {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(c.calls) >= maxCalls {
		return &api.Error{
			Code: api.CodeRateLimited, Message: fmt.Sprintf("%d calls of this connection run already", maxCalls),
			Hint: "wait for results before calling more",
		}
	}
	if _, taken := s.calls[key]; taken {
		return &api.Error{
			Code: api.CodeConflict, Message: "a call with this call_id runs already", Hint: "use a fresh UUID for each call",
		}
	}
	s.calls[key] = c
	c.calls[key] = struct{}{}
	return nil
}

// settle forgets the call of an address, if it has one.
func (c *connection) settle(to address) {
	if to.callID != "" {
		c.server.release(call{c.id, to.callID})
	}
}

// release returns who waits for the result of a call, nil if nobody does; the
// call is over then.
func (s *Server) release(key call) *connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls[key]
	if c != nil {
		delete(s.calls, key)
		delete(c.calls, key)
	}
	return c
}

// callOf reads the id of the call that a result belongs to.
func callOf(m bus.Message) call {
	var head struct {
		CallID string `json:"call_id"`
	}
	if json.Unmarshal(m.Payload, &head) != nil {
		return call{}
	}
	return call{principal: m.From.Principal(), id: head.CallID}
}
