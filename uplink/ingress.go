package uplink

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

// route says what a client's frame is.
type route uint8

const (
	forbidden route = iota
	request
	toolCall
	publication
)

// ingressTopics are the topics that clients may publish to, beside requests and
// calls of tools; ingressPrefixes need something after them. What a client says
// about its coming and going is not among them: the server knows.
var (
	ingressTopics = [...]string{
		"user.v1.prompt",
		"cli.v1.command.execute",
	}
	ingressPrefixes = [...]string{
		"astrid.v1.elicit.response.",
		"astrid.v1.approval.response.",
		"registry.v1.selection.",
		"session.v1.request.",
		"cli.v1.command.run.",
		"sage.v1.hook.",
	}
)

const ingressRule = "uplink: topics that clients may publish to"

// routeOf decides by the topic alone; what is not listed is forbidden.
func routeOf(topic string) route {
	if _, ok := api.ReplyTopic(topic); ok {
		return request
	}
	if _, ok := api.ToolOfTopic(topic); ok {
		return toolCall
	}
	if slices.Contains(ingressTopics[:], topic) {
		return publication
	}
	for _, prefix := range ingressPrefixes {
		if strings.HasPrefix(topic, prefix) && len(topic) > len(prefix) {
			return publication
		}
	}
	return forbidden
}

// handle treats one frame. Whatever is wrong with it is answered.
func (c *connection) handle(frame []byte) {
	m, err := api.DecodeMessage(frame)
	if err != nil {
		c.server.counters.malformed.Add(1)
		c.refuse(address{topic: api.PeekTopic(frame)}, wireError(err))
		return
	}
	to := address{topic: m.Topic}
	topic, err := bus.ParseTopic(m.Topic)
	if err != nil {
		c.server.counters.malformed.Add(1)
		c.refuse(address{}, &api.Error{Code: api.CodeInvalid, Message: err.Error()})
		return
	}
	if refusal := c.permit(m); refusal != nil {
		c.refuse(addressOf(m), refusal)
		return
	}
	switch routeOf(m.Topic) {
	case request:
		c.request(to, m.Payload)
	case toolCall:
		c.toolCall(to, topic, m.Payload)
	case publication:
		c.publication(to, topic, m.Payload)
	default:
		c.server.counters.forbidden.Add(1)
		c.refuse(to, &api.Error{
			Code: api.CodeDenied, Message: "clients may not publish to " + m.Topic, Rule: ingressRule,
		})
	}
}

// addressOf reads, from a frame that is refused before it is understood, where
// its answer is awaited.
func addressOf(m api.Message) address {
	var ids struct {
		CallID    string `json:"call_id"`
		RequestID string `json:"request_id"`
	}
	to := address{topic: m.Topic}
	if json.Unmarshal(m.Payload, &ids) == nil && len(ids.CallID) <= maxCallID && len(ids.RequestID) <= maxCallID {
		to.callID, to.requestID = ids.CallID, ids.RequestID
	}
	return to
}

// permit checks what holds for every frame. Rights are not its business: requests
// and calls are decided by who executes them.
func (c *connection) permit(m api.Message) *api.Error {
	switch {
	case m.Principal != "" && m.Principal != c.id.String():
		c.server.counters.forbidden.Add(1)
		return &api.Error{
			Code: api.CodeDenied, Message: fmt.Sprintf("this connection is bound to principal %s", c.id),
			Rule: "uplink: the handshake alone sets the principal", Hint: "connect as the other principal",
		}
	case len(m.Payload) > api.MaxPayload:
		c.server.counters.malformed.Add(1)
		return &api.Error{
			Code: api.CodeTooLarge, Message: fmt.Sprintf("payload of %d bytes, at most %d are allowed", len(m.Payload), api.MaxPayload),
		}
	case c.id == principal.Anonymous() && routeOf(m.Topic) != request:
		c.server.counters.forbidden.Add(1)
		return &api.Error{
			Code: api.CodeDenied, Message: "this connection proved no principal",
			Rule: "uplink: anonymous connections have no rights", Hint: "connect with the key of a principal",
		}
	case c.server.isClosing():
		return &api.Error{Code: api.CodeUnavailable, Message: "the daemon shuts down"}
	}
	return nil
}

// publication queues a message for the bus.
func (c *connection) publication(to address, topic bus.Topic, payload []byte) {
	view, err := api.GuestView(payload)
	if err != nil {
		c.server.counters.malformed.Add(1)
		c.refuse(to, wireError(err))
		return
	}
	c.publish(to, bus.Message{Topic: topic, Payload: view, From: bus.Verified(c.id)})
}

// publish hands a message to the publisher of the connection.
func (c *connection) publish(to address, m bus.Message) {
	if c.publisher.put(job{to: to, message: m}) {
		return
	}
	c.server.counters.limited.Add(1)
	c.settle(to)
	c.refuse(to, &api.Error{
		Code: api.CodeRateLimited, Message: fmt.Sprintf("%d messages of this connection wait already", maxJobs),
		Hint: "wait for answers before sending more",
	})
}
