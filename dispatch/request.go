package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/astrid-go/astrid/bus"
)

// Request is a message that expects one reply.
type Request struct {
	Message bus.Message
	// ID is the request's, which its reply repeats. It must be hard to guess or unique to its principal.
	ID string
	// Reply selects the topics a reply may come on.
	Reply bus.Pattern
	// ReplyID reads the request id out of a possible reply; see JSONField and LastSegment.
	ReplyID func(bus.Message) (id string, ok bool)
	// Timeout bounds the wait, counted from the call; 0 leaves it to ctx.
	Timeout time.Duration
	// Capsule and Generation, if Capsule is not empty, say who waits: the wait ends with ErrAbsent once that generation
	// is unregistered.
	Capsule    string
	Generation uint64
}

// Request publishes and waits for the reply: a message on r.Reply with r.ID, attributed to the same principal by no
// weaker proof, or to the kernel. Every other message is passed over and does not move the deadline. It subscribes
// before it publishes, so no reply comes too early.
func (d *Dispatcher) Request(ctx context.Context, r Request) (bus.Message, error) {
	if r.ID == "" || r.ReplyID == nil || r.Message.From.Principal().IsZero() {
		return bus.Message{}, fmt.Errorf("request %s: ID, ReplyID and a principal are required", r.Message.Topic)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if r.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, r.Timeout)
		defer stop()
	}
	defer context.AfterFunc(d.root, func() { cancel(ErrClosed) })()
	var gone <-chan struct{} // nil, which never closes, if no capsule waits
	if r.Capsule != "" {
		waiter, err := d.registry.find(instance{r.Capsule, r.Generation})
		if err != nil {
			return bus.Message{}, fmt.Errorf("request %s: %w", r.Message.Topic, err)
		}
		gone = waiter.gone
	}
	sub, err := d.config.Bus.Subscribe(r.Reply, bus.SubscribeOptions{
		Name: "request", Principal: r.Message.From.Principal(), System: true,
	})
	if err != nil {
		return bus.Message{}, fmt.Errorf("request %s: %w", r.Message.Topic, err)
	}
	defer sub.Close()
	// With bus.ErrFull the request is out, and a reply may come; the fault is some other subscriber's.
	if _, err := d.Publish(ctx, r.Message); err != nil && !errors.Is(err, bus.ErrFull) {
		return bus.Message{}, fmt.Errorf("request: %w", err)
	}
	return r.await(ctx, sub, gone)
}

func (r *Request) await(ctx context.Context, sub *bus.Subscription, gone <-chan struct{}) (bus.Message, error) {
	for {
		select {
		case <-gone:
			return bus.Message{}, fmt.Errorf("request %s: %s unloaded: %w", r.Message.Topic, r.Capsule, ErrAbsent)
		case <-ctx.Done():
			return bus.Message{}, fmt.Errorf("request %s: no reply: %w", r.Message.Topic, context.Cause(ctx))
		case <-sub.Ready():
		}
		m, err := sub.Recv(ctx)
		if err != nil {
			return bus.Message{}, fmt.Errorf("request %s: no reply: %w", r.Message.Topic, err)
		}
		if r.answers(m) {
			return m, nil
		}
	}
}

// answers reports whether m is the reply. A claim does not answer for a principal whom the host authenticated.
func (r *Request) answers(m bus.Message) bool {
	if m.From.IsClaimed() && r.Message.From.IsVerified() {
		return false
	}
	id, ok := r.ReplyID(m)
	return ok && id == r.ID
}

// JSONField returns a ReplyID that reads a string field of the payload's top-level object.
func JSONField(name string) func(bus.Message) (string, bool) {
	return func(m bus.Message) (string, bool) {
		var object map[string]json.RawMessage
		if json.Unmarshal(m.Payload, &object) != nil {
			return "", false
		}
		var id *string
		if json.Unmarshal(object[name], &id) != nil || id == nil {
			return "", false
		}
		return *id, true
	}
}

// LastSegment is a ReplyID for replies whose topic ends with the id.
func LastSegment(m bus.Message) (string, bool) {
	topic := m.Topic.String()
	return topic[strings.LastIndexByte(topic, '.')+1:], true
}
