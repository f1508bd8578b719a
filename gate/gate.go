package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/astrid-go/astrid/approval"
	"github.com/astrid-go/astrid/audit"
	"github.com/astrid-go/astrid/capability"
	"github.com/astrid-go/astrid/principal"
)

// maxIDText bounds capsule names and call ids in requests and records, in bytes.
const maxIDText = 256

// Directory knows the principals; *principal.Directory is one.
type Directory interface {
	// Lookup returns the profile as it is now, or an error on which the gate denies.
	Lookup(principal.ID) (principal.Profile, error)
	// Groups returns the groups as they are now, or an error on which the gate denies.
	Groups() (principal.Groups, error)
}

// Asker asks a person; *approval.Inbox is one.
type Asker interface {
	// Ask returns the outcome, or an error when there is none yet.
	Ask(context.Context, approval.Question) (approval.Outcome, error)
}

// Config holds what a Gate works with. All but Now are required.
type Config struct {
	Directory Directory
	Asker     Asker
	Log       Log
	// Now is the clock of records; nil means time.Now.
	Now func() time.Time
}

// Gate decides. It is safe for concurrent use and starts no goroutine.
type Gate struct {
	config              Config
	accessAny, readLogs capability.Name
	table               atomic.Pointer[table]

	mu sync.Mutex // serialises writers of table
}

