package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/dispatch"
	"github.com/astrid-go/astrid/principal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errTrap = errors.New("guest trapped")

func TestGuardFailsClosed(t *testing.T) {
	for name, guard := range map[string]answer{
		"denies":          {dispatch.Result{Verdict: dispatch.Deny, Reason: "no"}, nil},
		"says nothing":    {dispatch.Result{}, nil},
		"unknown verdict": {dispatch.Result{Verdict: 99}, nil},
		"traps":           {dispatch.Result{Verdict: dispatch.Continue}, errTrap},
		"is absent":       {dispatch.Result{}, dispatch.ErrAbsent},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, dispatch.Config{})
			r.register("police", handler(t, "a.*", "check", dispatch.ModeGuard))
			r.register("tool", handler(t, "a.*", "run", dispatch.ModeHandler))
			r.answers["check"] = guard
			sub := r.subscribe("a.*")
			_, err := r.d.Publish(t.Context(), message(t, "a.b", "alice"))
			var denied *dispatch.DeniedError
			if !errors.As(err, &denied) || denied.Capsule != "police" || denied.Action != "check" {
				t.Fatalf("publisher got %v", err)
			}
			if guard.err != nil && !errors.Is(err, guard.err) {
				t.Errorf("%v hides %v", err, guard.err)
			}
			r.close()
			if sub.Waiting() != 0 || !slices.Equal(r.actions(), []string{"check"}) || len(r.outcomes) != 0 {
				t.Errorf("the message went on: %d on the bus, calls %v", sub.Waiting(), r.actions())
			}
		})
	}
}

func TestGuardThatHangsDeniesAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dispatch.Config{Deadline: func(principal.ID) time.Duration { return time.Minute }})
		r.register("police", handler(t, "a", "check", dispatch.ModeGuard))
		// It even answers Continue, but too late.
		r.on("check", func(ctx context.Context, _ dispatch.Invocation) (dispatch.Result, error) {
			<-ctx.Done()
			return dispatch.Result{Verdict: dispatch.Continue}, nil
		})
		start := time.Now()
		_, err := r.d.Publish(t.Context(), message(t, "a", "alice"))
		var denied *dispatch.DeniedError
		if !errors.As(err, &denied) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		r.close()
	})
}

func TestChain(t *testing.T) {
	pass := answer{dispatch.Result{Verdict: dispatch.Continue}, nil}
	for _, c := range []struct {
		name     string
		answers  map[string]answer
		want     []string // action:payload
		status   dispatch.Status
		failures int
	}{
		{"runs by priority, capsule, action", nil, []string{"g:0", "first:0", "second:0", "third:0", "watch:0"}, dispatch.Handled, 0},
		{"payload is handed on, an empty one is not", map[string]answer{
			"g":     {dispatch.Result{Verdict: dispatch.Continue, Payload: []byte("1")}, nil},
			"first": {dispatch.Result{Verdict: dispatch.Continue, Payload: []byte("2")}, nil}, "second": pass,
		}, []string{"g:0", "first:1", "second:2", "third:2", "watch:2"}, dispatch.Handled, 0},
		{"final ends it", map[string]answer{"first": {dispatch.Result{Verdict: dispatch.Final}, nil}},
			[]string{"g:0", "first:0", "watch:0"}, dispatch.Handled, 0},
		{"deny ends it", map[string]answer{"first": {dispatch.Result{Reason: "no"}, nil}},
			[]string{"g:0", "first:0", "watch:0"}, dispatch.Denied, 0},
		{"a trap harms no other handler", map[string]answer{"first": {dispatch.Result{}, errTrap}},
			[]string{"g:0", "first:0", "second:0", "third:0", "watch:0"}, dispatch.Failed, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, dispatch.Config{})
			third := handler(t, "*", "third", dispatch.ModeHandler)
			third.Priority = 200
			r.register("b", third, handler(t, "a.*", "second", dispatch.ModeHandler))
			r.register("a", handler(t, "a.b", "first", dispatch.ModeHandler),
				handler(t, "a.b", "g", dispatch.ModeGuard), handler(t, "a.b", "watch", dispatch.ModeObserver))
			for action, a := range c.answers {
				r.answers[action] = a
			}
			sub := r.subscribe("a.b")
			r.publish(message(t, "a.b", "alice"))
			r.close()
			var got []string
			for _, call := range r.calls {
				got = append(got, call.Action+":"+string(call.Payload))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("calls %v, want %v", got, c.want)
			}
			out := r.outcomes[0]
			if len(r.outcomes) != 1 || out.Status != c.status || len(out.Failures) != c.failures || out.Subscribers != 1 {
				t.Errorf("outcomes %+v", r.outcomes)
			}
			// The bus carries what the guard left, not what handlers made of it.
			if m, err := sub.Recv(t.Context()); err != nil || string(m.Payload) != string(out.Message.Payload) {
				t.Errorf("bus carries %q, %v", m.Payload, err)
			}
		})
	}
}

