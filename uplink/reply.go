package uplink

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/bus"
)

// address is where the answer to a frame goes, as far as it is known.
type address struct {
	topic     string // of the frame; "" if it could not be read
	requestID string
	callID    string
}

// refuse answers a frame that was not carried out: on the topic where its answer
// is awaited if there is one, else on api.TopicErrors.
func (c *connection) refuse(to address, e *api.Error) {
	if tool, ok := api.ToolOfTopic(to.topic); ok {
		c.deliver(api.ToolResultTopic(tool), api.ToolExecuteResult{
			CallID: to.callID, Error: e,
			Result: api.ToolResult{CallID: to.callID, Content: e.Message, IsError: true},
		})
		return
	}
	c.reply(to, api.NewErrorReply(to.requestID, e))
}

// deliver sends a payload with its tag.
func (c *connection) deliver(topic string, p api.Payload) {
	payload, err := api.EncodePayload(p)
	if err != nil {
		c.unsendable(topic, err)
		return
	}
	c.sendMessage(topic, payload)
}

// reply sends a reply, without a tag as clients expect it. One that fits no frame
// becomes an error that says so.
func (c *connection) reply(to address, r api.Reply) {
	topic, ok := api.ReplyTopic(to.topic)
	if _, err := bus.ParseTopic(to.topic); err != nil || !ok {
		topic = api.TopicErrors
	}
	payload, err := json.Marshal(r)
	if err != nil {
		c.unsendable(topic, err)
		return
	}
	if len(payload) > api.MaxFrame-maxEnvelope {
		c.reply(to, api.NewErrorReply(r.RequestID, &api.Error{
			Code:    api.CodeTooLarge,
			Message: fmt.Sprintf("the reply has %d bytes, at most %d fit into a frame", len(payload), api.MaxFrame-maxEnvelope),
			Hint:    "ask for less at a time",
		}))
		return
	}
	c.sendMessage(topic, payload)
}

// maxEnvelope is more than everything in a frame beside its payload.
const maxEnvelope = 1 << 10

func (c *connection) sendMessage(topic string, payload []byte) {
	frame, err := encode(api.Message{Topic: topic, Payload: payload, SourceID: api.SystemSource, Principal: c.id.String()})
	if err != nil {
		c.unsendable(topic, err)
		return
	}
	c.send(frame)
}

func (c *connection) unsendable(topic string, err error) {
	c.server.counters.unsendable.Add(1)
	c.server.log.Error("encode an answer", "topic", topic, "principal", c.id, "error", err)
}

// encode returns a frame with its header.
func encode(m api.Message) ([]byte, error) {
	body, err := api.EncodeMessage(m)
	if err != nil {
		return nil, err
	}
	if len(body) > api.MaxFrame {
		return nil, &api.FrameSizeError{Size: len(body), Max: api.MaxFrame}
	}
	return api.AppendFrame(make([]byte, 0, api.FrameHeader+len(body)), body), nil
}

// wireError is the error of a decoder of package api.
func wireError(err error) *api.Error {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e
	}
	return &api.Error{Code: api.CodeInvalid, Message: err.Error()}
}

// told is what a client is told about an error of a Config function. What is not
// written for clients goes to the log instead.
func (s *Server) told(err error, what string) *api.Error {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, bus.ErrRate), errors.Is(err, bus.ErrFull):
		return &api.Error{Code: api.CodeRateLimited, Message: err.Error(), Hint: "try again later"}
	case errors.Is(err, bus.ErrTooLarge):
		return &api.Error{Code: api.CodeTooLarge, Message: err.Error()}
	case errors.Is(err, bus.ErrClosed), errors.Is(err, context.Canceled):
		return &api.Error{Code: api.CodeUnavailable, Message: "the daemon shuts down"}
	case errors.Is(err, context.DeadlineExceeded):
		return &api.Error{Code: api.CodeTimeout, Message: "timed out"}
	}
	s.log.Error("a client's message failed", "what", what, "error", err)
	return &api.Error{Code: api.CodeError, Message: "internal error", Hint: "the daemon's log has the details"}
}
