//go:build wasip1

// Package ipc publishes messages on the kernel's bus (astrid:ipc).
//
// A topic must be declared in the manifest's [publish] table. The kernel stamps
// the principal of the current call on the message; a capsule cannot choose it.
package ipc

import (
	"unsafe"

	"github.com/astrid-go/astrid/sdk/internal/abi"
)

var codes = []string{
	"capability-denied", "invalid-input", "closed", "rate-limited",
	"backpressure", "quota", "timeout", "unknown",
}

//go:wasmimport astrid:ipc/host@1.0.0 publish
func publish(topic, payload string, ret unsafe.Pointer)

// Publish sends a JSON payload of at most 1 MiB to topic.
func Publish(topic string, payload []byte) error {
	var r abi.Result
	publish(topic, unsafe.String(unsafe.SliceData(payload), len(payload)), r.Area())
	return r.Failed(4, "publish", topic, codes)
}
