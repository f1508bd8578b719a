//go:build wasip1

// Package approval asks a person before a sensitive action (astrid:approval).
//
// The question goes to the principal for whom the capsule acts, states the
// action and the resource as given here, and waits for the answer as long as
// the kernel's configuration allows.
package approval

import (
	"unsafe"

	"github.com/astrid-go/astrid/sdk/internal/abi"
)

var codes = []string{"invalid-input", "timeout", "store-unavailable", "unknown"}

// Decision is the answer.
type Decision uint8

// The decisions of astrid:approval. Allowance means that an earlier answer
// covers this action and nobody was asked.
const (
	Denied Decision = iota
	Approved
	ApprovedSession
	ApprovedAlways
	Allowance
)

// Granted reports whether the action may go on.
func (d Decision) Granted() bool { return d != Denied && d <= Allowance }

//go:wasmimport astrid:approval/host@1.0.0 request-approval
func request(action, resource string, ret unsafe.Pointer)

// Request asks for action (at most 256 bytes) on resource (at most 1024).
func Request(action, resource string) (Decision, error) {
	var r abi.Result
	request(action, resource, r.Area())
	if err := r.Failed(4, "request approval to "+action, resource, codes); err != nil {
		return Denied, err
	}
	return Decision(r.U8(4)), nil
}
