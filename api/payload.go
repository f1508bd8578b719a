package api

import "github.com/go-json-experiment/json/jsontext"

// Payload is the content of a message. On the wire it is an object whose member
// "type" names the Go type.
type Payload interface {
	// PayloadType is the value of "type".
	PayloadType() string
}

// RawJSON is an object whose members stand beside the tag. The object may not
// have a member "type".
type RawJSON struct{ Object jsontext.Value }

// Custom is any JSON value, under the member "data".
type Custom struct {
	Data jsontext.Value `json:"data"`
}

// Unknown is a payload with a tag that this version does not know.
type Unknown struct {
	Type string
	// Raw is the whole payload.
	Raw jsontext.Value
}

// UserInput is a prompt.
type UserInput struct {
	Text      string         `json:"text"`
	SessionID string         `json:"session_id"` // "default" if absent
	Context   jsontext.Value `json:"context,omitempty"`
}

// AgentResponse is what an agent answers.
type AgentResponse struct {
	Text      string `json:"text"`
	IsFinal   bool   `json:"is_final"`
	SessionID string `json:"session_id"`
}

// ApprovalRequired asks a person.
type ApprovalRequired struct {
	RequestID string `json:"request_id"`
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	Reason    string `json:"reason"`
}

// ApprovalResponse answers ApprovalRequired.
type ApprovalResponse struct {
	RequestID string `json:"request_id"`
	Decision  string `json:"decision"`
	Reason    string `json:"reason,omitempty"`
}

// ToolExecuteRequest calls a tool.
type ToolExecuteRequest struct {
	CallID    string         `json:"call_id"`
	ToolName  string         `json:"tool_name"`
	Arguments jsontext.Value `json:"arguments"`
}

// ToolExecuteResult is what a tool answered. Error is set when the tool did not
// run at all: nothing serves it, a rule forbids it, the arguments do not fit.
type ToolExecuteResult struct {
	CallID string     `json:"call_id"`
	Result ToolResult `json:"result"`
	Error  *Error     `json:"error,omitempty"`
}

// ToolResult is what a model sees of a tool call.
type ToolResult struct {
	CallID  string `json:"call_id"`
	Content string `json:"content"`
	// IsError says that Content describes a failure of the tool.
	IsError bool `json:"is_error"`
}

// ToolCancelRequest gives calls up.
type ToolCancelRequest struct {
	CallIDs []string `json:"call_ids"`
}

// Connect says that a client came.
type Connect struct{}

// Disconnect says that a client went.
type Disconnect struct {
	Reason string `json:"reason,omitempty"`
}

// LLMRequest asks a model provider.
type LLMRequest struct {
	RequestID string         `json:"request_id"`
	Model     string         `json:"model"`
	Messages  jsontext.Value `json:"messages"`
	Tools     jsontext.Value `json:"tools"`
	System    string         `json:"system"`
}

// LLMStreamEvent is a part of a model's answer.
type LLMStreamEvent struct {
	RequestID string         `json:"request_id"`
	Event     jsontext.Value `json:"event"`
}

// LLMResponse is a model's whole answer.
type LLMResponse struct {
	RequestID string         `json:"request_id"`
	Response  jsontext.Value `json:"response"`
}

// OnboardingRequired lists the settings that a capsule lacks.
type OnboardingRequired struct {
	CapsuleID string  `json:"capsule_id"`
	Fields    []Field `json:"fields"`
}

// Field is one value to ask a person for.
type Field struct {
	Key         string `json:"key"`
	Prompt      string `json:"prompt"`
	Description string `json:"description,omitempty"`
	// FieldType is "Text", "Secret", "Array" or {"Enum":[...]}.
	FieldType   jsontext.Value `json:"field_type"`
	Default     string         `json:"default,omitempty"`
	Placeholder string         `json:"placeholder,omitempty"`
}

// SelectionRequired asks a person to choose; the choice is published on
// CallbackTopic.
type SelectionRequired struct {
	RequestID     string   `json:"request_id"`
	Title         string   `json:"title"`
	Options       []Option `json:"options"`
	CallbackTopic string   `json:"callback_topic"`
}

// Option is one choice of a SelectionRequired.
type Option struct {
	ID          string `json:"id"`
	Label       string `json:"label"`
	Description string `json:"description,omitempty"`
}

// ElicitRequest asks a person for one value on behalf of a capsule.
type ElicitRequest struct {
	RequestID string `json:"request_id"`
	CapsuleID string `json:"capsule_id"`
	Field     Field  `json:"field"`
}

// ElicitResponse answers ElicitRequest.
type ElicitResponse struct {
	RequestID string   `json:"request_id"`
	Value     string   `json:"value,omitempty"`
	Values    []string `json:"values,omitempty"`
}