func TestNobodysMessageReachesNoHandler(t *testing.T) {
	r := newRig(t, dispatch.Config{})
	r.register("tool", handler(t, "*", "run", dispatch.ModeHandler), handler(t, "*", "watch", dispatch.ModeObserver),
		handler(t, "*", "guard", dispatch.ModeGuard))
	m := message(t, "a", "alice")
	m.From = bus.Attribution{}
	if _, err := r.d.Publish(t.Context(), m); !errors.Is(err, bus.ErrUnattributed) {
		t.Errorf("unattributed message: %v", err)
	}
	m.From = bus.System()
	r.publish(m)
	r.close()
	if len(r.calls) != 0 || len(r.outcomes) != 1 || r.outcomes[0].Status != dispatch.NoHandler {
		t.Errorf("calls %v, outcomes %+v", r.actions(), r.outcomes)
	}
}

func TestEveryMessageHasOneOutcome(t *testing.T) {
	r := newRig(t, dispatch.Config{})
	r.register("tool", handler(t, "a", "run", dispatch.ModeHandler), handler(t, "b", "watch", dispatch.ModeObserver))
	for _, name := range []string{"a", "b", "c"} {
		r.publish(message(t, name, "alice"))
	}
	r.close()
	got := map[string]dispatch.Status{}
	for _, o := range r.outcomes {
		got[o.Message.Topic.String()] = o.Status
	}
	if len(r.outcomes) != 3 || got["a"] != dispatch.Handled || got["b"] != dispatch.NoHandler || got["c"] != dispatch.NoHandler {
		t.Errorf("outcomes %v", got)
	}
}

func TestOrderIsTheBusOrderPerPrincipalAndTopic(t *testing.T) {
	r := newRig(t, dispatch.Config{Queue: 10_000})
	r.register("tool", handler(t, "*", "run", dispatch.ModeHandler))
	var publishers sync.WaitGroup
	for i := range 8 {
		publishers.Go(func() {
			for n := range 100 {
				r.publish(message(t, fmt.Sprint("t", n%3), fmt.Sprint("p", i%2)))
			}
		})
	}
	publishers.Wait()
	r.close()
	type key struct {
		principal.ID
		bus.Topic
	}
	last := map[key]uint64{}
	for _, call := range r.calls {
		k := key{call.Principal, call.Topic}
		if call.Seq <= last[k] {
			t.Errorf("%v: sequence %d after %d", k, call.Seq, last[k])
		}
		last[k] = call.Seq
	}
	if len(r.calls) != 800 {
		t.Errorf("%d calls", len(r.calls))
	}
}

func TestSlowCapsuleDelaysOnlyItsWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dispatch.Config{Concurrency: func(principal.ID) int { return 2 }})
		release := make(chan struct{})
		r.register("slow", handler(t, "slow.*", "stall", dispatch.ModeHandler))
		r.register("fast", handler(t, "fast", "run", dispatch.ModeHandler))
		r.register("spy", handler(t, "fast", "watch", dispatch.ModeObserver))
		stall := func(context.Context, dispatch.Invocation) (dispatch.Result, error) {
			<-release
			return dispatch.Result{Verdict: dispatch.Continue}, nil
		}
		r.on("stall", stall)
		r.on("watch", stall)
		r.publish(message(t, "slow.a", "alice"))
		r.publish(message(t, "slow.a", "alice")) // the same lane: no second slot
		for range 3 {
			r.publish(message(t, "fast", "alice"))
		}
		synctest.Wait()
		if got := r.count("run"); got != 3 {
			t.Errorf("%d of 3 fast calls ran beside a slow capsule and a slow observer", got)
		}
		r.publish(message(t, "slow.b", "alice")) // takes the second slot: alice has no more
		synctest.Wait()
		r.publish(message(t, "fast", "alice"))
		r.publish(message(t, "fast", "bob"))
		synctest.Wait()
		if got := r.count("run"); got != 4 || r.count("stall") != 2 {
			t.Errorf("%d fast and %d slow calls, want bob's to run and alice's to wait", got, r.count("stall"))
		}
		close(release)
		r.close()
		if got := r.count("run"); got != 5 {
			t.Errorf("%d fast calls in the end", got)
		}
	})
}

