package host

import (
	"context"
	"errors"

	"github.com/astrid-go/astrid/approval"
	"github.com/astrid-go/astrid/gate"
	"github.com/astrid-go/astrid/wasm/canon"
)

type approvalCase uint8

// WITCases names the cases of astrid:approval's error-code.
func (approvalCase) WITCases() []string {
	return []string{"invalid-input", "timeout", "store-unavailable", "unknown"}
}

type approvalError struct {
	Case approvalCase `wit:",case"`
	Text string       `wit:"unknown"`
}

func newApprovalError(err error) approvalError {
	c, text := caseOf[approvalCase](err, approvalCode)
	return approvalError{c, text}
}

func approvalCode(err error) string {
	var refused *gate.Denied
	if errors.As(err, &refused) {
		switch refused.Code {
		case gate.CodeInvalidRequest:
			return "invalid-input"
		case gate.CodeApprovalExpired:
			return "timeout"
		case gate.CodeApprovalFailed, gate.CodeNotRecorded:
			return "store-unavailable"
		}
	}
	switch {
	case errors.Is(err, approval.ErrInvalid):
		return "invalid-input"
	case errors.Is(err, approval.ErrExpired), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return ""
}

type approvalRequest struct {
	Action         string
	TargetResource string
}

type approvalDecision uint8

// WITCases names the cases of astrid:approval's approval-decision.
func (approvalDecision) WITCases() []string {
	return []string{"denied", "approved", "approved-session", "approved-always", "allowance"}
}

// The decisions, in the order of the WIT.
const (
	decisionDenied approvalDecision = iota
	decisionApproved
	decisionSession
	decisionAlways
	decisionAllowance
)

type approvalResponse struct{ Decision approvalDecision }

func approvalInterface() canon.Interface {
	return canon.Interface{Name: "astrid:approval/host@1.0.0", Funcs: []canon.HostFunc{
		canon.Func1("request-approval", requestApproval),
	}}
}

// requestApproval puts a question of the capsule's to the principal. A yes
// grants nothing by itself: what the capsule does next is checked like
// everything else.
func requestApproval(ctx context.Context, r approvalRequest) canon.Result[approvalResponse, approvalError] {
	i := of(ctx)
	q := i.request(r.Action, r.TargetResource)
	outcome, err := i.Gate.Approve(ctx, q)
	var refused *gate.Denied
	if errors.As(err, &refused) && refused.Code == gate.CodeRefusedByPerson {
		return result(approvalResponse{decisionDenied}, nil, newApprovalError)
	}
	if err != nil {
		// The code of this interface has no capability-denied: what is no
		// person's no is told by its cause.
		return result(approvalResponse{}, WithCode(approvalCode(err), err), newApprovalError)
	}
	return result(approvalResponse{decisionOf(outcome)}, nil, newApprovalError)
}

func decisionOf(o approval.Outcome) approvalDecision {
	switch {
	case !o.Approved():
		return decisionDenied
	case o.Via == approval.ViaAllowance:
		return decisionAllowance
	case o.Decision == approval.ApproveSession:
		return decisionSession
	case o.Decision == approval.ApproveAlways:
		return decisionAlways
	}
	return decisionApproved
}
