package cli

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/astrid-go/astrid/api"
)

func (a *App) approval() *cobra.Command {
	return group("approval", "list and answer what capsules ask", a.approvalList(), a.approvalAnswer())
}

func (a *App) approvalList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list the questions that wait for an answer", Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var list api.ApprovalList
			if err := a.request(c.Context(), api.MethodListApprovals, nil, &list); err != nil {
				return err
			}
			return a.print(list, func(w io.Writer) error {
				rows := make([][]string, len(list.Approvals))
				for i, q := range list.Approvals {
					age := time.Since(q.Asked).Round(time.Second).String()
					rows[i] = []string{q.ID, q.Capsule, q.Action, q.Resource, age}
				}
				return table(w, []string{"ID", "CAPSULE", "ACTION", "RESOURCE", "ASKED BEFORE"}, rows)
			})
		},
	}
}

// decisions maps the words of the command line to those of the wire.
func decisions() map[string]string {
	return map[string]string{
		"once": "approve", "session": "approve_session", "always": "approve_always", "no": "deny",
	}
}

func (a *App) approvalAnswer() *cobra.Command {
	var reason string
	var wait time.Duration
	c := &cobra.Command{
		Use:   "answer ID|next once|session|always|no",
		Short: "answer a question",
		Long: `Answers a question of a capsule, by its id or "next" for the oldest open one.

  once      this call alone
  session   the same action on the same resource until you disconnect
  always    the same action on the same resource from now on
  no        refuse; --reason tells the agent why`,
		Args:      args(cobra.ExactArgs(2)),
		ValidArgs: []string{"next", "once", "session", "always", "no"},
		RunE: func(c *cobra.Command, given []string) error {
			decision, known := decisions()[given[1]]
			if !known {
				return usageError{fmt.Errorf("answer %q: want once, session, always or no", given[1])}
			}
			id := given[0]
			if id == "next" {
				q, err := a.nextQuestion(c.Context(), wait)
				if err != nil {
					return err
				}
				id = q.ID
				fmt.Fprintf(a.Stderr, "%s asks to %s %s\n", printable(q.Capsule), printable(q.Action), printable(q.Resource))
			}
			return a.answerQuestion(c.Context(), api.ApprovalAnswer{ID: id, Decision: decision, Reason: reason})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for the agent")
	c.Flags().DurationVar(&wait, "wait", 0, "with next, how long to wait for a question")
	return c
}

func (a *App) answerQuestion(ctx context.Context, answer api.ApprovalAnswer) error {
	if err := a.request(ctx, api.MethodAnswerApproval, answer, nil); err != nil {
		return err
	}
	return a.print(answer, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "answered %s: %s\n", printable(answer.ID), answer.Decision)
		return err
	})
}

// pollQuestions is how often nextQuestion looks: soon enough for a person.
const pollQuestions = 50 * time.Millisecond

// nextQuestion returns the oldest open question, waiting for one as long as it
// is told to.
func (a *App) nextQuestion(ctx context.Context, wait time.Duration) (api.Approval, error) {
	client, err := a.dial(ctx)
	if err != nil {
		return api.Approval{}, err
	}
	defer client.Close()
	for deadline := time.Now().Add(wait); ; {
		var list api.ApprovalList
		if err := client.Request(ctx, api.MethodListApprovals, nil, &list); err != nil {
			return api.Approval{}, err
		}
		if len(list.Approvals) > 0 {
			return list.Approvals[0], nil
		}
		if time.Now().After(deadline) {
			return api.Approval{}, fmt.Errorf("no question is open: %w", fs.ErrNotExist)
		}
		select {
		case <-ctx.Done():
			return api.Approval{}, ctx.Err()
		case <-time.After(pollQuestions):
		}
	}
}
