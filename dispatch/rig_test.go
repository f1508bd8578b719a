package dispatch_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/dispatch"
	"github.com/astrid-go/astrid/principal"
)

// rig is a dispatcher on a real bus, with capsules whose answers the test writes and whose calls it reads.
type rig struct {
	t         testing.TB
	bus       *bus.Bus
	d         *dispatch.Dispatcher
	answers   map[string]answer // by action; written before publishing; the rest continue
	behaviour map[string]dispatch.InvokerFunc

	mu       sync.Mutex // guards what follows
	calls    []dispatch.Invocation
	outcomes []dispatch.Outcome
}

type answer struct {
	result dispatch.Result
	err    error
}

func newRig(t testing.TB, c dispatch.Config) *rig {
	t.Helper()
	r := &rig{t: t, bus: bus.New(bus.Config{}), answers: map[string]answer{}, behaviour: map[string]dispatch.InvokerFunc{}}
	c.Bus, c.Invoker, c.OnOutcome = r.bus, dispatch.InvokerFunc(r.invoke), r.record
	if c.Access == nil {
		c.Access = func(context.Context, principal.ID, bus.Topic, string) error { return nil }
	}
	d, err := dispatch.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r.d = d
	return r
}

func (r *rig) invoke(ctx context.Context, call dispatch.Invocation) (dispatch.Result, error) {
	r.mu.Lock()
	r.calls = append(r.calls, call)
	r.mu.Unlock()
	if call.Principal.IsZero() {
		r.t.Errorf("%s acts for nobody", call.Action)
	}
	if behave := r.behaviour[call.Action]; behave != nil {
		return behave(ctx, call)
	}
	if a, ok := r.answers[call.Action]; ok {
		return a.result, a.err
	}
	return dispatch.Result{Verdict: dispatch.Continue}, nil
}

func (r *rig) record(o dispatch.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes = append(r.outcomes, o)
}

func (r *rig) on(action string, behave dispatch.InvokerFunc) { r.behaviour[action] = behave }

func (r *rig) register(capsule string, handlers ...dispatch.Handler) {
	r.t.Helper()
	if err := r.d.Register(capsule, 1, handlers); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) subscribe(pattern string) *bus.Subscription {
	r.t.Helper()
	s, err := r.bus.Subscribe(parse(r.t, bus.ParsePattern, pattern), bus.SubscribeOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) publish(m bus.Message) {
	r.t.Helper()
	if _, err := r.d.Publish(r.t.Context(), m); err != nil {
		r.t.Error(err)
	}
}

// close drains the dispatcher; afterwards calls and outcomes may be read without the lock.
func (r *rig) close() {
	r.t.Helper()
	if err := r.d.Close(context.Background()); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) actions() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, call := range r.calls {
		all = append(all, call.Action)
	}
	return all
}

func (r *rig) count(action string) (n int) {
	for _, a := range r.actions() {
		if a == action {
			n++
		}
	}
	return n
}

func handler(t testing.TB, pattern, action string, mode dispatch.Mode) dispatch.Handler {
	return dispatch.Handler{Pattern: parse(t, bus.ParsePattern, pattern), Action: action, Priority: 100, Mode: mode}
}

func message(t testing.TB, topic, name string) bus.Message {
	return bus.Message{Topic: parse(t, bus.ParseTopic, topic), Payload: []byte("0"), From: bus.Verified(id(t, name))}
}

func id(t testing.TB, name string) principal.ID { return parse(t, principal.Parse, name) }

func parse[T any](t testing.TB, parser func(string) (T, error), s string) T {
	t.Helper()
	v, err := parser(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func contains(actions []string, want ...string) bool {
	return !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(actions, w) })
}
