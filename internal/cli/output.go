package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/astrid-go/astrid/api"
)

// print writes a result to stdout: value as JSON with -o json, else what text
// writes.
func (a *App) print(value any, text func(io.Writer) error) error {
	if a.output == "json" {
		e := json.NewEncoder(a.Stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(value)
	}
	return text(a.Stdout)
}

// table writes rows in columns. Cells are made safe for a terminal.
func table(w io.Writer, head []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = printable(cell)
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// printable shows control and invisible characters instead of sending them to
// a terminal: texts come from capsules, and those are hostile.
func printable(s string) string { return escape(s, false) }

// printableText is [printable] for texts of several lines.
func printableText(s string) string { return escape(s, true) }

func escape(s string, lines bool) string {
	keep := func(r rune) bool {
		return unicode.IsPrint(r) && !unicode.Is(unicode.Cf, r) || lines && (r == '\n' || r == '\t')
	}
	if strings.IndexFunc(s, func(r rune) bool { return !keep(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if keep(r) {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, "\\u{%x}", r)
	}
	return b.String()
}

// problem is an error in JSON. The fields are stable.
type problem struct {
	Error  string `json:"error"`
	Code   string `json:"code"`
	Exit   int    `json:"exit"`
	Rule   string `json:"rule,omitempty"`
	Hint   string `json:"hint,omitempty"`
	Denial string `json:"denial,omitempty"`
}

func (a *App) reportError(err error, code int) {
	p := problem{Error: err.Error(), Code: className(code), Exit: code}
	var wire *api.Error
	if errors.As(err, &wire) {
		p.Code, p.Rule, p.Hint, p.Denial = string(wire.Code), wire.Rule, wire.Hint, wire.DenialID
	}
	if a.output == "json" {
		json.NewEncoder(a.Stderr).Encode(p)
		return
	}
	text := printable(p.Error)
	if wire == nil {
		text = printableText(p.Error) // our own words, which may be several lines of the daemon's log
	}
	fmt.Fprintln(a.Stderr, "astrid:", text)
	for _, line := range [][2]string{{"rule", p.Rule}, {"hint", p.Hint}} {
		if line[1] != "" {
			fmt.Fprintf(a.Stderr, "  %s: %s\n", line[0], printable(line[1]))
		}
	}
	if p.Denial != "" {
		fmt.Fprintf(a.Stderr, "  more: astrid why %s\n", printable(p.Denial))
	}
}

func className(code int) string {
	names := map[int]string{
		ExitUsage: "usage", ExitDenied: "denied", ExitNotFound: "not_found",
		ExitUnavailable: "unavailable", ExitTimeout: "timeout",
	}
	if name, ok := names[code]; ok {
		return name
	}
	return "error"
}
