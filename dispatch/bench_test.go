package dispatch_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/dispatch"
	"github.com/astrid-go/astrid/principal"
)

// BenchmarkPublish measures a publish until its chain has reported, with nothing, a handler, or a guard and a handler
// among the capsules that hear it, and fifty capsules that do not.
func BenchmarkPublish(b *testing.B) {
	for name, modes := range map[string][]dispatch.Mode{
		"unheard": nil, "handler": {dispatch.ModeHandler}, "guard+handler": {dispatch.ModeGuard, dispatch.ModeHandler},
	} {
		b.Run(name, func(b *testing.B) {
			done := make(chan struct{}, 1)
			d := newBench(b, func(dispatch.Outcome) { done <- struct{}{} })
			for i := range 50 {
				register(b, d, fmt.Sprint("other", i), handler(b, fmt.Sprintf("other.%d", i), "run", dispatch.ModeHandler))
			}
			for i, mode := range modes {
				register(b, d, fmt.Sprint("tool", i), handler(b, "bench.*", "run", mode))
			}
			m := message(b, "bench.topic", "alice")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Publish(b.Context(), m); err != nil {
					b.Fatal(err)
				}
				<-done
			}
		})
	}
}

func newBench(b *testing.B, outcome func(dispatch.Outcome)) *dispatch.Dispatcher {
	d, err := dispatch.New(dispatch.Config{
		Bus: bus.New(bus.Config{}),
		Invoker: dispatch.InvokerFunc(func(context.Context, dispatch.Invocation) (dispatch.Result, error) {
			return dispatch.Result{Verdict: dispatch.Continue}, nil
		}),
		Access:    func(context.Context, principal.ID, bus.Topic, string) error { return nil },
		OnOutcome: outcome,
	})
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func register(b *testing.B, d *dispatch.Dispatcher, capsule string, h dispatch.Handler) {
	if err := d.Register(capsule, 1, []dispatch.Handler{h}); err != nil {
		b.Fatal(err)
	}
}
