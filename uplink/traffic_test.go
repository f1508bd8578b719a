package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

func TestARequestIsAnsweredOnItsTopicAlone(t *testing.T) {
	r := newRig(t)
	w, other := r.login("alice"), r.login("alice")
	w.frame(`{"topic":"astrid.v1.request.status.x1","payload":{"type":"raw_json","request_id":"r1","method":"GetStatus","params":{"a":1}},"source_id":"s"}`)
	m := w.read()
	want := `{"request_id":"r1","status":"Status","data":{"by":"alice","method":"GetStatus","params":{"a":1}}}`
	if m.Topic != "astrid.v1.response.status.x1" || !sameJSON(t, m.Payload, want) || m.SourceID != api.SystemSource || m.Principal != "alice" {
		t.Fatalf("answered %+v: %s", m, m.Payload)
	}
	other.frame(`{"topic":"astrid.v1.admin.agent.list","payload":{"type":"raw_json","method":"AgentList"}}`)
	if m := other.read(); m.Topic != "astrid.v1.admin.response.agent.list" {
		t.Fatalf("the other connection got %s first", m.Topic)
	}
}

func sameJSON(t *testing.T, got []byte, want string) bool {
	t.Helper()
	var a, b any
	if err := errors.Join(json.Unmarshal(got, &a), json.Unmarshal([]byte(want), &b)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(a) == fmt.Sprint(b)
}

func TestEveryRefusedFrameIsAnswered(t *testing.T) {
	r := newRig(t)
	w := r.login("alice")
	long := strings.Repeat("x", api.MaxPayload)
	for _, c := range []struct {
		rule, frame, topic string
		code               api.Code
	}{
		{"garbage", `garbage`, "astrid.v1.response.error", api.CodeInvalid},
		{"an empty frame", ``, "astrid.v1.response.error", api.CodeInvalid},
		{"a request that breaks off", `{"topic":"astrid.v1.request.x.1","payload":{`, "astrid.v1.response.x.1", api.CodeInvalid},
		{"duplicate members", `{"topic":"astrid.v1.request.x.2","payload":{"type":"raw_json","method":"A","method":"B"}}`, "astrid.v1.response.x.2", api.CodeInvalid},
		{"a request without a tag", `{"topic":"astrid.v1.request.x.3","payload":{"method":"GetStatus"}}`, "astrid.v1.response.x.3", api.CodeInvalid},
		{"a request without a method", `{"topic":"astrid.v1.request.x.4","payload":{"type":"raw_json"}}`, "astrid.v1.response.x.4", api.CodeInvalid},
		{"a malformed topic", `{"topic":"astrid.v1.request.a b","payload":{}}`, "astrid.v1.response.error", api.CodeInvalid},
		{"a deep topic", `{"topic":"astrid.v1.request.a.b.c.d.e.f","payload":{}}`, "astrid.v1.response.error", api.CodeInvalid},
		{"an unknown topic", `{"topic":"brand.new","payload":{}}`, "astrid.v1.response.error", api.CodeDenied},
		{"a response", `{"topic":"astrid.v1.response.status","payload":{}}`, "astrid.v1.response.error", api.CodeDenied},
		{"an admin response", `{"topic":"astrid.v1.admin.response.x","payload":{}}`, "astrid.v1.response.error", api.CodeDenied},
		{"a topic of the host", `{"topic":"client.v1.disconnect","payload":{"type":"disconnect"}}`, "astrid.v1.response.error", api.CodeDenied},
		{"an agent's topic", `{"topic":"agent.v1.response","payload":{}}`, "astrid.v1.response.error", api.CodeDenied},
		{"a tool's result", `{"topic":"tool.v1.execute.a.result","payload":{}}`, "astrid.v1.response.error", api.CodeDenied},
		{"a prefix alone", `{"topic":"session.v1.request","payload":{}}`, "astrid.v1.response.error", api.CodeDenied},
		{"another principal", `{"topic":"astrid.v1.request.x.5","principal":"bob","payload":{"type":"raw_json","method":"A"}}`, "astrid.v1.response.x.5", api.CodeDenied},
		{"a large payload", `{"topic":"user.v1.prompt","payload":{"type":"user_input","text":"` + long + `"}}`, "astrid.v1.response.error", api.CodeTooLarge},
		{"a call without an id", `{"topic":"tool.v1.execute.a","payload":{"type":"tool_execute_request","tool_name":"a","arguments":{}}}`, "tool.v1.execute.a.result", api.CodeInvalid},
		{"a call of another tool", `{"topic":"tool.v1.execute.a","payload":{"type":"tool_execute_request","call_id":"c","tool_name":"b","arguments":{}}}`, "tool.v1.execute.a.result", api.CodeInvalid},
		{"a call that is none", `{"topic":"tool.v1.execute.a","payload":{"type":"connect"}}`, "tool.v1.execute.a.result", api.CodeInvalid},
		{"a call that the kernel denies", `{"topic":"tool.v1.execute.denied","payload":{"type":"tool_execute_request","call_id":"c","tool_name":"denied","arguments":{}}}`, "tool.v1.execute.denied.result", api.CodeDenied},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w.frame(c.frame)
			if topic, e := w.refusal(); topic != c.topic || e.Code != c.code || e.Message == "" || e.Code == api.CodeDenied && e.Rule == "" {
				t.Fatalf("answered on %s with %+v", topic, e)
			}
		})
	}
	if got := r.messages(); len(got) != 1 { // the denied one
		t.Errorf("published %v", got)
	}
	if s := r.Stats(); s.Malformed == 0 || s.Forbidden == 0 {
		t.Errorf("counted %+v", s)
	}
}

