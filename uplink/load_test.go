package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

func TestAFrameThatArrivesByteByByte(t *testing.T) {
	r := newRig(t)
	w := r.login("alice")
	for _, b := range frameOf(`{"topic":"astrid.v1.request.x","payload":{"type":"raw_json","method":"M"}}`) {
		if _, err := w.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if m := w.read(); m.Topic != "astrid.v1.response.x" {
		t.Fatalf("got %+v", m)
	}
}

func TestHalfAFrameAndGone(t *testing.T) {
	r := newRig(t)
	w := r.login("alice")
	w.Write(append(header(100), `{"topic":`...))
	w.Close()
	eventually(t, "the count goes down", func() bool { return r.connections("alice") == 0 })
}

func TestAClientThatDoesNotReadLosesItsConnectionAlone(t *testing.T) {
	r := newRig(t)
	stuck, other := r.login("alice"), r.login("bob")
	payload := []byte(`{"x":"` + strings.Repeat("y", 64<<10) + `"}`)
	eventually(t, "the overflow is counted", func() bool {
		_, err := r.Server.config.Bus.Publish(t.Context(), bus.Message{
			Topic: topic(t, "session.v1.response.x"), Payload: payload, From: bus.Verified(who(t, "alice")), Lane: bus.Stream,
		})
		if err != nil {
			t.Fatal(err)
		}
		return r.Stats().Overflows == 1
	})
	eventually(t, "its connection is closed", func() bool { return r.connections("alice") == 0 })
	stuck.gone()
	other.frame(`{"topic":"astrid.v1.request.x","payload":{"type":"raw_json","method":"M"}}`)
	if m := other.read(); m.Topic != "astrid.v1.response.x" {
		t.Fatalf("bob got %+v", m)
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	r := newRig(t)
	var g errgroup.Group
	for i := range 64 {
		name := []string{"alice", "bob"}[i%2]
		g.Go(func() error {
			c, err := api.Dial(t.Context(), r.config(name))
			if err != nil {
				return err
			}
			defer c.Close()
			for n := range 20 {
				want := fmt.Sprintf(`{"client":%d,"n":%d}`, i, n)
				got, err := c.CallTool(t.Context(), "echo", json.RawMessage(want))
				if err != nil || got.Content != want {
					return fmt.Errorf("client %d got %q, %w", i, got.Content, err)
				}
				var reply struct {
					By string `json:"by"`
				}
				if err := c.Request(t.Context(), "M", nil, &reply); err != nil || reply.By != name {
					return fmt.Errorf("client %d is %q, %w", i, reply.By, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all are gone", func() bool { return r.connections("alice")+r.connections("bob") == 0 })
}

func TestChurnLeavesNothing(t *testing.T) {
	r := newRig(t)
	for i := range 200 {
		w := r.login("alice")
		if i%2 == 0 {
			w.frame(`{"topic":"astrid.v1.request.x","payload":{"type":"raw_json","method":"M"}}`)
			w.frame(fmt.Sprintf(`{"topic":"tool.v1.execute.a","payload":{"type":"tool_execute_request","call_id":"c%d","tool_name":"a","arguments":{}}}`, i))
		}
		w.Close()
	}
	eventually(t, "all are gone", func() bool { return r.connections("alice") == 0 })
	r.Server.mu.Lock()
	defer r.Server.mu.Unlock()
	if len(r.Server.calls)+len(r.Server.open)+len(r.Server.greeting)+r.Server.count != 0 {
		t.Fatalf("left %d calls, %d principals, %d greetings, %d connections",
			len(r.Server.calls), len(r.Server.open), len(r.Server.greeting), r.Server.count)
	}
}

func TestShutdownSendsWhatWaits(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	r := newRig(t, func(c *Config) {
		c.Request = func(context.Context, principal.ID, string, json.RawMessage) (any, error) {
			close(began)
			<-release
			return api.Empty{}, nil
		}
	})
	open := r.latch(release)
	w := r.login("alice")
	w.frame(`{"topic":"astrid.v1.request.shutdown","payload":{"type":"raw_json","method":"Shutdown"}}`)
	<-began
	done := make(chan error, 1)
	go func() { done <- r.Shutdown(within(t)) }() // waited for below
	eventually(t, "the server refuses new work", r.Server.isClosing)
	w.frame(`{"topic":"astrid.v1.request.late","payload":{"type":"raw_json","method":"M"}}`)
	if topic, e := w.refusal(); topic != "astrid.v1.response.late" || e.Code != api.CodeUnavailable {
		t.Fatalf("%s answered %+v", topic, e)
	}
	w.frame(`{"topic":"user.v1.prompt","payload":{"type":"user_input","text":"hi"}}`)
	if _, e := w.refusal(); e.Code != api.CodeUnavailable || len(r.messages()) > 0 {
		t.Fatalf("a prompt is answered %+v", e)
	}
	open()
	if m := w.read(); m.Topic != "astrid.v1.response.shutdown" {
		t.Fatalf("got %+v", m)
	}
	w.gone()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestShutdownEndsRequestsThatHang(t *testing.T) {
	began := make(chan struct{})
	r := newRig(t, func(c *Config) {
		c.Request = func(ctx context.Context, _ principal.ID, _ string, _ json.RawMessage) (any, error) {
			close(began)
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	w := r.login("alice")
	w.frame(`{"topic":"astrid.v1.request.x","payload":{"type":"raw_json","method":"M"}}`)
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w.gone()
}

func TestCallsWithoutAResultAreLimited(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Publish = func(context.Context, bus.Message) error { return nil }
	})
	w := r.login("alice")
	for i := range maxCalls + 1 {
		w.frame(fmt.Sprintf(`{"topic":"tool.v1.execute.a","payload":{"type":"tool_execute_request","call_id":"c%d","tool_name":"a","arguments":{}}}`, i))
		if i == maxCalls/2 { // let the messages be published, so that only calls pile up
			w.frame(`{"topic":"astrid.v1.request.x","payload":{"type":"raw_json","method":"M"}}`)
			w.read()
			eventually(t, "all are published", func() bool { return r.jobs() == 0 })
		}
	}
	if topic, e := w.refusal(); topic != "tool.v1.execute.a.result" || e.Code != api.CodeRateLimited || !strings.Contains(e.Message, "calls of this connection") {
		t.Fatalf("%s answered %+v", topic, e)
	}
}

// jobs counts the messages that wait to be published.
func (r *rig) jobs() int {
	n := 0
	for _, c := range r.Server.connections() {
		c.publisher.mu.Lock()
		n += len(c.publisher.jobs)
		c.publisher.mu.Unlock()
	}
	return n
}

func TestAMessageThatWaitsForAGuardStopsNoRequest(t *testing.T) {
	release := make(chan struct{})
	r := newRig(t, func(c *Config) {
		c.Publish = func(context.Context, bus.Message) error { <-release; return nil }
	})
	open := r.latch(release)
	w := r.login("alice")
	for range maxJobs + 1 { // one is taken up, the others wait
		w.frame(`{"topic":"user.v1.prompt","payload":{"type":"user_input","text":"hi"}}`)
	}
	w.frame(`{"topic":"astrid.v1.request.x","payload":{"type":"raw_json","method":"M"}}`)
	if m := w.read(); m.Topic != "astrid.v1.response.x" {
		t.Fatalf("got %+v: %s", m, m.Payload)
	}
	w.frame(`{"topic":"user.v1.prompt","payload":{"type":"user_input","text":"hi"}}`)
	if _, e := w.refusal(); e.Code != api.CodeRateLimited {
		t.Fatalf("answered %+v", e)
	}
	open()
}
