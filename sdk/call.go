//go:build wasip1

package sdk

import (
	"errors"

	"github.com/astrid-go/astrid/sdk/internal/abi"
)

// Error is a host function's refusal or failure; see its fields.
type Error = abi.Error

// Code returns the error code of the host function that err came from, or ""
// when err did not come from a host function.
func Code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Call is one invocation of a tool or handler.
type Call struct {
	// ID is the caller's name for the call, "" for a handler.
	ID string
	// Action is the action of the manifest that led here.
	Action string
}
