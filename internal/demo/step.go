package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// step is one entry of the transcript. run returns what to print below the
// title, and an error when something did not behave.
type step struct {
	title string
	run   func(context.Context) (string, error)
}

// transcript prints steps as they are done.
type transcript struct {
	out   io.Writer
	n     int
	began time.Time
}

func (t *transcript) do(ctx context.Context, s step) error {
	t.n++
	began := time.Now()
	shown, err := s.run(ctx)
	took := time.Since(began)
	mark := "ok"
	if err != nil {
		mark = "FAILED"
	}
	fmt.Fprintf(t.out, "\n%d. %-58s %6.1f ms  %s\n", t.n, s.title, float64(took.Microseconds())/1000, mark)
	for line := range strings.Lines(shown) {
		fmt.Fprintf(t.out, "     %s\n", strings.TrimRight(line, "\n"))
	}
	if err != nil {
		return fmt.Errorf("step %d, %s: %w", t.n, s.title, err)
	}
	return nil
}
