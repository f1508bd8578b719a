package host

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/capsule"
	"github.com/astrid-go/astrid/wasm/canon"
)

type ipcCase uint8

// WITCases names the cases of astrid:ipc's error-code.
func (ipcCase) WITCases() []string {
	return []string{
		"capability-denied", "invalid-input", "closed", "rate-limited", "backpressure", "quota", "timeout", "unknown",
	}
}

type ipcError struct {
	Case ipcCase `wit:",case"`
	Text string  `wit:"unknown"`
}

func newIPCError(err error) ipcError {
	c, text := caseOf[ipcCase](err, ipcCode)
	return ipcError{c, text}
}

func ipcCode(err error) string {
	switch {
	case errors.Is(err, bus.ErrTopic), errors.Is(err, bus.ErrTooLarge), errors.Is(err, bus.ErrHops):
		return "invalid-input"
	case errors.Is(err, bus.ErrRate):
		return "rate-limited"
	case errors.Is(err, bus.ErrFull), errors.Is(err, bus.ErrFanOut):
		return "backpressure"
	case errors.Is(err, bus.ErrClosed):
		return "closed"
	}
	return ""
}

func ipcInterface() canon.Interface {
	return canon.Interface{Name: "astrid:ipc/host@1.0.0", Funcs: []canon.HostFunc{
		canon.Func2("publish", publish),
	}}
}

// publish sends a message for the principal of the running call. Source,
// principal and hop count are the host's.
func publish(ctx context.Context, topic, payload string) canon.Result[canon.Unit, ipcError] {
	return result(canon.Unit{}, of(ctx).publish(ctx, topic, payload), newIPCError)
}

func (i *Instance) publish(ctx context.Context, topic, payload string) error {
	t, err := bus.ParseTopic(topic)
	if err != nil {
		return err
	}
	if !json.Valid([]byte(payload)) {
		return failed("invalid-input", "the payload is not JSON")
	}
	return i.permitted(ctx, i.request("ipc.publish", capsule.TopicResource(topic)), func() error {
		return i.Publish(ctx, bus.Message{
			Topic: t, Payload: []byte(payload), Source: i.Source, From: bus.Verified(i.Principal), Hops: i.call.Hops,
		})
	})
}
