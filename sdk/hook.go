//go:build wasip1

package sdk

import (
	"unsafe"

	"github.com/astrid-go/astrid/sdk/internal/abi"
)

// Verdict is what a handler tells the kernel about the message it was given.
type Verdict struct {
	action string
	data   []byte
}

// Continue lets the message go on unchanged.
func Continue() Verdict { return Verdict{action: "continue"} }

// Replace lets the message go on with another payload, which must be JSON.
func Replace(payload []byte) Verdict { return Verdict{action: "continue", data: payload} }

// Final ends the chain: later handlers do not see the message.
func Final() Verdict { return Verdict{action: "final"} }

// Deny refuses the message; the publisher is told the reason.
func Deny(reason string) Verdict { return Verdict{action: "deny", data: []byte(reason)} }

type handler func(*Call, []byte) (Verdict, error)

var handlers = map[string]handler{}

// Handle registers f for an action that the manifest names in [[interceptor]]
// or [subscribe]. The payload is the message's JSON. A returned error is a
// denial with the error's text. It panics when the action is taken: that is a
// mistake in the capsule, shown at its first start.
func Handle(action string, f func(*Call, []byte) (Verdict, error)) bool {
	if _, taken := handlers[action]; taken {
		panic("sdk: action " + action + " registered twice")
	}
	handlers[action] = f
	return true
}

// result is the return area of the hook, a record of a string and an
// option<string>; it is static because the host reads it after the return.
var result [5]uint32

// hook is the export the kernel calls:
// astrid-hook-trigger(action: string, payload: list<u8>) -> capsule-result.
//
//go:wasmexport astrid-hook-trigger
func hook(actionAt, actionLen, payloadAt, payloadLen uint32) uint32 {
	action := abi.TakeString(actionAt, actionLen)
	payload := abi.Take(payloadAt, payloadLen)
	v := trigger(action, payload)
	name := []byte(v.action)
	result = [5]uint32{abi.Hold(name), uint32(len(name))}
	if len(v.data) > 0 {
		result[2], result[3], result[4] = 1, abi.Hold(v.data), uint32(len(v.data))
	}
	return uint32(uintptr(unsafe.Pointer(&result)))
}

// post releases what the last hook returned.
//
//go:wasmexport cabi_post_astrid-hook-trigger
func post(uint32) {
	abi.Release(result[0])
	abi.Release(result[3])
}

func trigger(action string, payload []byte) Verdict {
	h, ok := handlers[action]
	if !ok {
		return Deny("capsule has no handler for action " + action)
	}
	v, err := h(&Call{Action: action}, payload)
	if err != nil {
		return Deny(err.Error())
	}
	return v
}
