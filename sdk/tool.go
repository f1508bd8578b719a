//go:build wasip1

package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/astrid-go/astrid/sdk/ipc"
)

// request is the payload of tool.v1.execute.<name>.
type request struct {
	CallID    string          `json:"call_id"`
	ToolName  string          `json:"tool_name"`
	Arguments json.RawMessage `json:"arguments"`
}

// outcome is what a call came to.
type outcome struct {
	callID  string
	content string
	isError bool
}

// reply is the payload of tool.v1.execute.<name>.result. It is written by hand
// because the content may be a whole file: package encoding/json looks at every
// byte of it three times, which took most of a call's time.
func (o outcome) reply() []byte {
	b := make([]byte, 0, len(o.content)+len(o.content)/8+128)
	b = append(b, `{"type":"tool_execute_result","call_id":`...)
	b = appendQuoted(b, o.callID)
	b = append(b, `,"result":{"call_id":`...)
	b = appendQuoted(b, o.callID)
	b = append(b, `,"content":`...)
	b = appendQuoted(b, o.content)
	b = append(b, `,"is_error":`...)
	b = strconv.AppendBool(b, o.isError)
	return append(b, "}}"...)
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
		out := outcome{callID: q.CallID, content: content}
		if err != nil {
			out.content, out.isError = err.Error(), true
		}
		return Continue(), ipc.Publish("tool.v1.execute."+name+".result", out.reply())
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
