package canon

import "fmt"

// Trap is a guest's breach of the canonical ABI. A host function reports it by
// panicking with a *Trap, which unwinds through the guest; an export's Call
// returns it as its error. Either way the instance must not be used again.
type Trap struct {
	Reason string // what the guest did, in the specification's words where it has some
	Func   string // the function whose values were at fault, empty if not known
}

// Error says what happened, and where if that is known.
func (t *Trap) Error() string {
	if t.Func == "" {
		return "canonical ABI: " + t.Reason
	}
	return "canonical ABI: " + t.Func + ": " + t.Reason
}

// Fail panics with a *Trap: the way for a host function to blame its guest.
func Fail(format string, args ...any) {
	panic(&Trap{Reason: fmt.Sprintf(format, args...)})
}

func trapIf(cond bool, reason string) {
	if cond {
		panic(&Trap{Reason: reason})
	}
}
