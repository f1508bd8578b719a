package dispatch

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

// TestIdleStateIsForgotten looks inside: no principal without work and no finished generation is kept.
func TestIdleStateIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := New(Config{
			Bus: bus.New(bus.Config{Rate: func(principal.ID) int64 { return 1 }}), // one byte: a bare topic
			Invoker: InvokerFunc(func(context.Context, Invocation) (Result, error) {
				return Result{Verdict: Continue}, nil
			}),
			Access: func(context.Context, principal.ID, bus.Topic, string) error { return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		topic, _ := bus.ParseTopic("a")
		h := Handler{Pattern: bus.Exactly(topic), Action: "run"}
		watch := Handler{Pattern: bus.Exactly(topic), Action: "watch", Mode: ModeObserver}
		for generation := range uint64(10) {
			if err := d.Register("tool", generation, []Handler{h, watch}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 500 {
			id, err := principal.Parse(fmt.Sprint("p", i))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Publish(t.Context(), bus.Message{Topic: topic, From: bus.Verified(id)}); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Publish(t.Context(), bus.Message{Topic: topic, From: bus.Verified(id)}); !errors.Is(err, bus.ErrRate) {
				t.Fatal(err) // its place in the queue must be given back
			}
		}
		synctest.Wait()
		if len(d.handlers.shares) != 0 || len(d.observers.shares) != 0 {
			t.Errorf("%d and %d idle principals are kept", len(d.handlers.shares), len(d.observers.shares))
		}
		for generation := range uint64(10) {
			if err := d.Unregister(t.Context(), "tool", generation); err != nil {
				t.Fatal(err)
			}
		}
		if len(d.registry.capsules) != 0 || len(d.registry.old) != 0 {
			t.Errorf("%d generations are kept", len(d.registry.capsules)+len(d.registry.old))
		}
		if err := d.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
