package overlay

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"github.com/astrid-go/astrid/vfs"
)

// maxDiffBytes bounds a file that is compared line by line; larger ones are
// summarised like binary ones.
const maxDiffBytes = 1 << 20

// FileDiff is how one file changed.
type FileDiff struct {
	Binary         bool
	Added, Removed int // lines, of text files
	// Text is a unified diff, or one line for what is not text.
	Text string
}

// Diff compares the content of one change.
func (o *Overlay) Diff(ctx context.Context, c Change) (FileDiff, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if err := o.check("compare", c.Path); err != nil {
		return FileDiff{}, err
	}
	if err := ctx.Err(); err != nil {
		return FileDiff{}, err
	}
	if c.Kind != Added && !plain(c.Old) || c.Kind != Deleted && !plain(c.New) {
		return FileDiff{Binary: true, Text: summary(c)}, nil
	}
	var before, after []byte
	var err error
	if c.Kind != Added {
		before, err = o.lower.ReadFile(c.Path)
	}
	if c.Kind != Deleted && err == nil {
		after, err = o.upper.ReadFile(c.Path)
	}
	if err != nil {
		return FileDiff{}, err
	}
	if !isText(before) || !isText(after) {
		return FileDiff{Binary: true, Text: summary(c)}, nil
	}
	return unified(c, string(before), string(after)), nil
}

// plain reports whether a side is a file that can be compared line by line.
func plain(i vfs.Info) bool { return i.Mode.IsRegular() && i.Size <= maxDiffBytes }

func isText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

func unified(c Change, before, after string) FileDiff {
	from, to := "a/"+c.Path.Display(), "b/"+c.Path.Display()
	switch c.Kind {
	case Added:
		from = "/dev/null"
	case Deleted:
		to = "/dev/null"
	}
	d := FileDiff{Text: udiff.Unified(from, to, before, after)}
	header := 2
	for line := range strings.Lines(d.Text) {
		switch {
		case header > 0:
			header--
		case line[0] == '+':
			d.Added++
		case line[0] == '-':
			d.Removed++
		}
	}
	if d.Text == "" {
		d.Text = summary(c)
	} else if c.Kind == Modified && c.Old.Mode != c.New.Mode {
		d.Text = fmt.Sprintf("mode %s to %s of %s\n", c.Old.Mode, c.New.Mode, c.Path.Display()) + d.Text
	}
	return d
}

// summary tells a change in one line.
func summary(c Change) string {
	switch {
	case c.Old.IsDir() || c.New.IsDir():
		return fmt.Sprintf("%s directory %s\n", c.Kind, c.Path.Display())
	case c.Kind == Added:
		return fmt.Sprintf("added %s, %s, %d bytes\n", c.Path.Display(), c.New.Mode, c.New.Size)
	case c.Kind == Deleted:
		return fmt.Sprintf("deleted %s, %s, %d bytes\n", c.Path.Display(), c.Old.Mode, c.Old.Size)
	case c.Old.Mode != c.New.Mode && c.Old.Size == c.New.Size:
		return fmt.Sprintf("modified %s, mode %s to %s\n", c.Path.Display(), c.Old.Mode, c.New.Mode)
	}
	return fmt.Sprintf("modified %s, %s %d bytes to %s %d bytes\n", c.Path.Display(), c.Old.Mode, c.Old.Size, c.New.Mode, c.New.Size)
}
