package wasi

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/astrid-go/astrid/wasm/canon"
)

// Env is what one guest is given. The zero value is usable: output is
// discarded, clocks and randomness are the system's.
type Env struct {
	// Stdout and Stderr get what the guest writes, from the goroutine that
	// calls it, in pieces which they must not keep.
	Stdout, Stderr io.Writer

	// Now is the wall clock; nil is the system's.
	Now func() time.Time

	// Sleep waits until d has passed or ctx is done; nil waits for the system's
	// clock. It must go with Now.
	Sleep func(ctx context.Context, d time.Duration)

	// Random is where random bytes come from; nil is the system's. An error is
	// one of the host.
	Random io.Reader
}

// Guest is the embedder's data of an instance that has an Env.
type Guest interface{ WASI() *Env }

// env returns the Env of the instance that calls.
func env(ctx context.Context) *Env {
	if cx := canon.FromContext(ctx); cx != nil {
		if g, ok := cx.Host.(Guest); ok {
			return g.WASI()
		}
	}
	return &Env{}
}

func (e *Env) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

func (e *Env) sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	if e.Sleep != nil {
		e.Sleep(ctx, d)
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done(): // what runs the guest will stop it
	}
}

// random fills b.
func (e *Env) random(b []byte) {
	src := e.Random
	if src == nil {
		src = rand.Reader
	}
	if _, err := io.ReadFull(src, b); err != nil {
		panic(fmt.Errorf("wasi:random: read random bytes: %w", err))
	}
}

// Exit is the error of a call in which the guest ended itself. To those who do
// not look for it, it is a trap.
type Exit struct{ Code uint8 }

// Error tells the code.
func (e *Exit) Error() string { return fmt.Sprintf("guest exited with code %d", e.Code) }

// Unwrap returns a *canon.Trap: a guest that exits is to blame for it.
func (e *Exit) Unwrap() error { return &canon.Trap{Reason: e.Error()} }