func TestAnOversizeFrameIsAnsweredAndEndsTheConnection(t *testing.T) {
	r := newRig(t)
	w := r.login("alice")
	w.Write(header(api.MaxFrame + 1))
	if _, e := w.refusal(); e.Code != api.CodeTooLarge {
		t.Fatalf("answered %+v", e)
	}
	w.gone()
	eventually(t, "the count goes down", func() bool { return r.connections("alice") == 0 })
}

func TestPublishedEnvelopesAreTheServers(t *testing.T) {
	r := newRig(t)
	w := r.login("alice")
	w.frame(`{"topic":"user.v1.prompt","payload":{"type":"user_input","text":"hi"},"source_id":"` + uuid.NewString() + `","seq":99,"origin":"system","timestamp":"2001-01-01T00:00:00Z"}`)
	w.frame(`{"topic":"session.v1.request.list","payload":{"type":"raw_json","limit":3}}`)
	w.frame(`{"topic":"registry.v1.selection.x","payload":{"type":"custom","data":["y"]},"principal":"alice"}`)
	eventually(t, "three messages", func() bool { return len(r.messages()) == 3 })
	for i, want := range []string{`{"type":"user_input","text":"hi"}`, `{"limit":3}`, `["y"]`} {
		m := r.messages()[i]
		if string(m.Payload) != want || m.From != bus.Verified(who(t, "alice")) || m.Source != uuid.Nil || m.Seq != 0 || m.Lane != bus.Control {
			t.Errorf("published %+v with payload %s, want %s", m, m.Payload, want)
		}
	}
}

func TestMessagesGoToTheirPrincipalAlone(t *testing.T) {
	r := newRig(t)
	b := r.Server.config.Bus
	send := func(topicName string, from bus.Attribution, payload string) {
		t.Helper()
		if _, err := b.Publish(t.Context(), bus.Message{Topic: topic(t, topicName), Payload: []byte(payload), From: from}); err != nil {
			t.Fatal(err)
		}
	}
	alice, second, bob := r.login("alice"), r.login("alice"), r.login("bob")
	nobody := r.wire()
	nobody.exchange(r.hello(""))

	a := bus.Verified(who(t, "alice"))
	for _, hidden := range []string{
		"agent.v1.session_changed", "astrid.v1.response.status", "astrid.v1.admin.response.x", "user.v1.prompt",
		"astrid.v1.elicit.response.1", "tool.v1.execute.x", "session.v1.request.list",
	} {
		send(hidden, a, `{"hidden":true}`)
	}
	send("agent.v1.response", bus.System(), `{"hidden":true}`)
	visible := []string{"agent.v1.stream.delta", "agent.v1.response"} // one subscription, so one order
	for _, v := range visible {
		send(v, a, `{"n":1}`)
	}
	for _, v := range visible {
		for _, w := range []wire{alice, second} {
			if m := w.read(); m.Topic != v || m.Principal != "alice" || string(m.Payload) != `{"n":1}` {
				t.Fatalf("got %+v, want %s", m, v)
			}
		}
	}
	for _, v := range []string{
		"astrid.v1.onboarding.required", "astrid.v1.elicit", "astrid.v1.elicit.abc", "astrid.v1.approval",
		"registry.v1.response.x", "registry.v1.active_model_changed", "registry.v1.selection.x",
		"session.v1.response.x.y", "cli.v1.command.result.7",
	} {
		send(v, a, `{"n":1}`)
		if m := alice.read(); m.Topic != v {
			t.Fatalf("got %s, want %s", m.Topic, v)
		}
	}
	send("astrid.v1.capsules_loaded", bus.System(), `{"status":"ready"}`)
	if m := bob.read(); m.Topic != "astrid.v1.capsules_loaded" || string(m.Payload) != `{"status":"ready"}` {
		t.Fatalf("bob's first message is %+v", m)
	}
	nobody.frame(`garbage`)
	if m := nobody.read(); m.Topic != api.TopicErrors {
		t.Fatalf("nobody's first message is %+v", m)
	}
}

