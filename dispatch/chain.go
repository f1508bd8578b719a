package dispatch

import (
	"fmt"
	"strings"

	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

// Status says what became of a published message.
type Status uint8

const (
	// NoHandler: no handler was registered for it, or it acts for nobody.
	NoHandler Status = iota
	// Handled: each handler that was asked answered, and none denied.
	Handled
	// Denied: a handler said deny.
	Denied
	// Failed: at least one handler trapped, timed out, was absent, or was kept from the principal. Others may have
	// handled the message all the same.
	Failed
	// Dropped: the principal's queue had no room for a Stream message or an observer call.
	Dropped
)

// String returns a stable snake_case name for metrics and records.
func (s Status) String() string {
	return [...]string{"no_handler", "handled", "denied", "failed", "dropped"}[s]
}

// Failure is one handler that did not answer.
type Failure struct {
	Capsule, Action string
	Err             error // may wrap ErrAbsent, *AccessError, context.DeadlineExceeded, ErrQueue or ErrClosed
}

// Outcome says what became of one published message, or of one observer's share in it.
type Outcome struct {
	Message     bus.Message // as published
	Status      Status
	Handled     int    // handlers that answered
	Subscribers int    // bus subscriptions that got the message
	Reason      string // with Denied, the handler's
	Failures    []Failure
	Observer    bool // about an observer that failed or was not served, after the Outcome of the message itself
}

// AccessError says that a principal may not use a capsule's tool or command.
type AccessError struct {
	Principal principal.ID
	Topic     bus.Topic
	Capsule   string
	Err       error // from Config.Access; names the rule
}

// Error names who was kept from what, and why.
func (e *AccessError) Error() string {
	return fmt.Sprintf("%s may not use capsule %s by %s: %v", e.Principal, e.Capsule, e.Topic, e.Err)
}

// Unwrap returns the decision.
func (e *AccessError) Unwrap() error { return e.Err }

// gated reports whether a topic runs a tool or a command, for which a principal must hold the capsule:
// tool.v1.execute.<name>, where execute.result is the answer's topic, and everything below cli.v1.command.run.
func gated(t bus.Topic) bool {
	if tool, ok := strings.CutPrefix(t.String(), "tool.v1.execute."); ok {
		return tool != "result" && !strings.Contains(tool, ".")
	}
	return strings.HasPrefix(t.String(), "cli.v1.command.run.")
}

// chain runs the handlers of a published message one after the other, reports the outcome, and queues the observers.
func (d *Dispatcher) chain(r bus.Receipt) {
	out := Outcome{Message: r.Message, Subscribers: r.Delivered}
	m := r.Message
	handlers := d.registry.match(m.Topic, ModeHandler)
	done := false
	for i := 0; i < len(handlers) && !done; i++ {
		done = d.step(&out, handlers[i], &m)
	}
	switch {
	case out.Status == Denied:
	case len(out.Failures) > 0:
		out.Status = Failed
	case out.Handled > 0:
		out.Status = Handled
	}
	d.config.OnOutcome(out)
	d.observe(m)
}

// step runs one handler and reports whether it ended the chain.
func (d *Dispatcher) step(out *Outcome, e entry, m *bus.Message) (done bool) {
	var result Result
	err := d.root.Err()
	if err != nil {
		err = ErrClosed
	} else {
		result, err = d.call(d.root, e, m)
	}
	if err != nil {
		out.Failures = append(out.Failures, Failure{e.capsule, e.Action, err})
		return false
	}
	out.Handled++
	switch result.Verdict {
	case Continue:
		if len(result.Payload) > 0 {
			m.Payload = result.Payload
		}
		return false
	case Final:
		return true
	default:
		out.Status, out.Reason = Denied, result.Reason
		return true
	}
}

// observe queues the observers of m, each in a lane of its own: a slow one holds up only itself and, having no more
// than its principal's observer worker, the other observers of that principal.
func (d *Dispatcher) observe(m bus.Message) {
	id := m.From.Principal()
	for _, e := range d.registry.match(m.Topic, ModeObserver) {
		if err := d.observers.reserve(id, observerWorkers); err != nil {
			d.lost(m, e, Dropped, err)
			continue
		}
		d.observers.run(id, lane{m.Topic, e.capsule, e.Action}, func() {
			var ignored Outcome
			d.step(&ignored, e, &m)
			for _, f := range ignored.Failures {
				d.lost(m, e, Failed, f.Err)
			}
		})
	}
}

func (d *Dispatcher) lost(m bus.Message, e entry, s Status, err error) {
	d.config.OnOutcome(Outcome{Message: m, Status: s, Failures: []Failure{{e.capsule, e.Action, err}}, Observer: true})
}