func TestFullQueueFailsControlAndDropsStreamAloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dispatch.Config{Queue: 2})
		release := make(chan struct{})
		r.register("tool", handler(t, "a", "run", dispatch.ModeHandler))
		r.on("run", func(context.Context, dispatch.Invocation) (dispatch.Result, error) {
			<-release
			return dispatch.Result{Verdict: dispatch.Continue}, nil
		})
		sub := r.subscribe("a")
		r.publish(message(t, "a", "alice"))
		r.publish(message(t, "a", "alice"))
		if _, err := r.d.Publish(t.Context(), message(t, "a", "alice")); !errors.Is(err, dispatch.ErrQueue) || sub.Waiting() != 2 {
			t.Errorf("%v; %d on the bus", err, sub.Waiting())
		}
		delta := message(t, "a", "alice")
		delta.Lane = bus.Stream
		r.publish(delta)
		if len(r.outcomes) != 1 || r.outcomes[0].Status != dispatch.Dropped {
			t.Errorf("outcomes %+v", r.outcomes)
		}
		r.publish(message(t, "a", "bob"))
		close(release)
		r.close()
		if got := r.count("run"); got != 3 {
			t.Errorf("%d calls", got)
		}
	})
}

func TestAccessGate(t *testing.T) {
	refused := errors.New("rule: not granted")
	for topic, gated := range map[string]bool{
		"tool.v1.execute.read":        true,
		"tool.v1.execute.read.result": false,
		"tool.v1.execute.result":      false,
		"tool.v1.execute":             false,
		"cli.v1.command.run.x":        true,
		"cli.v1.command.run.x.y":      true,
		"cli.v1.command.result.x":     false,
	} {
		r := newRig(t, dispatch.Config{Access: func(_ context.Context, _ principal.ID, _ bus.Topic, capsule string) error {
			if capsule == "held" {
				return nil
			}
			return refused
		}})
		r.register("held", handler(t, "*", "held", dispatch.ModeHandler))
		r.register("other", handler(t, "*", "other", dispatch.ModeHandler), handler(t, "*", "watch", dispatch.ModeObserver))
		r.publish(message(t, topic, "alice"))
		r.close()
		want := []string{"held", "other", "watch"}
		if gated {
			want = want[:1]
			if len(r.outcomes) != 2 || r.outcomes[0].Status != dispatch.Failed || !errors.Is(r.outcomes[0].Failures[0].Err, refused) {
				t.Errorf("%s: outcomes %+v", topic, r.outcomes)
			}
		}
		if got := r.actions(); !slices.Equal(got, want) {
			t.Errorf("%s: calls %v, want %v", topic, got, want)
		}
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	if _, err := dispatch.New(dispatch.Config{}); err == nil {
		t.Error("a dispatcher without an access gate was made")
	}
}

func TestCloseStopsWhatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dispatch.Config{})
		r.register("tool", handler(t, "a", "run", dispatch.ModeHandler))
		r.on("run", func(ctx context.Context, _ dispatch.Invocation) (dispatch.Result, error) {
			<-ctx.Done()
			return dispatch.Result{}, ctx.Err()
		})
		r.publish(message(t, "a", "alice"))
		r.publish(message(t, "a", "alice"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.d.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if len(r.outcomes) != 2 || r.count("run") != 1 || !errors.Is(r.outcomes[1].Failures[0].Err, dispatch.ErrClosed) {
			t.Errorf("%d calls, outcomes %+v", r.count("run"), r.outcomes)
		}
		if _, err := r.d.Publish(t.Context(), message(t, "a", "alice")); !errors.Is(err, dispatch.ErrClosed) {
			t.Error(err)
		}
	})
}

// TestCrowd floods one principal's queue while 5,000 others send 10 messages each; all of theirs are handled, in
// order, and nothing is left over.
func TestCrowd(t *testing.T) {
	const crowd, each = 5000, 10
	r := newRig(t, dispatch.Config{})
	r.register("tool", handler(t, "a", "run", dispatch.ModeHandler))
	stop := make(chan struct{})
	var hog, others sync.WaitGroup
	hog.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_, err := r.d.Publish(t.Context(), message(t, "a", "hog"))
			if err != nil && !errors.Is(err, dispatch.ErrQueue) {
				t.Error(err)
				return
			}
		}
	})
	for worker := range 50 {
		others.Go(func() {
			for i := range crowd * each / 50 {
				r.publish(message(t, "a", fmt.Sprint("p", worker*crowd/50+i%(crowd/50))))
			}
		})
	}
	others.Wait()
	close(stop)
	hog.Wait()
	r.close()
	got := map[principal.ID]int{}
	for _, call := range r.calls {
		got[call.Principal]++
	}
	delete(got, id(t, "hog"))
	for who, n := range got {
		if n != each {
			t.Errorf("%s: %d of %d messages handled", who, n, each)
		}
	}
	if len(got) != crowd {
		t.Errorf("%d principals of %d", len(got), crowd)
	}
}
