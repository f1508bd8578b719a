package capsule

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one fault of a manifest, at the place that a person has to look at.
type Problem struct {
	// Line and Column count from 1; 0 means the file as a whole.
	Line, Column int
	// Text says what is wrong and, where it is known, what would be right.
	Text string
}

// ManifestError lists every problem of a manifest, in the order of the file.
type ManifestError struct {
	File     string
	Problems []Problem
}

// maxShownProblems keeps the text readable; the first few tell what is wrong.
const maxShownProblems = 32

// Error renders one line a problem: file:line:column: text.
func (e *ManifestError) Error() string {
	var lines []string
	for _, p := range e.Problems[:min(len(e.Problems), maxShownProblems)] {
		if p.Line == 0 {
			lines = append(lines, e.File+": "+p.Text)
			continue
		}
		lines = append(lines, fmt.Sprintf("%s:%d:%d: %s", e.File, p.Line, p.Column, p.Text))
	}
	if more := len(e.Problems) - maxShownProblems; more > 0 {
		lines = append(lines, fmt.Sprintf("%s: and %d more problems", e.File, more))
	}
	return strings.Join(lines, "\n")
}

// maxProblems bounds what one manifest may cost; it is far more than is shown.
const maxProblems = 1000

// problems collects the faults of one file.
type problems struct{ list []Problem }

func (p *problems) add(at place, format string, args ...any) {
	if len(p.list) < maxProblems {
		p.list = append(p.list, Problem{Line: at.line, Column: at.column, Text: fmt.Sprintf(format, args...)})
	}
}

// err returns what was collected, nil if nothing was.
func (p *problems) err(file string) error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return &ManifestError{File: file, Problems: p.list}
}

// clip bounds what a message repeats of the file.
func clip(s string) string {
	const shown = 64
	if len(s) <= shown {
		return s
	}
	return strings.ToValidUTF8(s[:shown], "") + "…"
}
