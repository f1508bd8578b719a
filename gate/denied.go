package gate

import "fmt"

// Code is the machine-readable kind of a denial.
type Code string

// The codes. Clients branch on them; new ones may be added.
const (
	CodeUnknownAction     Code = "unknown_action"
	CodeInvalidRequest    Code = "invalid_request"
	CodeUnknownPrincipal  Code = "unknown_principal"
	CodePrincipalError    Code = "principal_unreadable"
	CodeDisabled          Code = "principal_disabled"
	CodeRevoked           Code = "capability_revoked"
	CodeMissing           Code = "missing_capability"
	CodeCapsuleAccess     Code = "capsule_not_allowed"
	CodeCapsuleNotLoaded  Code = "capsule_not_loaded"
	CodeNotGranted        Code = "not_granted"
	CodeNarrowed          Code = "narrowed_by_profile"
	CodeRefusedByPerson   Code = "refused_by_person"
	CodeApprovalPending   Code = "approval_pending"
	CodeApprovalExpired   Code = "approval_expired"
	CodeApprovalExhausted Code = "too_many_approvals"
	CodeApprovalFailed    Code = "approval_failed"
	CodeNotRecorded       Code = "not_recorded"
	// CodeBoundary: the resource lies outside the scope that its scheme names, whatever was granted.
	CodeBoundary Code = "boundary_escape"
)

// Denied is the error of every refused request.
type Denied struct {
	// ID names the record of this denial for Explain; it is empty only when the record could not be written.
	ID string
	// Code is for machines, Rule names the file and entry that decided, Unlock says what would allow the request.
	Code             Code
	Action, Resource string
	Rule, Unlock     string
	// Question is the open or answered question, when a person was to decide.
	Question string
	cause    error
}

// Error says what was denied, by which rule, and how to ask why.
func (d *Denied) Error() string {
	text := fmt.Sprintf("denied %s %s: %s", d.Action, d.Resource, d.Rule)
	if d.Unlock != "" {
		text += "; " + d.Unlock
	}
	if d.ID != "" {
		text += " (id " + d.ID + ")"
	}
	return text
}

// Unwrap returns the fault behind a denial that no rule demanded, like a log that cannot be written or a context that
// ended, and nil for a denial by rule.
func (d *Denied) Unwrap() error { return d.cause }
