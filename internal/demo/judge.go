package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/audit"
)

func (r *run) approve(ctx context.Context) (string, error) {
	var shown strings.Builder
	for _, round := range []struct {
		decision string
		asked    bool
	}{
		{"approve", true},
		{"approve_session", true}, // once covered one call alone
		{"", false},               // the session covers this one
	} {
		asked, err := r.deploy(ctx, round.decision)
		if err != nil {
			return shown.String(), err
		}
		if asked != round.asked {
			return shown.String(), fmt.Errorf("asked = %v, want %v", asked, round.asked)
		}
		if asked {
			fmt.Fprintf(&shown, "deploy staging: asked, answered %s, done\n", round.decision)
		} else {
			fmt.Fprintf(&shown, "deploy staging: covered by the session, done\n")
		}
	}
	return shown.String(), nil
}

// deploy calls the tool that asks, and answers over a connection of its own as
// a person with a second terminal would. It reports whether a question came.
func (r *run) deploy(ctx context.Context, decision string) (asked bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	done := make(chan error, 1)
	// The goroutine ends with the call, which ends with ctx; it is waited for below.
	go func() {
		_, err := r.call(ctx, "deploy", map[string]any{"target": "staging"})
		done <- err
	}()
	for {
		select {
		case err := <-done:
			return asked, err
		case <-time.After(2 * time.Millisecond):
		}
		if asked || decision == "" {
			continue
		}
		if asked, err = r.answer(ctx, decision); err != nil {
			cancel()
			return false, errors.Join(err, <-done)
		}
	}
}

// answer answers the open question, if there is one.
func (r *run) answer(ctx context.Context, decision string) (bool, error) {
	var open api.ApprovalList
	if err := r.client.Request(ctx, api.MethodListApprovals, nil, &open); err != nil || len(open.Approvals) == 0 {
		return false, err
	}
	q := open.Approvals[0]
	if q.Action != "deploy" || q.Resource != "staging" {
		return false, fmt.Errorf("the question is to %s %s", q.Action, q.Resource)
	}
	err := r.client.Request(ctx, api.MethodAnswerApproval, api.ApprovalAnswer{ID: q.ID, Decision: decision}, nil)
	return err == nil, err
}

func (r *run) decide(ctx context.Context) (string, error) {
	var committed api.Committed
	if err := r.client.Request(ctx, api.MethodCommitChanges, api.Paths{Paths: []string{"src/price.txt"}}, &committed); err != nil {
		return "", err
	}
	var dropped api.RolledBack
	if err := r.client.Request(ctx, api.MethodRollbackChanges, api.Paths{}, &dropped); err != nil {
		return "", err
	}
	shown := fmt.Sprintf("committed   %s\nrolled back %s\n",
		strings.Join(committed.Paths, " "), strings.Join(dropped.Paths, " "))
	var left api.ChangeSet
	if err := r.client.Request(ctx, api.MethodListChanges, nil, &left); err != nil {
		return shown, err
	}
	if len(left.Changes) > 0 {
		return shown, fmt.Errorf("%d changes are left", len(left.Changes))
	}
	if _, err := os.Stat(filepath.Join(r.workspace, "deploy")); err == nil {
		return shown, errors.New("the real workspace has the rolled back deploy")
	}
	return shown, r.workspaceIs(map[string]bool{"quince  = 60": true, "Sell more": false, "plan of last year": true})
}

func (r *run) verify(ctx context.Context) (string, error) {
	var report api.AuditReport
	if err := r.client.Request(ctx, api.MethodVerifyAudit, nil, &report); err != nil {
		return "", err
	}
	shown := fmt.Sprintf("%d records, intact\n%s", report.Records, report.Checkpoint)
	if !report.Intact || report.Records == 0 {
		return shown, fmt.Errorf("the log does not verify: %+v", report.Problems)
	}
	tampered, err := r.tamper(ctx)
	if err != nil {
		return shown, err
	}
	if len(tampered.Problems) == 0 {
		return shown, errors.New("the copy with a flipped byte verifies")
	}
	p := tampered.Problems[0]
	return shown + fmt.Sprintf("one byte flipped in a copy: record %d, %s at byte %d: %s\n", p.Seq, p.File, p.Offset, p.Reason), nil
}

// tamper flips one bit in the middle of a copy of the log and verifies the copy.
func (r *run) tamper(ctx context.Context) (audit.Report, error) {
	copied := filepath.Join(r.dir, "audit-copy")
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(r.home, "var", "audit"))); err != nil {
		return audit.Report{}, err
	}
	segments, err := filepath.Glob(filepath.Join(copied, audit.SegmentPattern))
	if err != nil || len(segments) == 0 {
		return audit.Report{}, fmt.Errorf("no segment in the copy: %w", err)
	}
	b, err := os.ReadFile(segments[0])
	if err != nil {
		return audit.Report{}, err
	}
	b[len(b)/2] ^= 0x01
	if err := os.WriteFile(segments[0], b, 0o600); err != nil {
		return audit.Report{}, err
	}
	return audit.VerifyContext(ctx, copied, r.kernel.AuditKey())
}
