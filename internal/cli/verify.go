package cli

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/audit"
)

// verifyAudit checks the log of the daemon, or the copy in dir.
func (a *App) verifyAudit(c *cobra.Command, dir, key string) (api.AuditReport, error) {
	if dir == "" {
		var report api.AuditReport
		err := a.request(c.Context(), api.MethodVerifyAudit, nil, &report)
		return report, err
	}
	public, err := parseKey(key)
	if err != nil {
		return api.AuditReport{}, err
	}
	found, err := audit.Verify(dir, public)
	if err != nil {
		return api.AuditReport{}, err
	}
	report := api.AuditReport{
		Intact: len(found.Problems) == 0, Records: found.Records, Checkpoint: string(found.Checkpoint.Note),
	}
	for _, p := range found.Problems {
		report.Problems = append(report.Problems, api.AuditProblem{
			Seq: p.Seq, File: p.File, Offset: p.Offset, Reason: p.Reason,
		})
	}
	return report, nil
}

// parseKey reads "ed25519:" and 64 hexadecimal digits.
func parseKey(s string) (ed25519.PublicKey, error) {
	digits, ok := strings.CutPrefix(s, "ed25519:")
	key, err := hex.DecodeString(digits)
	if !ok || err != nil || len(key) != ed25519.PublicKeySize {
		return nil, usageError{errors.New("--key: want ed25519: and 64 hexadecimal digits, as `astrid status` prints it")}
	}
	return key, nil
}

func showReport(w io.Writer, r api.AuditReport) error {
	verdict := "intact"
	if !r.Intact {
		verdict = "TAMPERED"
	}
	fmt.Fprintf(w, "%s: %d records\n", verdict, r.Records)
	for _, p := range r.Problems {
		fmt.Fprintf(w, "  record %d (%s at byte %d): %s\n", p.Seq, printable(p.File), p.Offset, printable(p.Reason))
	}
	_, err := fmt.Fprintf(w, "checkpoint:\n%s", indent(printableText(r.Checkpoint)))
	return err
}

func indent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString("  " + line)
	}
	return b.String()
}
