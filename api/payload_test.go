package api

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPayloads(t *testing.T) {
	for _, c := range []struct {
		wire string
		want Payload
	}{
		{`{"type":"raw_json","method":"GetStatus"}`, RawJSON{Object: []byte(`{"method":"GetStatus"}`)}},
		{`{"type":"raw_json"}`, RawJSON{Object: []byte(`{}`)}},
		{`{"type":"custom","data":[1,{"type":"x"}]}`, Custom{Data: []byte(`[1,{"type":"x"}]`)}},
		{`{"type":"user_input","text":"hi","session_id":"default"}`, UserInput{Text: "hi", SessionID: "default"}},
		{`{"type":"user_input","text":"hi","session_id":"s","context":{"a":1}}`, UserInput{Text: "hi", SessionID: "s", Context: []byte(`{"a":1}`)}},
		{`{"type":"agent_response","text":"t","is_final":true,"session_id":"s"}`, AgentResponse{Text: "t", IsFinal: true, SessionID: "s"}},
		{`{"type":"approval_required","request_id":"r","action":"a","resource":"x","reason":"y"}`, ApprovalRequired{"r", "a", "x", "y"}},
		{`{"type":"approval_response","request_id":"r","decision":"deny","reason":"no"}`, ApprovalResponse{"r", "deny", "no"}},
		{`{"type":"onboarding_required","capsule_id":"c","fields":[{"key":"k","prompt":"p","field_type":{"Enum":["a"]}}]}`,
			OnboardingRequired{"c", []Field{{Key: "k", Prompt: "p", FieldType: []byte(`{"Enum":["a"]}`)}}}},
		{`{"type":"llm_request","request_id":"r","model":"m","messages":[],"tools":[],"system":"s"}`,
			LLMRequest{"r", "m", []byte(`[]`), []byte(`[]`), "s"}},
		{`{"type":"llm_stream_event","request_id":"r","event":{"delta":"x"}}`, LLMStreamEvent{"r", []byte(`{"delta":"x"}`)}},
		{`{"type":"llm_response","request_id":"r","response":{}}`, LLMResponse{"r", []byte(`{}`)}},
		{`{"type":"tool_execute_request","call_id":"c","tool_name":"t","arguments":{"a":1}}`, ToolExecuteRequest{"c", "t", []byte(`{"a":1}`)}},
		{`{"type":"tool_execute_result","call_id":"c","result":{"call_id":"c","content":"x","is_error":false}}`,
			ToolExecuteResult{CallID: "c", Result: ToolResult{"c", "x", false}}},
		{`{"type":"tool_cancel_request","call_ids":["a","b"]}`, ToolCancelRequest{[]string{"a", "b"}}},
		{`{"type":"selection_required","request_id":"r","title":"t","options":[{"id":"i","label":"l"}],"callback_topic":"c"}`,
			SelectionRequired{"r", "t", []Option{{ID: "i", Label: "l"}}, "c"}},
		{`{"type":"elicit_request","request_id":"r","capsule_id":"c","field":{"key":"k","prompt":"p","field_type":"Secret"}}`,
			ElicitRequest{"r", "c", Field{Key: "k", Prompt: "p", FieldType: []byte(`"Secret"`)}}},
		{`{"type":"elicit_response","request_id":"r","values":["a"]}`, ElicitResponse{RequestID: "r", Values: []string{"a"}}},
		{`{"type":"connect"}`, Connect{}},
		{`{"type":"disconnect","reason":"quit"}`, Disconnect{"quit"}},
		{`{"type":"brand_new","x":1}`, Unknown{"brand_new", []byte(`{"type":"brand_new","x":1}`)}},
	} {
		t.Run(c.want.PayloadType(), func(t *testing.T) {
			got, err := DecodePayload([]byte(c.wire))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Fatal(diff)
			}
			back, err := EncodePayload(got)
			if err != nil || string(back) != c.wire {
				t.Fatalf("written back as %s, %v", back, err)
			}
		})
	}
}

func TestPayloadsWithoutTagAreCustom(t *testing.T) {
	for _, wire := range []string{`{"method":"GetStatus"}`, `[1]`, `"x"`, `null`, `{"type":7}`} {
		got, err := DecodePayload([]byte(wire))
		if custom, ok := got.(Custom); err != nil || !ok || string(custom.Data) != wire {
			t.Errorf("%s is %#v, %v", wire, got, err)
		}
	}
}

func TestPayloadsThatAreRefused(t *testing.T) {
	for rule, wire := range map[string]string{
		"no JSON":                  `{`,
		"a duplicate member":       `{"type":"raw_json","method":"a","method":"b"}`,
		"a duplicate tag":          `{"type":"raw_json","type":"connect"}`,
		"a duplicate deep inside":  `{"type":"custom","data":[{"a":1,"a":2}]}`,
		"a duplicate in disguise":  `{"type":"custom","data":{"a":1,"\u0061":2}}`,
		"bytes that are no UTF-8":  "{\"type\":\"custom\",\"data\":\"\xff\"}",
		"a member of a wrong type": `{"type":"user_input","text":1}`,
		"something behind it":      `{"type":"connect"}{}`,
	} {
		if got, err := DecodePayload([]byte(wire)); err == nil {
			t.Errorf("%s: %s is %#v", rule, wire, got)
		}
	}
	for _, object := range []string{`[1]`, `{"type":"x"}`, `{`, ``} {
		if got, err := EncodePayload(RawJSON{Object: []byte(object)}); err == nil {
			t.Errorf("raw_json of %q is %s", object, got)
		}
	}
}

func TestGuestView(t *testing.T) {
	for wire, want := range map[string]string{
		`{"a":1,"type":"raw_json","b":[2]}`: `{"a":1,"b":[2]}`,
		`{"type":"custom","data":{"x":1}}`:  `{"x":1}`,
		`{"type":"connect"}`:                `{"type":"connect"}`,
		`[1, 2]`:                            `[1, 2]`,
	} {
		if got, err := GuestView([]byte(wire)); err != nil || string(got) != want {
			t.Errorf("%s is seen as %s, %v", wire, got, err)
		}
	}
	if _, err := GuestView([]byte(`{`)); err == nil {
		t.Error("what is no JSON has a view")
	}
}

func FuzzPayload(f *testing.F) {
	f.Add(`{"type":"raw_json","a":1,"b":{"type":"x"}}`)
	f.Add(`{"type":"custom","data":null}`)
	f.Add(`{"type":"tool_execute_request","call_id":"c"}`)
	f.Add(`{ "type" : "raw_json" , "" : 1 }`)
	f.Fuzz(func(t *testing.T, wire string) {
		p, err := DecodePayload([]byte(wire))
		if err != nil {
			return
		}
		if raw, ok := p.(RawJSON); ok && !raw.Object.IsValid() {
			t.Fatalf("%q unwraps to %q", wire, raw.Object)
		}
		back, err := EncodePayload(p)
		if raw, ok := p.(RawJSON); ok && err != nil && strings.Contains(string(raw.Object), `"type"`) {
			return
		}
		if err != nil || !back.IsValid() {
			t.Fatalf("%q was written back as %q, %v", wire, back, err)
		}
	})
}
