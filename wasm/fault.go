package wasm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/astrid-go/astrid/wasm/canon"
)

// Errors of an Instance.
var (
	// ErrDead is the answer of an instance that was closed, or killed by a
	// fault in an earlier call.
	ErrDead = errors.New("instance is dead")

	// ErrBusy is the answer to a call of an instance from within itself.
	ErrBusy = errors.New("instance is already running this call")

	// ErrNoExport is the answer to a call of a function that does not exist.
	ErrNoExport = errors.New("no such exported function")
)

// FaultKind says what a guest did wrong.
type FaultKind string

// The kinds of fault.
const (
	FaultTrap      FaultKind = "trap"      // unreachable, a bad access, a division by zero
	FaultStack     FaultKind = "stack"     // recursion without an end
	FaultMemory    FaultKind = "memory"    // does not fit the memory limit
	FaultDeadline  FaultKind = "deadline"  // ran until its deadline
	FaultCancelled FaultKind = "cancelled" // ran when its call was cancelled
	FaultBudget    FaultKind = "budget"    // its CPU budget is spent
	FaultExit      FaultKind = "exit"      // ended itself with proc_exit
	FaultABI       FaultKind = "abi"       // broke the canonical ABI
)

// maxDetail bounds what a guest's names can put into an error.
const maxDetail = 8 << 10

// GuestFault is an error that is the guest's. Its instance is dead.
type GuestFault struct {
	Kind     FaultKind
	Export   string // the export that was called
	Detail   string // what happened, then the guest's stack if it is known
	ExitCode uint32 // of FaultExit
	Err      error  // the cause, if there is one to branch on
}

// Error says what the guest did and where.
func (f *GuestFault) Error() string {
	return fmt.Sprintf("guest fault (%s) in %s: %s", f.Kind, f.Export, f.Detail)
}

// Unwrap returns the cause: for a deadline, the context's.
func (f *GuestFault) Unwrap() error { return f.Err }

// stopped returns the fault of a guest whose context is done.
func stopped(ctx context.Context) *GuestFault {
	kind := FaultCancelled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		kind = FaultDeadline
	}
	cause := context.Cause(ctx)
	return &GuestFault{Kind: kind, Detail: cause.Error(), Err: cause}
}

// wazero's words, of which it exports no values.
const (
	trapPrefix    = "wasm error: "
	stackOverflow = "stack overflow"
	stackHeading  = "wasm stack trace:"
)

// isWasmError reports whether err is a trap. An overflow of the stack comes
// without the prefix, because nothing is unwound for it.
func isWasmError(err error) bool {
	return err != nil && (strings.HasPrefix(err.Error(), trapPrefix) || err.Error() == stackOverflow)
}

// judge turns what a call of export ended with into the error to answer.
// noted is what a host function or the meter stopped it with, if one did.
func judge(export string, err, noted error) error {
	var fault *GuestFault
	var trap *canon.Trap
	switch {
	case errors.As(noted, &fault):
		f := *fault
		f.Export, f.Detail = export, f.Detail+guestStack(err)
		return clip(&f)
	case noted != nil:
		return fmt.Errorf("call %s: %w", export, noted)
	case errors.As(err, &trap):
		return clip(&GuestFault{Kind: FaultABI, Export: export, Detail: trap.Reason, Err: trap})
	case isWasmError(err):
		f := &GuestFault{Kind: FaultTrap, Export: export, Detail: strings.TrimPrefix(err.Error(), trapPrefix)}
		if strings.HasPrefix(f.Detail, stackOverflow) {
			f.Kind = FaultStack
		}
		return clip(f)
	}
	return fmt.Errorf("call %s: %w", export, err)
}

// guestStack returns the guest's stack in err, which wazero put there.
func guestStack(err error) string {
	text := err.Error()
	i := strings.Index(text, stackHeading)
	if i < 0 {
		return ""
	}
	text, _, _ = strings.Cut(text[i:], "\n\n")
	return "\n" + text
}

func clip(f *GuestFault) *GuestFault {
	f.Detail = strings.ToValidUTF8(f.Detail, "?")
	if len(f.Detail) > maxDetail {
		f.Detail = strings.ToValidUTF8(f.Detail[:maxDetail], "") + "…"
	}
	return f
}
