package cli

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"syscall"

	"github.com/astrid-go/astrid/api"
)

// Exit codes, by class of outcome. They are listed in the help of the root
// command and are stable.
const (
	ExitOK          = 0
	ExitError       = 1
	ExitUsage       = 2
	ExitDenied      = 3
	ExitNotFound    = 4
	ExitUnavailable = 5
	ExitTimeout     = 6
)

// usageError is a mistake in how the command was called.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// exitError carries an exit code for an outcome that was already reported.
type exitError int

func (e exitError) Error() string { return "already reported" }

// exitCode maps an error to the class that scripts branch on.
func exitCode(err error) int {
	var code exitError
	var usage usageError
	var wire *api.Error
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		return ExitUsage
	case errors.As(err, &wire):
		return wire.Code.ExitCode()
	case errors.Is(err, context.DeadlineExceeded):
		return ExitTimeout
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, net.ErrClosed), errors.Is(err, errNoDaemon):
		return ExitUnavailable
	case errors.Is(err, fs.ErrNotExist):
		return ExitNotFound
	}
	return ExitError
}
