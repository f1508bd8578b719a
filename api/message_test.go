package api

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestMessages(t *testing.T) {
	m, err := DecodeMessage([]byte(`{"topic":"user.v1.prompt","payload":{"type":"connect"},"source_id":"x","principal":"alice","brand_new":1}`))
	if err != nil || m.Topic != "user.v1.prompt" || m.Principal != "alice" || string(m.Payload) != `{"type":"connect"}` {
		t.Fatalf("got %+v, %v", m, err)
	}
	out, err := EncodeMessage(Message{Topic: "a.b", Payload: []byte(`{}`), SourceID: SystemSource})
	want := `{"topic":"a.b","payload":{},"source_id":"00000000-0000-0000-0000-000000000000"}`
	if err != nil || string(out) != want {
		t.Fatalf("wrote %s, %v", out, err)
	}
}

func TestMessagesThatAreRefusedKeepTheirTopic(t *testing.T) {
	for _, c := range []struct{ rule, frame, topic string }{
		{"no JSON", `garbage`, ""},
		{"not an object", `[]`, ""},
		{"no topic", `{"payload":{}}`, ""},
		{"no payload", `{"topic":"a.b"}`, "a.b"},
		{"a payload that breaks off", `{"topic":"a.b","payload":{`, "a.b"},
		{"a duplicate topic", `{"topic":"a.b","payload":{},"topic":"c.d"}`, "a.b"},
		{"a duplicate in the payload", `{"topic":"a.b","payload":{"m":1,"m":2}}`, "a.b"},
		{"a topic behind a fault", `{"payload":{"m":1,"m":2},"topic":"a.b"}`, ""},
		{"a topic of a wrong type", `{"topic":1,"payload":{}}`, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, err := DecodeMessage([]byte(c.frame))
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeInvalid {
				t.Errorf("error %v", err)
			}
			if got := PeekTopic([]byte(c.frame)); got != c.topic {
				t.Errorf("topic %q, want %q", got, c.topic)
			}
		})
	}
}

func TestRequests(t *testing.T) {
	for _, c := range []struct{ payload, method, id, fault string }{
		{payload: `{"type":"raw_json","method":"GetStatus"}`, method: "GetStatus"},
		{payload: `{"type":"raw_json","request_id":"r1","method":"M","params":{"a":1}}`, method: "M", id: "r1"},
		{payload: `{"method":"GetStatus"}`, fault: `type "custom", want "raw_json"`},
		{payload: `{"type":"connect"}`, fault: `type "connect", want "raw_json"`},
		{payload: `{"type":"raw_json","request_id":"r1"}`, id: "r1", fault: "no method"},
		{payload: `{"type":"raw_json","request_id":"r1","method":"M","parms":{}}`, id: "r1", fault: "parms"},
	} {
		r, err := DecodeRequest([]byte(c.payload))
		if r.RequestID != c.id || c.fault == "" && (err != nil || r.Method != c.method) {
			t.Errorf("%s is %+v, %v", c.payload, r, err)
		}
		if c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%s: error %v, want %q", c.payload, err, c.fault)
		}
	}
}

func TestReplies(t *testing.T) {
	for _, c := range []struct {
		method string
		data   any
		want   string
	}{
		{MethodListCapsules, []string{"fs"}, `{"request_id":"r","status":"Success","data":["fs"]}`},
		{MethodGetStatus, map[string]int{"pid": 1}, `{"request_id":"r","status":"Status","data":{"pid":1}}`},
		{MethodGetCommands, []Command{}, `{"request_id":"r","status":"Commands","data":[]}`},
		{"QuotaGet", Empty{}, `{"request_id":"r","status":"Quotas","data":{}}`},
	} {
		r, err := NewReply("r", c.method, c.data)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(r); err != nil || string(got) != c.want {
			t.Errorf("%s answers %s, want %s (%v)", c.method, got, c.want, err)
		}
	}
	got, err := json.Marshal(NewErrorReply("r", &Error{Code: CodeDenied, Message: "no", Rule: "x"}))
	want := `{"request_id":"r","status":"Error","data":"no","error":{"code":"denied","message":"no","rule":"x"}}`
	if err != nil || string(got) != want {
		t.Errorf("an error answers %s, want %s", got, want)
	}
	if _, err := NewReply("r", "M", make(chan int)); err == nil {
		t.Error("a channel was encoded")
	}
}

func TestTopics(t *testing.T) {
	for topic, want := range map[string]string{
		"astrid.v1.request.status":     "astrid.v1.response.status",
		"astrid.v1.request.status.a-b": "astrid.v1.response.status.a-b",
		"astrid.v1.admin.agent.create": "astrid.v1.admin.response.agent.create",
		"astrid.v1.admin.response.x":   "",
		"astrid.v1.response.status":    "",
		"astrid.v1.request.":           "",
		"tool.v1.execute.read_file":    "",
		"user.v1.prompt":               "",
	} {
		if got, ok := ReplyTopic(topic); ok != (want != "") || ok && got != want {
			t.Errorf("%s is answered on %q, %v", topic, got, ok)
		}
	}
	for topic, want := range map[string]string{
		"tool.v1.execute.read_file": "read_file", "tool.v1.execute.": "", "tool.v1.execute.a.result": "", "tool.v1.request.a": "",
	} {
		if got, ok := ToolOfTopic(topic); ok != (want != "") || ok && got != want {
			t.Errorf("%s calls %q, %v", topic, got, ok)
		}
	}
	if name, ok := ToolOfResultTopic(ToolResultTopic("grep")); !ok || name != "grep" {
		t.Errorf("the result topic of grep carries %q, %v", name, ok)
	}
}

func TestDecodeStrict(t *testing.T) {
	for rule, text := range map[string]string{
		"unknown":   `{"reason":"x","force":true}`,
		"duplicate": `{"reason":"x","reason":"y"}`,
		"case":      `{"Reason":"x"}`,
		"type":      `{"reason":1}`,
		"trailing":  `{} {}`,
	} {
		var p ShutdownParams
		if err := DecodeStrict([]byte(text), &p); err == nil {
			t.Errorf("%s: %s was accepted", rule, text)
		}
	}
	p := ShutdownParams{Reason: "old"}
	if err := DecodeStrict([]byte(`{"reason":null}`), &p); err != nil || p.Reason != "" {
		t.Errorf("a null reason is %q, %v", p.Reason, err)
	}
}

func TestEveryCodeHasAnExitCode(t *testing.T) {
	for code, want := range map[Code]int{
		CodeOK: 0, CodeError: 1, CodeUsage: 2, CodeDenied: 3, CodeNotFound: 4, CodeUnavailable: 5, CodeTimeout: 6,
		CodeConflict: 1, CodeTooLarge: 1, CodeRateLimited: 5, CodeInvalid: 2, CodeUnsupported: 1, "brand_new": 1,
	} {
		if got := code.ExitCode(); got != want || code.Known() == (code == "brand_new") {
			t.Errorf("%s exits with %d, want %d; known %v", code, got, want, code.Known())
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"topic":"a.b","payload":{},"source_id":"x"}`))
	f.Add([]byte(`{"topic":"a.b","payload":{"a":1,"a":2}}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := DecodeMessage(frame)
		peeked := PeekTopic(frame)
		if err != nil {
			return
		}
		if peeked != m.Topic {
			t.Fatalf("topic %q, peeked %q", m.Topic, peeked)
		}
		if _, err := EncodeMessage(m); err != nil {
			t.Fatal(err)
		}
		if r, err := DecodeRequest(m.Payload); err == nil && r.Method == "" {
			t.Fatal("a request without a method")
		}
	})
}
