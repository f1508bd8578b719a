package api

import "fmt"

// Code classifies an outcome for programs. The list is fixed: a peer that meets
// another code treats it as CodeError.
type Code string

// The codes.
const (
	CodeOK          Code = "ok"
	CodeError       Code = "error"        // failed, and none of the following
	CodeUsage       Code = "usage"        // the command or call was made wrongly
	CodeDenied      Code = "denied"       // a rule forbids it; Error.Rule names it
	CodeNotFound    Code = "not_found"    // what was named does not exist
	CodeUnavailable Code = "unavailable"  // not now: no daemon, no capsule, shutting down
	CodeTimeout     Code = "timeout"      // took longer than allowed
	CodeConflict    Code = "conflict"     // the state changed meanwhile
	CodeTooLarge    Code = "too_large"    // over a limit of size
	CodeRateLimited Code = "rate_limited" // over a limit of rate or number
	CodeInvalid     Code = "invalid"      // malformed input
	CodeUnsupported Code = "unsupported"  // this version does not do it
)

// ExitCode is the exit code that a program reports the code with: 0 ok, 1 error,
// 2 usage, 3 denied, 4 not found, 5 unavailable, 6 timeout. It is 1 for codes
// that it does not know.
func (c Code) ExitCode() int {
	switch c {
	case CodeOK:
		return 0
	case CodeUsage, CodeInvalid:
		return 2
	case CodeDenied:
		return 3
	case CodeNotFound:
		return 4
	case CodeUnavailable, CodeRateLimited:
		return 5
	case CodeTimeout:
		return 6
	}
	return 1
}

// Known reports whether c is one of the list.
func (c Code) Known() bool {
	switch c {
	case CodeOK, CodeError, CodeUsage, CodeDenied, CodeNotFound, CodeUnavailable, CodeTimeout,
		CodeConflict, CodeTooLarge, CodeRateLimited, CodeInvalid, CodeUnsupported:
		return true
	}
	return false
}

// Error is a failure that the other side reported.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	// Rule names the file and entry that decided, for denials.
	Rule string `json:"rule,omitempty"`
	// Hint says what the user can do about it.
	Hint string `json:"hint,omitempty"`
	// DenialID is what `astrid why` explains.
	DenialID string `json:"denial_id,omitempty"`
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

func errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
