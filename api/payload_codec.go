package api

import (
	"bytes"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The tags, one for each payload type.
const (
	typeRawJSON = "raw_json"
	typeCustom  = "custom"
)

// PayloadType is "raw_json".
func (RawJSON) PayloadType() string { return typeRawJSON }

// PayloadType is "custom".
func (Custom) PayloadType() string { return typeCustom }

// PayloadType is the tag that was read.
func (u Unknown) PayloadType() string { return u.Type }

// PayloadType is "user_input".
func (UserInput) PayloadType() string { return "user_input" }

// PayloadType is "agent_response".
func (AgentResponse) PayloadType() string { return "agent_response" }

// PayloadType is "approval_required".
func (ApprovalRequired) PayloadType() string { return "approval_required" }

// PayloadType is "approval_response".
func (ApprovalResponse) PayloadType() string { return "approval_response" }

// PayloadType is "onboarding_required".
func (OnboardingRequired) PayloadType() string { return "onboarding_required" }

// PayloadType is "llm_request".
func (LLMRequest) PayloadType() string { return "llm_request" }

// PayloadType is "llm_stream_event".
func (LLMStreamEvent) PayloadType() string { return "llm_stream_event" }

// PayloadType is "llm_response".
func (LLMResponse) PayloadType() string { return "llm_response" }

// PayloadType is "tool_execute_request".
func (ToolExecuteRequest) PayloadType() string { return "tool_execute_request" }

// PayloadType is "tool_execute_result".
func (ToolExecuteResult) PayloadType() string { return "tool_execute_result" }

// PayloadType is "tool_cancel_request".
func (ToolCancelRequest) PayloadType() string { return "tool_cancel_request" }

// PayloadType is "selection_required".
func (SelectionRequired) PayloadType() string { return "selection_required" }

// PayloadType is "elicit_request".
func (ElicitRequest) PayloadType() string { return "elicit_request" }

// PayloadType is "elicit_response".
func (ElicitResponse) PayloadType() string { return "elicit_response" }

// PayloadType is "connect".
func (Connect) PayloadType() string { return "connect" }

// PayloadType is "disconnect".
func (Disconnect) PayloadType() string { return "disconnect" }

// DecodePayload reads a payload. A value without a string member "type" is a
// Custom that holds the whole value; a tag that is not known gives an Unknown.
func DecodePayload(data []byte) (Payload, error) {
	value := jsontext.Value(bytes.TrimSpace(data))
	tag, tagged, err := payloadTag(value)
	if err != nil {
		return nil, err
	}
	if !tagged {
		return Custom{Data: value.Clone()}, nil
	}
	return decodeTagged(tag, value)
}

func decodeTagged(tag string, value jsontext.Value) (Payload, error) {
	if tag == typeRawJSON {
		object, err := withoutTag(value)
		return RawJSON{Object: object}, err
	}
	if decode, known := decoders[tag]; known {
		return decode(value)
	}
	return Unknown{Type: tag, Raw: value.Clone()}, nil
}

// decoders has every other tag.
var decoders = map[string]func(jsontext.Value) (Payload, error){
	typeCustom:             decodeAs[Custom],
	"user_input":           decodeUserInput,
	"agent_response":       decodeAs[AgentResponse],
	"approval_required":    decodeAs[ApprovalRequired],
	"approval_response":    decodeAs[ApprovalResponse],
	"onboarding_required":  decodeAs[OnboardingRequired],
	"llm_request":          decodeAs[LLMRequest],
	"llm_stream_event":     decodeAs[LLMStreamEvent],
	"llm_response":         decodeAs[LLMResponse],
	"tool_execute_request": decodeAs[ToolExecuteRequest],
	"tool_execute_result":  decodeAs[ToolExecuteResult],
	"tool_cancel_request":  decodeAs[ToolCancelRequest],
	"selection_required":   decodeAs[SelectionRequired],
	"elicit_request":       decodeAs[ElicitRequest],
	"elicit_response":      decodeAs[ElicitResponse],
	"connect":              decodeAs[Connect],
	"disconnect":           decodeAs[Disconnect],
}

func decodeUserInput(value jsontext.Value) (Payload, error) {
	p, err := decodeAs[UserInput](value)
	if in, ok := p.(UserInput); ok && in.SessionID == "" {
		in.SessionID = "default"
		return in, err
	}
	return p, err
}

func decodeAs[P Payload](value jsontext.Value) (Payload, error) {
	var p P
	if err := json.Unmarshal(value, &p); err != nil {
		return nil, errorf(CodeInvalid, "payload %s: %s", p.PayloadType(), reason(err))
	}
	return p, nil
}

// EncodePayload writes a payload with its tag first.
func EncodePayload(p Payload) (jsontext.Value, error) {
	var object jsontext.Value
	switch p := p.(type) {
	case Unknown:
		return p.Raw, nil
	case RawJSON:
		object = bytes.TrimSpace(p.Object)
		if _, tagged, err := payloadTag(object); err != nil || tagged || object.Kind() != '{' {
			return nil, errorf(CodeInvalid, `raw_json payload has to be an object without a member "type"`)
		}
	default:
		var err error
		if object, err = json.Marshal(p); err != nil {
			return nil, errorf(CodeInvalid, "payload %s: %s", p.PayloadType(), reason(err))
		}
	}
	return withTag(p.PayloadType(), object), nil
}

// GuestView is the form in which a guest, and a client, sees a payload: raw_json
// and custom are unwrapped, everything else is as it is. It fails on what is not
// JSON.
func GuestView(payload []byte) ([]byte, error) {
	value := jsontext.Value(bytes.TrimSpace(payload))
	tag, _, err := payloadTag(value)
	if err != nil {
		return nil, err
	}
	switch tag {
	case typeRawJSON:
		return withoutTag(value)
	case typeCustom:
		p, err := decodeAs[Custom](value)
		if err != nil {
			return nil, err
		}
		return p.(Custom).Data, nil
	}
	return payload, nil
}

// payloadTag returns the member "type" of an object. It checks the whole value,
// duplicates included; only an object with a string there is tagged.
func payloadTag(value jsontext.Value) (tag string, tagged bool, err error) {
	if !value.IsValid() {
		return "", false, errorf(CodeInvalid, "payload is not valid JSON, or has a duplicate member")
	}
	if value.Kind() != '{' {
		return "", false, nil
	}
	var head struct {
		Type jsontext.Value `json:"type"`
	}
	if err := json.Unmarshal(value, &head); err != nil {
		return "", false, errorf(CodeInvalid, "payload: %s", reason(err))
	}
	if head.Type.Kind() != '"' {
		return "", false, nil
	}
	text, err := jsontext.AppendUnquote(nil, head.Type)
	return string(text), true, err
}

// withTag puts the tag in front of an object's members.
func withTag(tag string, object jsontext.Value) jsontext.Value {
	out := make(jsontext.Value, 0, len(object)+len(tag)+12)
	out = append(out, `{"type":"`...)
	out = append(append(out, tag...), '"')
	members := bytes.TrimSpace(object[1 : len(object)-1])
	if len(members) > 0 {
		out = append(append(out, ','), members...)
	}
	return append(out, '}')
}

// withoutTag returns the object without its member "type".
func withoutTag(value jsontext.Value) (jsontext.Value, error) {
	d := jsontext.NewDecoder(bytes.NewReader(value))
	if _, err := d.ReadToken(); err != nil {
		return nil, errorf(CodeInvalid, "payload: %s", reason(err))
	}
	out := jsontext.Value{'{'}
	for d.PeekKind() != '}' {
		name, err := d.ReadValue()
		if err != nil {
			return nil, errorf(CodeInvalid, "payload: %s", reason(err))
		}
		begin := len(out)
		if begin > 1 {
			out = append(out, ',')
		}
		out = append(append(out, name...), ':')
		isTag := string(name) == `"type"`
		content, err := d.ReadValue()
		if err != nil {
			return nil, errorf(CodeInvalid, "payload: %s", reason(err))
		}
		out = append(out, content...)
		if isTag {
			out = out[:begin]
		}
	}
	return append(out, '}'), nil
}
