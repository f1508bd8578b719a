package gate

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/astrid-go/astrid/audit"
	"github.com/astrid-go/astrid/principal"
)

// ErrNoPermit is returned by Done on a permit that the gate did not make.
var ErrNoPermit = errors.New("no permit")

// Limits of outcome records.
const (
	// MaxDetails bounds the details of one outcome.
	MaxDetails = 16
	// maxDetailText bounds each name and value, in bytes.
	maxDetailText = 128
)

// Permit is the gate's leave for one effect; effects demand one. Only the gate makes a valid permit: the zero value
// covers nothing. Copies of a permit are the same permit.
type Permit struct {
	gate      *Gate
	principal principal.ID
	action    string
	resource  string
	outcome   *pendingOutcome // nil when the class demands none
}

// pendingOutcome is what Done needs for a class that demands an outcome record.
type pendingOutcome struct {
	body       body
	durability audit.Durability
	done       atomic.Bool
}

// Detail is one fact about an effect for its outcome record: a count, a hash, a status. Never contents.
type Detail struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// permit makes the permit for a recorded decision.
func (g *Gate) permit(r Request, class Class, b body, intent audit.Ref) Permit {
	p := Permit{gate: g, principal: r.Principal, action: r.Action, resource: r.Resource}
	if !class.Outcome {
		return p
	}
	p.outcome = &pendingOutcome{durability: class.durability(), body: body{
		Version: bodyVersion, Principal: b.Principal, Capsule: b.Capsule, Call: b.Call, Action: b.Action,
		Resource: b.Resource, Intent: intent.Seq,
	}}
	return p
}

// Covers reports whether the permit is for this action of this principal on this resource.
func (p Permit) Covers(of principal.ID, action, resource string) bool {
	return p.gate != nil && p.principal == of && p.action == action && p.resource == resource
}

// Done records how the effect went, for the classes that demand it; for the others it does nothing. Call it once, with
// the effect's error; a second call does nothing. An error means that the outcome is not in the log, and the caller
// must not report success.
func (p Permit) Done(ctx context.Context, effect error, details ...Detail) error {
	if p.gate == nil {
		return ErrNoPermit
	}
	if p.outcome == nil || p.outcome.done.Swap(true) {
		return nil
	}
	b := p.outcome.body
	b.Result = result(effect)
	for _, d := range details[:min(len(details), MaxDetails)] {
		b.Details = append(b.Details, Detail{Name: text(d.Name, maxDetailText), Value: text(d.Value, maxDetailText)})
	}
	if _, err := p.gate.append(ctx, KindOutcome, p.principal, b, p.outcome.durability); err != nil {
		return fmt.Errorf("record outcome of %s: %w", p.action, err)
	}
	return nil
}

// result classes an effect's error. Its text stays out of the log: it may quote what the effect touched.
func result(effect error) string {
	switch {
	case effect == nil:
		return "ok"
	case errors.Is(effect, context.Canceled), errors.Is(effect, context.DeadlineExceeded):
		return "canceled"
	default:
		return "failed"
	}
}
