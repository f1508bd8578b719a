package bus

import (
	"fmt"
	"testing"

	"github.com/astrid-go/astrid/principal"
)

// TestIdleStateIsForgotten looks inside: no principal without messages and no closed subscription is kept.
func TestIdleStateIsForgotten(t *testing.T) {
	b := New(Config{})
	defer b.Close()
	pattern, _ := ParsePattern("a.*.c")
	topic, _ := ParseTopic("a.b.c")
	open, err := b.Subscribe(pattern, SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	scoped, err := b.Subscribe(pattern, SubscribeOptions{Principal: principal.Default(), System: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		id, err := principal.Parse(fmt.Sprint("p", i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Publish(t.Context(), Message{Topic: topic, From: Verified(id)}); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		if _, err := open.Recv(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(open.flows) != 0 || open.order.n != 0 || open.order.front != nil {
		t.Errorf("%d idle principals are kept", len(open.flows))
	}
	open.Close()
	scoped.Close()
	scoped.Close()
	if len(b.subs) != 0 || len(b.index.root.children) != 0 {
		t.Errorf("closed subscriptions are kept")
	}
}
