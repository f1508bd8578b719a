package api

import (
	"encoding/json"
	"strings"

	strict "github.com/go-json-experiment/json"
)

// The kernel requests of the protocol; workspace.go has this kernel's own.
const (
	MethodGetStatus          = "GetStatus"          // Empty → Status
	MethodShutdown           = "Shutdown"           // ShutdownParams → {"status":"shutting_down"}
	MethodListCapsules       = "ListCapsules"       // Empty → []string
	MethodGetCommands        = "GetCommands"        // Empty → []Command
	MethodGetCapsuleMetadata = "GetCapsuleMetadata" // Empty → []CapsuleMetadata
	MethodReloadCapsules     = "ReloadCapsules"     // Empty → {"status":"reloaded"}
	MethodInstallCapsule     = "InstallCapsule"     // InstallParams → Empty
)

// Prefixes of the topics of requests and of what answers them.
const (
	TopicRequest       = "astrid.v1.request."
	TopicResponse      = "astrid.v1.response."
	TopicAdmin         = "astrid.v1.admin."
	TopicAdminResponse = "astrid.v1.admin.response."
	TopicTool          = "tool.v1.execute."
	// TopicErrors is where refusals go that have no better place.
	TopicErrors = TopicResponse + "error"

	toolResultSuffix = ".result"
)

// Request is the content of a request's raw_json payload.
type Request struct {
	// RequestID comes back in the reply.
	RequestID string          `json:"request_id,omitempty"`
	Method    string          `json:"method"`
	Params    json.RawMessage `json:"params,omitempty"`
}

// DecodeRequest reads the payload of a request strictly. The Request holds what
// could be read even when there is an error, so that it can be correlated.
func DecodeRequest(payload []byte) (Request, error) {
	var r Request
	p, err := DecodePayload(payload)
	if err != nil {
		return r, err
	}
	raw, ok := p.(RawJSON)
	if !ok {
		return r, &Error{
			Code: CodeInvalid, Message: `request payload has type "` + clip(p.PayloadType()) + `", want "raw_json"`,
			Hint: `send {"type":"raw_json","method":"…","params":{…}}`,
		}
	}
	if err := DecodeStrict(raw.Object, &r); err != nil {
		return Request{RequestID: r.RequestID}, err
	}
	if r.Method == "" {
		return r, errorf(CodeInvalid, "request has no method")
	}
	return r, nil
}

// maxShown bounds what a refusal repeats of a peer's own text.
const maxShown = 64

func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxShown)], "") }

// ReplyStatusError marks a reply whose request failed.
const ReplyStatusError = "Error"

// Reply answers a request. On failure Data is the text of the error, as peers of
// other versions expect, and Failure has the rest.
type Reply struct {
	RequestID string          `json:"request_id,omitempty"`
	Status    string          `json:"status"`
	Data      json.RawMessage `json:"data,omitempty"`
	Failure   *Error          `json:"error,omitempty"`
}

// NewReply makes the reply to a request of method that succeeded with data.
func NewReply(requestID, method string, data any) (Reply, error) {
	raw, err := strict.Marshal(data)
	if err != nil {
		return Reply{}, errorf(CodeError, "encode the reply to %s: %s", clip(method), reason(err))
	}
	return Reply{RequestID: requestID, Status: replyStatus(method), Data: raw}, nil
}

// NewErrorReply makes the reply to a request that failed.
func NewErrorReply(requestID string, e *Error) Reply {
	text, err := strict.Marshal(strings.ToValidUTF8(e.Message, "�"))
	if err != nil { // a valid string always encodes
		text = []byte(`"error"`)
	}
	return Reply{RequestID: requestID, Status: ReplyStatusError, Data: text, Failure: e}
}

// replyStatus is the tag of a method's successful reply.
func replyStatus(method string) string {
	switch method {
	case MethodGetStatus:
		return "Status"
	case MethodGetCommands:
		return "Commands"
	case MethodGetCapsuleMetadata:
		return "CapsuleMetadata"
	case "AgentList", "GroupList":
		return method
	case "QuotaGet":
		return "Quotas"
	}
	return "Success"
}

// ReplyTopic returns the topic that answers a request's topic: the same suffix
// under the response prefix. It is false for topics that are no requests,
// responses of either kind among them.
func ReplyTopic(topic string) (string, bool) {
	if strings.HasPrefix(topic, TopicAdminResponse) {
		return "", false
	}
	if suffix, ok := strings.CutPrefix(topic, TopicRequest); ok {
		return TopicResponse + suffix, suffix != ""
	}
	if suffix, ok := strings.CutPrefix(topic, TopicAdmin); ok {
		return TopicAdminResponse + suffix, suffix != ""
	}
	return "", false
}

// ToolTopic returns the topic that calls a tool.
func ToolTopic(name string) string { return TopicTool + name }

// ToolResultTopic returns the topic that answers it.
func ToolResultTopic(name string) string { return TopicTool + name + toolResultSuffix }

// ToolOfTopic returns the name of the tool that a topic calls; false means that
// the topic calls none.
func ToolOfTopic(topic string) (string, bool) {
	name, ok := strings.CutPrefix(topic, TopicTool)
	return name, ok && name != "" && !strings.Contains(name, ".")
}

// ToolOfResultTopic returns the name of the tool whose result a topic carries;
// false means that the topic carries none.
func ToolOfResultTopic(topic string) (string, bool) {
	call, ok := strings.CutSuffix(topic, toolResultSuffix)
	if !ok {
		return "", false
	}
	return ToolOfTopic(call)
}

const (
	// maxTopicBytes and maxTopicSegments are the server's limits.
	maxTopicBytes    = 256
	maxTopicSegments = 8
)

// validTopic reports whether a server will read the topic at all; one that it does
// not cannot be answered where the answer is awaited.
func validTopic(topic string) bool {
	segments := strings.Split(topic, ".")
	for _, s := range segments {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool {
			return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
		}) {
			return false
		}
	}
	return len(topic) <= maxTopicBytes && len(segments) <= maxTopicSegments
}
