package api

import (
	"bytes"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// SystemSource is the source of the kernel's own messages.
const SystemSource = "00000000-0000-0000-0000-000000000000"

// Message is one frame after the handshake. From a client only Topic and Payload
// count: the server makes everything else anew.
type Message struct {
	Topic   string         `json:"topic"`
	Payload jsontext.Value `json:"payload"`
	// SourceID is the UUID of who published.
	SourceID string `json:"source_id,omitempty"`
	// Signature was never verified by anybody; it is kept for the shape.
	Signature jsontext.Value `json:"signature,omitempty"`
	Timestamp time.Time      `json:"timestamp,omitzero"`
	Seq       uint64         `json:"seq,omitzero"`
	// Principal is for whom the message was published.
	Principal string `json:"principal,omitempty"`
	// DeviceKeyID and Origin are accepted and passed on, never trusted.
	DeviceKeyID string `json:"device_key_id,omitempty"`
	Origin      string `json:"origin,omitempty"`
}

// DecodeMessage reads a frame. It refuses duplicate members, also inside the
// payload, and a message without a topic or payload.
func DecodeMessage(frame []byte) (Message, error) {
	var m Message
	if err := json.Unmarshal(frame, &m); err != nil {
		return Message{}, errorf(CodeInvalid, "message: %s", reason(err))
	}
	switch {
	case m.Topic == "":
		return Message{}, errorf(CodeInvalid, "message has no topic")
	case len(m.Payload) == 0:
		return Message{}, errorf(CodeInvalid, "message has no payload")
	}
	return m, nil
}

// EncodeMessage writes a frame's body.
func EncodeMessage(m Message) ([]byte, error) { return json.Marshal(m) }

// PeekTopic returns the topic of a frame that DecodeMessage refused, as far as
// it can be read, so that the refusal can be sent to where it is awaited.
func PeekTopic(frame []byte) string {
	d := jsontext.NewDecoder(bytes.NewReader(frame))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return ""
	}
	for {
		name, err := d.ReadToken()
		if err != nil || name.Kind() != '"' {
			return ""
		}
		isTopic := name.String() == "topic"
		value, err := d.ReadValue()
		if err != nil {
			return ""
		}
		var topic string
		if isTopic && json.Unmarshal(value, &topic) == nil {
			return topic
		}
	}
}

// DecodeStrict decodes what is authorised or recorded: duplicate members,
// unknown members, trailing text and wrong types are errors.
func DecodeStrict(data []byte, into any) error {
	if err := json.Unmarshal(data, into, json.RejectUnknownMembers(true)); err != nil {
		return errorf(CodeInvalid, "%s", reason(err))
	}
	return nil
}

// reason shortens a decoder's error to what its reader can act on.
func reason(err error) string {
	text := strings.TrimPrefix(err.Error(), "json: ")
	return strings.TrimPrefix(text, "jsontext: ")
}
