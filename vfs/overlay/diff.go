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
	if !plain(c.Old) || !plain(c.New) {
		return FileDiff{Binary: true, Text: summary(c)}, nil
	}
	before, err := text(o.lower, c.Path, c.Old)
	if err != nil {
		return FileDiff{}, err
	}
	after, err := text(o.upper.Host, c.Path, c.New)
	if err != nil {
		return FileDiff{}, err
	}
	if !isText(before) || !isText(after) {
		return FileDiff{Binary: true, Text: summary(c)}, nil
	}
	return unified(c, string(before), string(after)), nil
}

// plain reports whether a side is a file that can be compared line by line, or
// nothing.
func plain(i vfs.Info) bool { return i.Mode == 0 || i.Mode.IsRegular() && i.Size <= maxDiffBytes }

func text(layer *vfs.Host, n vfs.Name, i vfs.Info) ([]byte, error) {
	if i.Mode == 0 {
		return nil, nil
	}
	return layer.ReadFile(n)
}

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
