package gate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/astrid-go/astrid/approval"
	"github.com/astrid-go/astrid/audit"
)

// asking is a world in which writing under ask/ needs a person.
func asking(t *testing.T) (*world, Request) {
	w, who := populated(t)
	g := grant(t, "fs.write", "cwd://ask/**", "Capsule.toml:15")
	g.Ask = true
	if err := w.Load("fs", 2, []Grant{g, grant(t, "fs.write", "cwd://ask/free/**", "Capsule.toml:16")}); err != nil {
		t.Fatal(err)
	}
	return w, Request{Principal: who("alice"), Capsule: "fs", Call: "c9", Action: "fs.write", Resource: "cwd://ask/a",
		Args: []byte("secret text"), Reason: "why"}
}

func TestAPersonDecidesWhenTheGrantSaysAsk(t *testing.T) {
	for _, tc := range []struct {
		rule    string
		outcome approval.Outcome
		err     error
		code    Code
		text    string
	}{
		{"yes", approval.Outcome{Decision: approval.Approve, Via: approval.ViaAnswer, Question: "q1"}, nil, "", ""},
		{"an allowance", approval.Outcome{Decision: approval.ApproveAlways, Via: approval.ViaAllowance, Question: "q1"}, nil, "", ""},
		{"no, with a reason", approval.Outcome{Decision: approval.Deny, Reason: "not now", Question: "q1"}, nil, CodeRefusedByPerson, "not now"},
		{"no decision is no yes", approval.Outcome{Question: "q1"}, nil, CodeRefusedByPerson, ""},
		{"an unknown decision is no yes", approval.Outcome{Decision: "maybe", Question: "q1"}, nil, CodeRefusedByPerson, ""},
		{"a yes beside an error is no yes", approval.Outcome{Decision: approval.Approve, Question: "q1"}, errors.New("x"), CodeApprovalFailed, ""},
		{"silence", approval.Outcome{Question: "q1"}, fmt.Errorf("w: %w", context.DeadlineExceeded), CodeApprovalPending, "astrid approval answer q1"},
		{"expiry is not a no", approval.Outcome{Question: "q1"}, approval.ErrExpired, CodeApprovalExpired, "in time"},
		{"too many questions", approval.Outcome{}, approval.ErrTooMany, CodeApprovalExhausted, ""},
		{"a malformed question", approval.Outcome{}, approval.ErrInvalid, CodeInvalidRequest, ""},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			w, r := asking(t)
			var asked approval.Question
			w.ask = func(q approval.Question) (approval.Outcome, error) { asked = q; return tc.outcome, tc.err }
			permit, err := w.Check(t.Context(), r)
			_, b, durability := w.log.last(t)
			if asked.Principal != r.Principal || asked.Capsule != "fs" || asked.Call != "c9" || asked.Resource != r.Resource || asked.ArgsHash == "" {
				t.Errorf("asked %+v", asked)
			}
			if b.Code != tc.code || b.Question != tc.outcome.Question || durability != audit.Synced || len(w.log.records) != 2 || w.log.records[0].Kind != KindAsk {
				t.Errorf("recorded %+v after %d records", b, len(w.log.records))
			}
			if tc.code == "" {
				if err != nil || !permit.Covers(r.Principal, r.Action, r.Resource) {
					t.Errorf("%+v, %v", permit, err)
				}
				return
			}
			if d := denied(t, err); d.Code != tc.code || !strings.Contains(d.Error(), tc.text) || d.Question != tc.outcome.Question || permit != (Permit{}) {
				t.Errorf("%+v", d)
			}
			if tc.err != nil && !errors.Is(err, tc.err) {
				t.Errorf("%v hides its cause", err)
			}
		})
	}
}

func TestAGrantWithoutAskIsPreferred(t *testing.T) {
	w, r := asking(t)
	r.Resource = "cwd://ask/free/a"
	if _, err := w.Check(t.Context(), r); err != nil {
		t.Error(err)
	}
}

func TestNobodyIsAskedWhatIsDeniedOrCannotBeRecorded(t *testing.T) {
	w, r := asking(t)
	denials := 0
	for _, change := range []func(*Request){
		func(r *Request) { r.Resource = "cwd://elsewhere" },
		func(r *Request) { r.Capsule = "other" },
		func(*Request) { w.log.fail = errors.New("disk full") },
	} {
		changed := r
		change(&changed)
		if _, err := w.Check(t.Context(), changed); denied(t, err) != nil {
			denials++
		}
	}
	if denials != 3 {
		t.Errorf("%d denials", denials)
	}
}

func TestApproveAsksInTheCapsulesWordsAndGrantsNothing(t *testing.T) {
	w, r := asking(t)
	r.Action, r.Resource = "run \x1b[2J", "rm -rf build"
	w.ask = func(q approval.Question) (approval.Outcome, error) {
		return approval.Outcome{Decision: approval.Approve, Via: approval.ViaAnswer, Question: "q"}, nil
	}
	outcome, err := w.Approve(t.Context(), r)
	_, b, durability := w.log.last(t)
	if err != nil || !outcome.Approved() || b.Action != `run \u{1b}[2J` || b.Decision != "allow" || b.Via != "answer" || durability != audit.Synced {
		t.Errorf("%+v, %v; record %+v", outcome, err, b)
	}
	if _, err := w.Check(t.Context(), r); denied(t, err).Code != CodeUnknownAction {
		t.Errorf("the approval granted something: %v", err)
	}
	w.ask = func(approval.Question) (approval.Outcome, error) {
		return approval.Outcome{Decision: approval.Deny}, nil
	}
	if outcome, err := w.Approve(t.Context(), r); outcome.Approved() || denied(t, err).Code != CodeRefusedByPerson {
		t.Errorf("%+v, %v", outcome, err)
	}
	w.ask = func(approval.Question) (approval.Outcome, error) { t.Error("asked"); return approval.Outcome{}, nil }
	for _, change := range []func(*Request){
		func(r *Request) { r.Action = "" },
		func(r *Request) { r.Action = strings.Repeat("a", 4096) },
		func(r *Request) { r.Capsule = "other" },
	} {
		changed := r
		change(&changed)
		if outcome, err := w.Approve(t.Context(), changed); outcome.Approved() || denied(t, err).ID == "" {
			t.Errorf("%+v, %v", outcome, err)
		}
	}
}
