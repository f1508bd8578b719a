package approval

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// Decision is a person's answer, in the words of the wire.
type Decision string

// The decisions. Anything else is refused, never taken for a yes or a no.
const (
	// Approve covers the call that asked and nothing else.
	Approve Decision = "approve"
	// ApproveSession also covers the same action on the same resource until the principal's session ends.
	ApproveSession Decision = "approve_session"
	// ApproveAlways also covers them until the allowance is revoked.
	ApproveAlways Decision = "approve_always"
	// Deny is a no, with a reason that the asker gets to see.
	Deny Decision = "deny"
)

// ParseDecision reads a decision from the wire.
func ParseDecision(s string) (Decision, error) {
	switch d := Decision(s); d {
	case Approve, ApproveSession, ApproveAlways, Deny:
		return d, nil
	}
	return "", fmt.Errorf("%w: decision %.40q; known are approve, approve_session, approve_always, deny", ErrInvalid, s)
}

// Approves reports whether the decision lets the call go on. The zero value does not.
func (d Decision) Approves() bool {
	return d == Approve || d == ApproveSession || d == ApproveAlways
}

// Answer is what a person said to a question.
type Answer struct {
	Decision Decision `json:"decision"`
	// Reason is optional; for Deny the asker gets to see it.
	Reason string `json:"reason,omitempty"`
}

func (a Answer) check() error {
	if _, err := ParseDecision(string(a.Decision)); err != nil {
		return err
	}
	if utf8.RuneCountInString(a.Reason) > MaxReasonChars {
		return fmt.Errorf("%w: reason is longer than %d characters", ErrInvalid, MaxReasonChars)
	}
	return nil
}

// State says where a question stands.
type State string

// The states. Expired is nobody's answer: the same call may ask again.
const (
	Pending  State = "pending"
	Answered State = "answered"
	Expired  State = "expired"
)

// Item is a stored question and what became of it.
type Item struct {
	Question
	State State `json:"state"`
	// Answer and AnsweredAt are set when State is Answered.
	Answer     Answer    `json:"answer,omitzero"`
	AnsweredAt time.Time `json:"answered_at,omitzero"`
	// Spent says that the call an approval is for has used it.
	Spent bool `json:"spent,omitempty"`
}

// Scope is how long an allowance holds.
type Scope string

// The scopes of an allowance.
const (
	// Session ends when the principal's last connection closes, or with the daemon.
	Session Scope = "session"
	// Always ends when it is revoked.
	Always Scope = "always"
)

// Allowance lets one capsule do one action on one resource for one principal without asking.
type Allowance struct {
	ID string `json:"allowance_id"`
	// Question is the call whose approval made it; its principal, capsule, action and resource bound it.
	Question Question  `json:"question"`
	Scope    Scope     `json:"scope"`
	Since    time.Time `json:"since"`
}

// Via says how an outcome came about.
type Via string

// The ways to an outcome.
const (
	// ViaAllowance: an allowance covered the call and nobody was asked.
	ViaAllowance Via = "allowance"
	// ViaAnswer: a person answered this very call, now or before a restart.
	ViaAnswer Via = "answer"
)

// Outcome is what Ask found out. The zero value is not an approval.
type Outcome struct {
	// Decision is the person's decision, or the one that made the allowance; Reason what was said with it.
	Decision Decision
	Reason   string
	Via      Via
	// Question is the question's id, also when Ask fails while it waits; Allowance is set for ViaAllowance.
	Question  string
	Allowance string
}

// Approved reports whether the call may go on.
func (o Outcome) Approved() bool { return o.Decision.Approves() }
