package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/capsule"
	"github.com/astrid-go/astrid/dispatch"
	"github.com/astrid-go/astrid/gate"
	"github.com/astrid-go/astrid/host"
	"github.com/astrid-go/astrid/principal"
)

// fromGuest dispatches what a guest published. That some subscriber is full is
// not the guest's fault: the message is out.
func (k *Kernel) fromGuest(ctx context.Context, m bus.Message) error {
	_, err := k.dispatcher.Publish(ctx, m)
	var guarded *dispatch.DeniedError
	switch {
	case err == nil, errors.Is(err, bus.ErrFull):
		return nil
	case errors.As(err, &guarded):
		return host.WithCode("capability-denied", err)
	case errors.Is(err, dispatch.ErrQueue):
		return host.WithCode("backpressure", err)
	case errors.Is(err, dispatch.ErrClosed):
		return host.WithCode("closed", err)
	}
	return err
}

// invocation is what the host functions are told about a call. A tool's call is
// named as its caller named it, so that the caller can ask about it afterwards;
// an approval is used once, so that a name used twice gains nothing.
func (k *Kernel) invocation(call dispatch.Invocation) host.Invocation {
	name := call.CallID.String()
	if _, ok := api.ToolOfTopic(call.Topic.String()); ok {
		var request struct {
			CallID string `json:"call_id"`
		}
		if json.Unmarshal(call.Payload, &request) == nil && validCallID(request.CallID) {
			name = request.CallID
		}
	}
	return host.Invocation{Call: name, From: call.From, Source: call.Source, Time: k.now(), Hops: call.Hops}
}

// maxCallID bounds a name that a caller chose.
const maxCallID = 128

func validCallID(s string) bool {
	return s != "" && len(s) <= maxCallID && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// access decides whether a principal may use a capsule's tool.
func (k *Kernel) access(ctx context.Context, id principal.ID, topic bus.Topic, name string) error {
	_, err := k.gate.Check(ctx, gate.Request{
		Principal: id, Capsule: name, Action: "capsule.use", Resource: topic.String(),
	})
	return err
}

// settle answers for a message that nobody will answer for: the caller of a tool
// gets an error in place of the result.
func (k *Kernel) settle(o dispatch.Outcome) {
	if o.Observer || o.Status == dispatch.Handled {
		return
	}
	m := o.Message
	if name, ok := api.ToolOfTopic(m.Topic.String()); ok && !m.From.Principal().IsZero() {
		k.answerFailedCall(name, m, k.failureOf(o))
		return
	}
	if o.Status != dispatch.NoHandler {
		k.log.Warn("message was not handled", "topic", m.Topic, "principal", m.From.Principal(), "status", o.Status, "reason", k.failureOf(o).Message)
	}
}

// failureOf tells why a message was not handled, in words for its publisher.
func (k *Kernel) failureOf(o dispatch.Outcome) *api.Error {
	if o.Status == dispatch.Denied {
		return &api.Error{Code: api.CodeDenied, Message: o.Reason, Rule: "the capsule's own handler denied it"}
	}
	if len(o.Failures) == 0 {
		return &api.Error{Code: api.CodeNotFound, Message: "no loaded capsule handles " + o.Message.Topic.String(),
			Hint: "see `astrid capsule list`"}
	}
	err := o.Failures[0].Err
	wire := wireError(err)
	if errors.Is(err, dispatch.ErrAbsent) || errors.Is(err, dispatch.ErrClosed) || errors.Is(err, dispatch.ErrQueue) {
		wire.Code = api.CodeUnavailable
	}
	return wire
}

func (k *Kernel) answerFailedCall(tool string, m bus.Message, failure *api.Error) {
	var call api.ToolExecuteRequest
	if err := json.Unmarshal(m.Payload, &call); err != nil {
		k.log.Warn("a failed tool call has no id to answer to", "tool", tool, "error", err)
		return
	}
	payload, err := api.EncodePayload(api.ToolExecuteResult{
		CallID: call.CallID, Error: failure,
		Result: api.ToolResult{CallID: call.CallID, Content: failure.Message, IsError: true},
	})
	if err == nil {
		err = k.publish(context.Background(), api.ToolResultTopic(tool), m.From.Principal(), payload)
	}
	if err != nil {
		k.log.Warn("answer a failed tool call", "tool", tool, "principal", m.From.Principal(), "error", err)
	}
}

// observeLoss tells the operator of messages that were lost.
func (k *Kernel) observeLoss(l bus.Loss) {
	k.log.Warn("messages were lost", "topic", l.Topic, "principal", l.Principal, "reason", l.Reason, "subscriber", l.Subscription, "count", l.Count)
}

// capsuleStates lists every capsule with what its instances did.
func (k *Kernel) capsuleStates() []api.CapsuleStatus {
	running := map[string]*loaded{}
	for _, c := range k.all() {
		running[c.name] = c
	}
	states := []api.CapsuleStatus{}
	for _, e := range k.registry.List() {
		s := api.CapsuleStatus{
			Name: e.Name, Version: e.Version(), State: string(e.State), Reason: e.Reason, Generation: e.Generation,
		}
		if c := running[e.Name]; c != nil {
			s.Instances, s.Calls = c.pool.instances.Load(), c.pool.calls.Load()
			if last := c.pool.lastError.Load(); last != nil {
				s.LastError = *last
			}
		}
		if e.Manifest != nil {
			s.Notices = notices(e.Manifest)
		}
		states = append(states, s)
	}
	return states
}

func notices(m *capsule.Manifest) []string {
	var out []string
	for _, n := range m.Unsupported() {
		out = append(out, fmt.Sprintf("Capsule.toml:%d: %s", n.Line, n.Text))
	}
	return out
}

func getCommands(_ context.Context, k *Kernel, _ principal.ID, _ api.Empty) ([]api.Command, error) {
	commands := []api.Command{}
	for _, c := range k.all() {
		for _, cmd := range c.manifest.Commands {
			text := cmd.Description
			if text == "" {
				text = "No description"
			}
			commands = append(commands, api.Command{Name: cmd.Name, Description: text, ProviderCapsule: c.name})
		}
	}
	return commands, nil
}

func getMetadata(_ context.Context, k *Kernel, _ principal.ID, _ api.Empty) ([]api.CapsuleMetadata, error) {
	out := []api.CapsuleMetadata{}
	for _, c := range k.all() {
		m := api.CapsuleMetadata{Name: c.name, InterceptorEvents: []string{}}
		for _, h := range c.manifest.Handlers() {
			m.InterceptorEvents = append(m.InterceptorEvents, h.Event)
		}
		out = append(out, m)
	}
	return out, nil
}

// logWriter turns what a guest writes to its standard streams into log entries.
type logWriter struct {
	log     *slog.Logger
	capsule string
}

// maxLogLine bounds an entry.
const maxLogLine = 4 << 10

// Write logs p, and never fails.
func (w logWriter) Write(p []byte) (int, error) {
	text := strings.ToValidUTF8(string(p[:min(len(p), maxLogLine)]), "?")
	w.log.Info("guest output", "capsule", w.capsule, "text", strings.TrimRight(text, "\n"))
	return len(p), nil
}
