package dispatch_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/dispatch"
)

func TestQueuedMessageGoesToTheGenerationOfItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dispatch.Config{})
		h := handler(t, "a", "run", dispatch.ModeHandler)
		r.register("tool", h)
		release := make(chan struct{})
		r.on("run", func(context.Context, dispatch.Invocation) (dispatch.Result, error) {
			<-release
			return dispatch.Result{Verdict: dispatch.Continue}, nil
		})
		r.publish(message(t, "a", "alice"))
		r.publish(message(t, "a", "alice"))
		synctest.Wait()
		if err := r.d.Register("tool", 2, []dispatch.Handler{h}); err != nil {
			t.Fatal(err)
		}
		drained := make(chan error, 1)
		go func() { drained <- r.d.Drain(t.Context(), "tool", 1) }()
		synctest.Wait()
		if len(drained) != 0 {
			t.Error("drained with a call in flight")
		}
		close(release)
		if err := <-drained; err != nil {
			t.Error(err)
		}
		r.close()
		if len(r.calls) != 2 || r.calls[0].Generation != 1 || r.calls[1].Generation != 2 {
			t.Errorf("calls %+v", r.calls)
		}
	})
}

func TestRegisterRefusesAnOldGenerationAndBadHandlers(t *testing.T) {
	r := newRig(t, dispatch.Config{})
	h := handler(t, "a", "run", dispatch.ModeHandler)
	if err := r.d.Register("tool", 2, []dispatch.Handler{h}); err != nil {
		t.Fatal(err)
	}
	for _, generation := range []uint64{1, 2} {
		if err := r.d.Register("tool", generation, []dispatch.Handler{h}); !errors.Is(err, dispatch.ErrStale) {
			t.Errorf("generation %d: %v", generation, err)
		}
	}
	for _, bad := range [][]dispatch.Handler{
		{{Action: "run"}}, {{Pattern: h.Pattern}}, {{Pattern: h.Pattern, Action: "run", Mode: 9}},
		make([]dispatch.Handler, dispatch.MaxHandlers+1),
	} {
		if err := r.d.Register("other", 1, bad); err == nil {
			t.Error("bad handlers were registered")
		}
	}
	if err := r.d.Unregister(t.Context(), "tool", 1); err != nil {
		t.Error(err)
	}
	r.publish(message(t, "a", "alice")) // generation 2 is still there
	r.close()
	if r.count("run") != 1 {
		t.Error("unregistering a stale generation removed the current one")
	}
}

// TestNoCallAfterUnregister swaps generations under load. An invoker that is called on a generation which Unregister
// has reported gone fails the test, and so does a message that passes without its guard.
func TestNoCallAfterUnregister(t *testing.T) {
	r := newRig(t, dispatch.Config{})
	handlers := []dispatch.Handler{
		handler(t, "a", "run", dispatch.ModeHandler), handler(t, "a", "check", dispatch.ModeGuard),
	}
	var gone, checked atomic.Uint64
	alive := func(_ context.Context, call dispatch.Invocation) (dispatch.Result, error) {
		if call.Generation <= gone.Load() {
			t.Errorf("generation %d called after it was gone", call.Generation)
		}
		if call.Action == "check" {
			checked.Add(1)
		}
		return dispatch.Result{Verdict: dispatch.Continue}, nil
	}
	r.on("run", alive)
	r.on("check", alive)
	if err := r.d.Register("tool", 1, handlers); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2000 {
			_, err := r.d.Publish(t.Context(), message(t, "a", "alice"))
			if err != nil && !errors.Is(err, dispatch.ErrQueue) {
				t.Error(err)
			}
		}
	}()
	for generation := uint64(2); generation < 200; generation++ {
		if err := r.d.Register("tool", generation, handlers); err != nil {
			t.Fatal(err)
		}
		if err := r.d.Unregister(t.Context(), "tool", generation-1); err != nil {
			t.Fatal(err)
		}
		gone.Store(generation - 1)
	}
	<-done
	r.close()
	if checked.Load() != 2000 {
		t.Errorf("the guard saw %d of 2000 messages", checked.Load())
	}
}

func TestHandlerGoneBeforeItsTurnIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dispatch.Config{})
		r.register("first", handler(t, "a", "first", dispatch.ModeHandler))
		r.register("second", handler(t, "a", "second", dispatch.ModeHandler))
		r.on("first", func(ctx context.Context, _ dispatch.Invocation) (dispatch.Result, error) {
			return dispatch.Result{Verdict: dispatch.Continue}, r.d.Unregister(ctx, "second", 1)
		})
		r.publish(message(t, "a", "alice"))
		r.close()
		out := r.outcomes[0]
		if out.Status != dispatch.Failed || len(out.Failures) != 1 || !errors.Is(out.Failures[0].Err, dispatch.ErrAbsent) {
			t.Errorf("outcome %+v", out)
		}
		if contains(r.actions(), "second") {
			t.Error("a removed capsule was called")
		}
	})
}

func TestUnregisterWaitsForCallsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dispatch.Config{})
		r.register("tool", handler(t, "a", "run", dispatch.ModeHandler))
		release := make(chan struct{})
		r.on("run", func(context.Context, dispatch.Invocation) (dispatch.Result, error) {
			<-release
			return dispatch.Result{Verdict: dispatch.Continue}, nil
		})
		r.publish(message(t, "a", "alice"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.d.Unregister(ctx, "tool", 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		close(release)
		if err := r.d.Unregister(t.Context(), "tool", 1); err != nil {
			t.Error(err)
		}
		r.close()
	})
}

func TestRequest(t *testing.T) {
	const deadline = time.Minute
	reply := func(from bus.Attribution, topic, id string) bus.Message {
		return bus.Message{Topic: parse(t, bus.ParseTopic, topic), From: from, Payload: []byte(`{"call_id":"` + id + `"}`)}
	}
	alice, bob := bus.Verified(id(t, "alice")), bus.Verified(id(t, "bob"))
	for _, c := range []struct {
		name  string
		reply bus.Message
		want  bool
	}{
		{"the reply", reply(alice, "r.result", "1"), true},
		{"the kernel's reply", reply(bus.System(), "r.result", "1"), true},
		{"another id", reply(alice, "r.result", "2"), false},
		{"no id", bus.Message{Topic: parse(t, bus.ParseTopic, "r.result"), From: alice, Payload: []byte(`[1`)}, false},
		{"another principal", reply(bob, "r.result", "1"), false},
		{"a mere claim", reply(bus.Claimed(id(t, "alice")), "r.result", "1"), false},
		{"another topic", reply(alice, "x.result", "1"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, dispatch.Config{})
				go func() {
					for range 4 { // late enough to move a deadline that can be moved
						time.Sleep(deadline / 5)
						_, _ = r.bus.Publish(t.Context(), c.reply)
					}
				}()
				start := time.Now()
				_, err := r.d.Request(t.Context(), request(t, deadline))
				if c.want && err != nil {
					t.Error(err)
				}
				if !c.want && (!errors.Is(err, context.DeadlineExceeded) || time.Since(start) != deadline) {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
				time.Sleep(deadline)
				if _, err := r.d.Request(t.Context(), request(t, deadline)); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a late reply answered the next request: %v", err)
				}
				r.close()
			})
		})
	}
}

func TestRequestEndsWhenItsCapsuleIsUnloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dispatch.Config{})
		r.register("asker")
		asked := request(t, 0)
		asked.Capsule, asked.Generation = "asker", 1
		result := make(chan error, 1)
		go func() { _, err := r.d.Request(t.Context(), asked); result <- err }()
		synctest.Wait()
		if err := r.d.Unregister(t.Context(), "asker", 1); err != nil {
			t.Error(err)
		}
		if err := <-result; !errors.Is(err, dispatch.ErrAbsent) {
			t.Error(err)
		}
		if _, err := r.d.Request(t.Context(), asked); !errors.Is(err, dispatch.ErrAbsent) {
			t.Errorf("an unloaded capsule asked: %v", err)
		}
		r.close()
	})
}

func TestLastSegmentIsTheID(t *testing.T) {
	got, ok := dispatch.LastSegment(message(t, "cli.v1.command.result.42", "alice"))
	if !ok || got != "42" {
		t.Errorf("%q, %v", got, ok)
	}
}

func request(t *testing.T, timeout time.Duration) dispatch.Request {
	m := message(t, "r", "alice")
	return dispatch.Request{
		Message: m, ID: "1", Reply: parse(t, bus.ParsePattern, "r.*"),
		ReplyID: dispatch.JSONField("call_id"), Timeout: timeout,
	}
}
