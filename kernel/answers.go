package kernel

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/approval"
	"github.com/astrid-go/astrid/audit"
	"github.com/astrid-go/astrid/gate"
	"github.com/astrid-go/astrid/principal"
)

// maxAuditRecords bounds one answer of TailAudit.
const maxAuditRecords = 1000

func getStatus(_ context.Context, k *Kernel, _ principal.ID, _ api.Empty) (api.Status, error) {
	s := api.Status{
		PID: os.Getpid(), UptimeSecs: uint64(k.now().Sub(k.booted).Seconds()), Version: k.cfg.Version,
		Ephemeral: k.Ephemeral(), ConnectedClients: k.TotalConnectionCount(), LoadedCapsules: []string{},
		Home: k.home.Name(), Workspace: k.cfg.WorkspaceRoot, AuditKey: principal.FormatPublicKey(k.AuditKey()),
	}
	for id, n := range k.ConnectionsByPrincipal() {
		s.ConnectionsByPrincipal = append(s.ConnectionsByPrincipal, api.PrincipalConnections{Principal: id.String(), Count: n})
	}
	s.Ready, s.Capsules = k.ready.Load(), k.capsuleStates()
	for _, c := range s.Capsules {
		if c.State == "ready" {
			s.LoadedCapsules = append(s.LoadedCapsules, c.Name)
		}
	}
	return s, nil
}

func shutdown(_ context.Context, k *Kernel, _ principal.ID, p api.ShutdownParams) (any, error) {
	reason := "asked for"
	if p.Reason != "" {
		reason = p.Reason
	}
	k.finish(reason)
	return map[string]string{"status": "shutting_down"}, nil
}

func listCapsules(_ context.Context, k *Kernel, _ principal.ID, _ api.Empty) ([]string, error) {
	ids := []string{}
	for _, c := range k.capsuleStates() {
		ids = append(ids, c.Name)
	}
	return ids, nil
}

// tailAudit shows a principal its own records.
func tailAudit(_ context.Context, k *Kernel, by principal.ID, q api.AuditQuery) (api.AuditRecords, error) {
	if q.Limit < 0 || q.Limit > maxAuditRecords {
		return api.AuditRecords{}, &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("limit %d: at most %d", q.Limit, maxAuditRecords)}
	}
	if q.Limit == 0 {
		q.Limit = 20
	}
	records, err := k.audit.Tail(q.Limit, func(r audit.Record) bool {
		return r.Principal == by.String() && (q.Kind == "" || r.Kind == q.Kind) && (q.Call == "" || ofCall(r, q.Call))
	})
	if err != nil {
		return api.AuditRecords{}, err
	}
	out := api.AuditRecords{Records: make([]api.AuditRecord, len(records))}
	for i, r := range records {
		out.Records[i] = api.AuditRecord{
			Seq: r.Seq, Time: r.Time, Principal: r.Principal, Kind: r.Kind,
			Body: json.RawMessage(r.Body), Hash: hex.EncodeToString(r.Hash[:]),
		}
	}
	return out, nil
}

// ofCall reports whether a record of the gate belongs to a call.
func ofCall(r audit.Record, call string) bool {
	var body struct {
		Call string `json:"call"`
	}
	if json.Unmarshal(r.Body, &body) != nil {
		return false
	}
	return body.Call == call
}

func verifyAudit(ctx context.Context, k *Kernel, _ principal.ID, _ api.Empty) (api.AuditReport, error) {
	report, err := k.verify(ctx)
	if err != nil {
		return api.AuditReport{}, err
	}
	out := api.AuditReport{
		Intact: len(report.Problems) == 0, Records: report.Records, Checkpoint: string(report.Checkpoint.Note),
	}
	for _, p := range report.Problems {
		out.Problems = append(out.Problems, api.AuditProblem{Seq: p.Seq, File: p.File, Offset: p.Offset, Reason: p.Reason})
	}
	return out, nil
}

// verify reads the log while others append to it. What is being written shows as
// a problem that is somewhere else a moment later; what was tampered with stays
// where it is. So a problem counts if every look finds it.
func (k *Kernel) verify(ctx context.Context) (report audit.Report, err error) {
	var problems []audit.Problem
	for look := range verifyLooks {
		if report, err = audit.VerifyContext(ctx, k.path("var", "audit"), k.AuditKey()); err != nil {
			return report, err
		}
		if look == 0 {
			problems = report.Problems
		}
		problems = slices.DeleteFunc(slices.Clone(problems), func(p audit.Problem) bool {
			return !slices.Contains(report.Problems, p)
		})
		if len(problems) == 0 {
			break
		}
	}
	report.Problems = problems
	return report, nil
}

// verifyLooks is how often a problem has to be found.
const verifyLooks = 4

func explain(_ context.Context, k *Kernel, by principal.ID, q api.ExplainQuery) (api.Explanation, error) {
	if q.ID != "" {
		e, err := k.gate.Explain(by, q.ID)
		if err != nil {
			return api.Explanation{}, err
		}
		return api.Explanation{Denials: []api.Denial{denial(e)}}, nil
	}
	if q.Call == "" {
		return api.Explanation{}, &api.Error{Code: api.CodeInvalid, Message: "explain: want an id or a call"}
	}
	records, err := k.audit.Tail(maxAuditRecords, func(r audit.Record) bool {
		return r.Principal == by.String() && r.Kind == gate.KindDecision && ofCall(r, q.Call)
	})
	if err != nil {
		return api.Explanation{}, err
	}
	out := api.Explanation{Denials: []api.Denial{}}
	for _, r := range records {
		e, err := k.gate.Explain(by, gate.DenialID(r.Ref))
		if err != nil {
			return api.Explanation{}, err
		}
		if !e.Allowed {
			out.Denials = append(out.Denials, denial(e))
		}
	}
	return out, nil
}

func denial(e gate.Explanation) api.Denial {
	return api.Denial{
		ID: e.ID, Time: e.Time, Code: string(e.Code), Capsule: e.Capsule, Call: e.Call,
		Action: e.Action, Resource: e.Resource, Rule: e.Rule, Unlock: e.Unlock,
	}
}

func listApprovals(ctx context.Context, k *Kernel, by principal.ID, _ api.Empty) (api.ApprovalList, error) {
	items, err := k.approvals.List(ctx, by, false)
	if err != nil {
		return api.ApprovalList{}, err
	}
	out := api.ApprovalList{Approvals: []api.Approval{}}
	for _, i := range items {
		out.Approvals = append(out.Approvals, api.Approval{
			ID: i.ID, Capsule: i.Capsule, Call: i.Call, Action: i.Action, Resource: i.Resource,
			Reason: i.Reason, Asked: i.AskedAt, Expires: i.ExpiresAt,
		})
	}
	return out, nil
}

func answerApproval(ctx context.Context, k *Kernel, by principal.ID, a api.ApprovalAnswer) (api.Empty, error) {
	decision, err := approval.ParseDecision(a.Decision)
	if err != nil {
		return api.Empty{}, err
	}
	_, err = k.approvals.Answer(ctx, by, a.ID, approval.Answer{Decision: decision, Reason: a.Reason})
	return api.Empty{}, err
}