// New returns a gate that knows no capsule yet.
func New(config Config) (*Gate, error) {
	if config.Directory == nil || config.Asker == nil || config.Log == nil {
		return nil, errors.New("make gate: a directory, an asker and a log are required")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	g := &Gate{config: config}
	g.table.Store(&table{grants: make(map[loaded]manifest), newest: make(map[string]uint64)})
	var err error
	if g.accessAny, err = capability.ParseName("capsule:access:any"); err != nil {
		return nil, fmt.Errorf("make gate: %w", err)
	}
	if g.readLogs, err = capability.ParseName("audit:read_all"); err != nil {
		return nil, fmt.Errorf("make gate: %w", err)
	}
	return g, nil
}

// Request is one wish for an effect. The zero value is denied.
type Request struct {
	// Principal acts. For a capsule's request, Capsule and Generation say what acts for it; Generation 0 means the
	// newest loaded. Capsule is empty for management.
	Principal  principal.ID
	Capsule    string
	Generation uint64
	// Call is the id of this one call; "once" approvals are bound to it. Required when a grant asks.
	Call string
	// Action is one of the action table's, Resource what it is done to: canonical for granted actions.
	Action, Resource string
	// Capability is what a management action needs, for the principal's own things or for everyone's.
	Capability capability.Name
	// Args are the call's arguments. Their hash and size are recorded, they are not.
	Args []byte
	// Reason is shown to a person who is asked.
	Reason string
}

// check refuses a request that is malformed for its class and returns the resource of a granted action.
func (r Request) check(class Class) (capability.Resource, error) {
	if len(r.Capsule) > maxIDText || len(r.Call) > maxIDText || len(r.Resource) > capability.MaxResourceBytes {
		return capability.Resource{}, fmt.Errorf("capsule or call over %d bytes, or resource over %d",
			maxIDText, capability.MaxResourceBytes)
	}
	if class.kind == byCapability {
		if r.Capsule != "" || r.Capability.IsZero() {
			return capability.Resource{}, errors.New("a management action needs a capability and no capsule")
		}
		return capability.Resource{}, nil
	}
	if r.Capsule == "" || !r.Capability.IsZero() {
		return capability.Resource{}, errors.New("a capsule's action needs a capsule and no capability")
	}
	if class.kind == byAccess {
		return capability.Resource{}, nil
	}
	return capability.ParseResource(r.Resource)
}

// Check decides a request, asks a person if the grant says so, and records the decision. It returns a permit, or a
// *Denied. When it returns a permit the record is as durable as the action's class demands.
func (g *Gate) Check(ctx context.Context, r Request) (Permit, error) {
	v := g.decide(r)
	digest := hashArgs(r.Args)
	var outcome approval.Outcome
	if v.allow && v.ask {
		v, outcome = g.askPerson(ctx, r, v, digest)
	}
	body := decisionBody(r, v, digest)
	body.Question, body.Via = outcome.Question, string(outcome.Via)
	return g.conclude(ctx, r, v, body)
}

// Approve asks a person on behalf of a capsule about something the capsule names itself, in free text. It grants
// nothing: what the capsule does afterwards is checked like everything else. The request and the outcome are recorded.
// The error is a *Denied for every outcome that is not an approval.
func (g *Gate) Approve(ctx context.Context, r Request) (approval.Outcome, error) {
	access := r
	access.Action = actionApprove
	v := g.decide(access)
	if r.Action == "" || utf8.RuneCountInString(r.Action) > approval.MaxActionChars {
		v = verdict{class: v.class, code: CodeInvalidRequest,
			rule: fmt.Sprintf("an approval names an action in 1 to %d characters", approval.MaxActionChars)}
	}
	digest := hashArgs(r.Args)
	var outcome approval.Outcome
	if v.allow {
		v, outcome = g.askPerson(ctx, r, v, digest)
	}
	body := decisionBody(r, v, digest)
	body.Question, body.Via = outcome.Question, string(outcome.Via)
	_, err := g.conclude(ctx, r, v, body)
	return outcome, err
}

// askPerson records that a question is put, puts it, and folds the outcome into the verdict. An approval makes the
// decision durable, whatever the action's own class: a person's word must not be lost.
func (g *Gate) askPerson(ctx context.Context, r Request, v verdict, digest argsDigest) (verdict, approval.Outcome) {
	granted := v.rule
	v.class.Synced = true
	body := decisionBody(r, v, digest)
	body.Decision = decisionAsk
	if _, err := g.append(ctx, KindAsk, r.Principal, body, audit.Written); err != nil {
		return verdict{class: v.class, code: CodeNotRecorded, rule: "the question cannot be recorded", cause: err}, approval.Outcome{}
	}
	outcome, err := g.config.Asker.Ask(ctx, approval.Question{Principal: r.Principal, Capsule: r.Capsule, Call: r.Call,
		Action: r.Action, Resource: r.Resource, Reason: r.Reason, ArgsHash: digest.hash})
	if err != nil {
		return unanswered(v.class, granted, outcome, err), outcome
	}
	if !outcome.Approved() {
		return verdict{class: v.class, code: CodeRefusedByPerson, rule: refusal(granted, outcome),
			unlock: "ask with another request, or leave it"}, outcome
	}
	v.ask = false
	v.rule = fmt.Sprintf("%s; %s by %s of question %s", granted, outcome.Decision, outcome.Via, outcome.Question)
	return v, outcome
}

func refusal(granted string, outcome approval.Outcome) string {
	text := granted + "; a person said no to question " + outcome.Question
	if outcome.Reason != "" {
		text += ": " + outcome.Reason
	}
	return text
}

// unanswered is the denial for a question without an answer. None of these is a person's no, and the code says so.
func unanswered(class Class, granted string, outcome approval.Outcome, err error) verdict {
	v := verdict{class: class, cause: err, code: CodeApprovalFailed, rule: granted + "; asking failed"}
	switch {
	case errors.Is(err, approval.ErrExpired):
		v.code, v.rule = CodeApprovalExpired, granted+"; nobody answered question "+outcome.Question+" in time"
		v.unlock = "make the same call again to ask again"
	case errors.Is(err, approval.ErrTooMany):
		v.code, v.rule = CodeApprovalExhausted, granted+"; too many questions are open"
		v.unlock = "answer open questions: astrid approval list"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		v.code, v.rule = CodeApprovalPending, granted+"; question "+outcome.Question+" is not answered yet"
		v.unlock = "answer it (astrid approval answer " + outcome.Question + ") and make the same call again"
	case errors.Is(err, approval.ErrInvalid):
		v.code, v.rule = CodeInvalidRequest, granted+"; "+err.Error()
	}
	return v
}
