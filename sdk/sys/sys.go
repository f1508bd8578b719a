//go:build wasip1

// Package sys is the capsule's own surroundings (astrid:sys): its log, its
// configuration and the caller of the current invocation.
package sys

import (
	"unsafe"

	"github.com/astrid-go/astrid/sdk/internal/abi"
)

var codes = []string{
	"capability-denied", "config-key-reserved", "too-large",
	"registry-unavailable", "cancelled", "unknown",
}

// Level orders log messages.
type Level uint32

// The levels of astrid:sys.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
)

//go:wasmimport astrid:sys/host@1.0.0 log
func log(level Level, message string)

//go:wasmimport astrid:sys/host@1.0.0 get-config
func getConfig(key string, ret unsafe.Pointer)

//go:wasmimport astrid:sys/host@1.0.0 get-caller
func getCaller(ret unsafe.Pointer)

// Log writes message to the capsule's own log, which the operator reads.
func Log(level Level, message string) { log(level, message) }

// Config returns a value of the manifest's [env] table and whether it is set.
func Config(key string) (string, bool, error) {
	var r abi.Result
	getConfig(key, r.Area())
	if err := r.Failed(4, "get config", key, codes); err != nil {
		return "", false, err
	}
	if r.U8(4) == 0 {
		return "", false, nil
	}
	return r.String(8), true, nil
}

// Caller is the origin of the current invocation.
type Caller struct {
	// Principal is who the capsule acts for; "" for the system.
	Principal string
	// Source is the UUID of what published the message.
	Source string
	// Time is when it was published, in RFC 3339.
	Time string
}

// CurrentCaller returns the caller of this invocation.
func CurrentCaller() (Caller, error) {
	var r abi.Result
	getCaller(r.Area())
	if err := r.Failed(4, "get caller", "of this call", codes); err != nil {
		return Caller{}, err
	}
	c := Caller{Source: r.String(16), Time: r.String(24)}
	if r.U8(4) == 1 {
		c.Principal = r.String(8)
	}
	return c, nil
}
