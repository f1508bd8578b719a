//go:build wasip1

package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/astrid-go/astrid/sdk/ipc"
)

// request is the payload of tool.v1.execute.<name>.
type request struct {
	CallID    string          `json:"call_id"`
	ToolName  string          `json:"tool_name"`
	Arguments json.RawMessage `json:"arguments"`
}

// reply is the payload of tool.v1.execute.<name>.result.
type reply struct {
	Type   string  `json:"type"`
	CallID string  `json:"call_id"`
	Result outcome `json:"result"`
}

type outcome struct {
	CallID  string `json:"call_id"`
	Content string `json:"content"`
	IsError bool   `json:"is_error"`
}

// Tool registers f as the tool that the manifest's [[tool]] table declares
// under name. The arguments are decoded into A, which is a struct with json
// tags; the kernel has checked them against the manifest's schema before the
// call. A result of type string is the content as it stands, any other is
// encoded as JSON. An error is a tool result marked as an error, with the
// error's text as content: the model reads it.
func Tool[A, R any](name string, f func(*Call, A) (R, error)) bool {
	return Handle("tool_execute_"+name, func(c *Call, payload []byte) (Verdict, error) {
		var q request
		if err := json.Unmarshal(payload, &q); err != nil {
			return Verdict{}, fmt.Errorf("decode the call of tool %s: %w", name, err)
		}
		c.ID = q.CallID
		content, err := run(c, q.Arguments, f)
		out := outcome{CallID: q.CallID, Content: content}
		if err != nil {
			out.Content, out.IsError = err.Error(), true
		}
		return Continue(), answer(name, out)
	})
}

func run[A, R any](c *Call, arguments json.RawMessage, f func(*Call, A) (R, error)) (string, error) {
	var a A
	if len(arguments) > 0 {
		d := json.NewDecoder(bytes.NewReader(arguments))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil {
			return "", fmt.Errorf("decode arguments: %w", err)
		}
	}
	r, err := f(c, a)
	if err != nil {
		return "", err
	}
	if s, ok := any(r).(string); ok {
		return s, nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encode result: %w", err)
	}
	return string(b), nil
}

func answer(name string, out outcome) error {
	b, err := json.Marshal(reply{Type: "tool_execute_result", CallID: out.CallID, Result: out})
	if err != nil {
		return fmt.Errorf("encode the result of tool %s: %w", name, err)
	}
	return ipc.Publish("tool.v1.execute."+name+".result", b)
}