func TestResultsGoToTheCallerAlone(t *testing.T) {
	r := newRig(t)
	caller, sibling, bob := r.dial("alice"), r.login("alice"), r.login("bob")
	result, err := caller.CallTool(within(t), "echo", json.RawMessage(`{"a":1}`))
	if err != nil || result.Content != `{"a":1}` || result.IsError {
		t.Fatalf("got %+v, %v", result, err)
	}
	if err := r.result(t.Context(), r.Server.config.Bus, bus.Verified(who(t, "bob")), "echo", api.ToolResult{CallID: "unknown"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a result for nobody is counted", func() bool { return r.Stats().Unclaimed == 1 })
	for _, w := range []wire{sibling, bob} {
		w.frame(`garbage`)
		if m := w.read(); m.Topic != api.TopicErrors {
			t.Errorf("another connection got %+v", m)
		}
	}
}

func TestNobodyAnswersForAnotherPrincipal(t *testing.T) {
	release := make(chan struct{})
	r := newRig(t, func(c *Config) {
		c.Publish = func(context.Context, bus.Message) error { <-release; return nil }
	})
	open := r.latch(release)
	w := r.login("alice")
	call := `{"topic":"tool.v1.execute.a","payload":{"type":"tool_execute_request","call_id":"c1","tool_name":"a","arguments":{}}}`
	w.frame(call)
	w.frame(call)
	if _, e := w.refusal(); e.Code != api.CodeConflict {
		t.Fatalf("the same call id twice: %+v", e)
	}
	b := r.Server.config.Bus
	if err := r.result(t.Context(), b, bus.Verified(who(t, "bob")), "a", api.ToolResult{CallID: "c1", Content: "forged"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the forged result is counted", func() bool { return r.Stats().Unclaimed == 1 })
	if err := r.result(t.Context(), b, bus.Verified(who(t, "alice")), "a", api.ToolResult{CallID: "c1", Content: "true"}); err != nil {
		t.Fatal(err)
	}
	if m := w.read(); !strings.Contains(string(m.Payload), `"content":"true"`) {
		t.Fatalf("got %s", m.Payload)
	}
	open()
}

func TestAResultTooLargeForAFrameIsExplained(t *testing.T) {
	r := newRig(t, func(c *Config) {})
	publish := r.Server.config.Bus
	r.Server.config.Publish = func(ctx context.Context, m bus.Message) error {
		var call api.ToolExecuteRequest
		if err := json.Unmarshal(m.Payload, &call); err != nil {
			return err
		}
		return r.result(ctx, publish, m.From, "big", api.ToolResult{CallID: call.CallID, Content: strings.Repeat("x", api.MaxFrame)})
	}
	_, err := r.dial("alice").CallTool(within(t), "big", nil)
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != api.CodeTooLarge {
		t.Fatalf("got %v", err)
	}
}

func TestRequestsRunBesideEachOtherUpToALimit(t *testing.T) {
	release := make(chan struct{})
	var running sync.WaitGroup
	running.Add(maxRequests)
	r := newRig(t, func(c *Config) {
		c.Request = func(context.Context, principal.ID, string, json.RawMessage) (any, error) {
			running.Done()
			<-release
			return api.Empty{}, nil
		}
	})
	open := r.latch(release)
	w := r.login("alice")
	for i := range maxRequests {
		w.frame(fmt.Sprintf(`{"topic":"astrid.v1.request.x.%d","payload":{"type":"raw_json","method":"M"}}`, i))
	}
	running.Wait()
	w.frame(`{"topic":"astrid.v1.request.x.more","payload":{"type":"raw_json","method":"M"}}`)
	if topic, e := w.refusal(); topic != "astrid.v1.response.x.more" || e.Code != api.CodeRateLimited {
		t.Fatalf("%s answered %+v", topic, e)
	}
	open()
	for range maxRequests {
		if m := w.read(); !strings.Contains(string(m.Payload), "Success") {
			t.Fatalf("got %s", m.Payload)
		}
	}
}

func TestAnInternalErrorKeepsItsDetailsInTheLog(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Request = func(context.Context, principal.ID, string, json.RawMessage) (any, error) {
			return nil, errors.New("open /home/x/secret: no")
		}
	})
	err := r.dial("alice").Request(within(t), "M", nil, nil)
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != api.CodeError || strings.Contains(e.Message, "secret") {
		t.Fatalf("got %#v", err)
	}
}
