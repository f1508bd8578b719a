package component_test

import (
	"context"
	"sync"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/astrid-go/astrid/wasm/component"
)

func TestPlannerPlansOnce(t *testing.T) {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	p := component.NewPlanner(component.NewEngine(r), component.Limits{})
	plans := make([]*component.Plan, 8)
	var wg sync.WaitGroup
	for i := range plans {
		wg.Go(func() {
			plan, err := p.Plan(ctx, append([]byte(nil), adder...))
			if err != nil {
				t.Error(err)
			}
			plans[i] = plan
		})
	}
	wg.Wait()
	for _, plan := range plans {
		if plan != plans[0] {
			t.Fatal("the same component has two plans")
		}
	}
	for range 2 {
		if _, err := p.Plan(ctx, []byte("nothing")); err == nil {
			t.Fatal("nothing is planned")
		}
	}
}

// A program makes instances from many goroutines; an instance takes calls from
// many, one after the other.
func TestInstancesAreConcurrent(t *testing.T) {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	plan, err := component.NewPlanner(component.NewEngine(r), component.Limits{}).Plan(ctx, adder)
	if err != nil {
		t.Fatal(err)
	}
	program, err := plan.Link(component.Host{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		in, err := program.Instantiate(ctx, component.Config{})
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			wg.Go(func() {
				for i := range uint64(100) {
					if v, err := tryCall(t, in, "add", i, 1); err != nil || v.Bits != i+1 {
						t.Errorf("add(%d, 1) = %d, %v", i, v.Bits, err)
					}
				}
			})
		}
		t.Cleanup(func() { in.Close(ctx) })
	}
	wg.Wait()
}
