package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/astrid-go/astrid/api"
)

func (a *App) audit() *cobra.Command {
	return group("audit", "read and verify the audit log", a.auditTail(), a.auditVerify())
}

func (a *App) auditTail() *cobra.Command {
	var q api.AuditQuery
	c := &cobra.Command{
		Use: "tail", Short: "print the newest records", Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var got api.AuditRecords
			if err := a.request(c.Context(), api.MethodTailAudit, q, &got); err != nil {
				return err
			}
			return a.print(got, func(w io.Writer) error {
				rows := make([][]string, len(got.Records))
				for i, r := range got.Records {
					rows[i] = []string{
						fmt.Sprint(r.Seq), r.Time.Local().Format(time.TimeOnly), orDash(r.Principal), r.Kind, summary(r.Body),
					}
				}
				return table(w, []string{"SEQ", "TIME", "PRINCIPAL", "KIND", "RECORD"}, rows)
			})
		},
	}
	c.Flags().IntVarP(&q.Limit, "lines", "n", 20, "how many records, at most 1000")
	c.Flags().StringVar(&q.Call, "call", "", "only the records of this call")
	c.Flags().StringVar(&q.Kind, "kind", "", "only records of this kind")
	return c
}

// summary puts the fields of a record that people look for first on one line.
func summary(body any) string {
	fields, ok := body.(map[string]any)
	if !ok {
		return ""
	}
	var words []string
	for _, name := range []string{"decision", "capsule", "action", "resource", "rule"} {
		if s, ok := fields[name].(string); ok && s != "" {
			words = append(words, s)
		}
	}
	if len(words) > 0 {
		return strings.Join(words, "  ")
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return ""
	}
	return string(b)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (a *App) auditVerify() *cobra.Command {
	var dir, key string
	c := &cobra.Command{
		Use:   "verify",
		Short: "check that no record was changed, removed or reordered",
		Long: `Reads the whole audit log and checks every hash, the tree over all records and
the signatures of its checkpoints.

With --dir it checks a copy of the log without a daemon; --key is then the
public key that the log was signed with, as "astrid status" prints it.

Exit codes: 0 intact, 1 tampered, 2 could not check.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			report, err := a.verifyAudit(c, dir, key)
			if err != nil {
				a.reportError(err, exitCode(err))
				return exitError(2)
			}
			if err := a.print(report, func(w io.Writer) error { return showReport(w, report) }); err != nil {
				return err
			}
			if !report.Intact {
				return exitError(ExitError)
			}
			return nil
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "directory of a copy of the log")
	c.Flags().StringVar(&key, "key", "", "public key of the log, with --dir")
	return c
}
