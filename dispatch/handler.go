package dispatch

import (
	"cmp"
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/principal"
)

// Mode says where in the life of a message a handler runs, and what its failure means.
type Mode uint8

const (
	// ModeHandler runs after the publish, in the chain.
	ModeHandler Mode = iota
	// ModeGuard runs before the publish and can deny it; its failure denies.
	ModeGuard
	// ModeObserver runs after the chain, beside other work; its verdict is ignored.
	ModeObserver
)

// MaxHandlers is how many handlers one capsule may register; it bounds the work of a publish.
const MaxHandlers = 256

// Handler is one registration of a capsule for events.
type Handler struct {
	Pattern  bus.Pattern
	Action   string // passed to the guest's hook; not empty
	Priority uint32 // lower runs first
	Mode     Mode
}

// Verdict is what a handler decided. The zero value is Deny.
type Verdict uint8

const (
	// Deny ends the chain and, from a guard, refuses the message.
	Deny Verdict = iota
	// Continue passes on to the next handler, with a new payload if there is one.
	Continue
	// Final ends the chain: the message is dealt with. From a guard it skips the other guards.
	Final
)

// Invocation is one call of a handler for one message.
type Invocation struct {
	Capsule    string
	Generation uint64
	Principal  principal.ID // never zero
	From       bus.Attribution
	Action     string
	Topic      bus.Topic
	Payload    []byte // must not be changed
	CallID     uuid.UUID
	Hops       uint8 // for what the handler publishes in turn: one more than the message's own
	Source     uuid.UUID
	Seq        uint64 // zero for guards, which run before the message has one
}

// Result is what a handler answered.
type Result struct {
	Verdict Verdict
	Payload []byte // with Continue, replaces the payload if not empty; kept, so it must not be changed later
	Reason  string // with Deny
}

// Invoker runs handlers. The kernel implements it. Invoke must return soon after ctx ends, must refuse a generation
// that is not alive with ErrAbsent, and may be called from many goroutines.
type Invoker interface {
	Invoke(ctx context.Context, call Invocation) (Result, error)
}

// InvokerFunc makes an Invoker of a function.
type InvokerFunc func(ctx context.Context, call Invocation) (Result, error)

// Invoke calls f.
func (f InvokerFunc) Invoke(ctx context.Context, call Invocation) (Result, error) {
	return f(ctx, call)
}

// Errors that callers branch on.
var (
	ErrAbsent = errors.New("capsule generation not running")
	ErrStale  = errors.New("newer capsule generation registered")
	ErrQueue  = errors.New("dispatch queue full")
	ErrClosed = errors.New("dispatcher closed")
)

// DeniedError says that a guard refused a message. The publisher gets it, and nobody got the message.
type DeniedError struct {
	Topic   bus.Topic
	Capsule string // the guard's
	Action  string
	Reason  string // the guard's own words, or why it could not be asked
	Err     error  // why the guard failed; nil if it said deny
}

// Error names the guard and its reason.
func (e *DeniedError) Error() string {
	return "publish " + e.Topic.String() + ": denied by guard " + e.Capsule + "/" + e.Action + ": " + e.Reason
}

// Unwrap returns why the guard failed, if it did.
func (e *DeniedError) Unwrap() error { return e.Err }

// entry is a registered handler.
type entry struct {
	Handler
	capsule    string
	generation uint64
}

// compare is the order of a chain.
func compare(a, b entry) int {
	return cmp.Or(
		cmp.Compare(a.Priority, b.Priority),
		cmp.Compare(a.capsule, b.capsule),
		cmp.Compare(a.Action, b.Action),
		cmp.Compare(a.Pattern.String(), b.Pattern.String()),
	)
}
