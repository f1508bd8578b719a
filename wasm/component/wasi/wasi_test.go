package wasi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/astrid-go/astrid/wasm/canon"
)

// guest is an embedder's data with an Env whose clock moves when it is slept on.
type guest struct {
	env Env
	now time.Time
}

func (g *guest) WASI() *Env { return &g.env }

func newGuest() (*guest, context.Context) {
	g := &guest{now: time.Unix(1000, 0)}
	g.env.Now = func() time.Time { return g.now }
	g.env.Sleep = func(_ context.Context, d time.Duration) { g.now = g.now.Add(d) }
	return g, canon.WithContext(context.Background(), canon.NewContext(g, nil, canon.Options{}))
}

func TestPollWaitsForTheFirst(t *testing.T) {
	g, ctx := newGuest()
	m := monotonic{g.now}
	list := []canon.Borrow[*pollable]{
		{Value: m.at(3_000_000_000).Value}, {Value: m.after(ctx, 2_000_000_000).Value}, {Value: m.at(2_000_000_000).Value},
	}
	if got := poll(ctx, list); !slices.Equal(got, []uint32{1, 2}) {
		t.Fatalf("ready are %v, want 1 and 2", got)
	}
	if got := m.now(ctx); got != 2_000_000_000 {
		t.Fatalf("the clock says %d", got)
	}
	list = append(list, canon.Borrow[*pollable]{Value: &pollable{}})
	if got := poll(ctx, list); !slices.Equal(got, []uint32{1, 2, 3}) {
		t.Fatalf("ready are %v, want 1, 2 and 3", got)
	}
}

func TestAnInstantBeyondTimeIsFarAway(t *testing.T) {
	g, ctx := newGuest()
	m := monotonic{g.now}
	if p := m.after(ctx, 1<<63).Value; p.wait(g.now) < 100*365*24*time.Hour {
		t.Fatalf("ready in %v", p.wait(g.now))
	}
}

// A guest that sleeps is not kept from ending with its call.
func TestSleepEndsWithTheCall(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	new(Env).sleep(ctx, 1000*time.Hour)
}

func TestOutput(t *testing.T) {
	g, ctx := newGuest()
	s := &outputStream{func(e *Env) io.Writer { return e.Stdout }}
	if r := s.write(ctx, []byte("nobody listens")); r.IsErr {
		t.Fatal("output without a writer is not discarded")
	}
	var out bytes.Buffer
	g.env.Stdout = &out
	if r := s.write(ctx, []byte("hello")); r.IsErr || out.String() != "hello" {
		t.Fatalf("%+v, wrote %q", r, out.String())
	}
	g.env.Stdout = failing{}
	if r := s.write(ctx, []byte("hello")); !r.IsErr || r.Err.Case != failed || r.Err.Failed.Value.text != "disk is full" {
		t.Fatalf("%+v, want the writer's error", r)
	}
	var trap *canon.Trap
	if err := panics(func() { s.write(ctx, make([]byte, maxWrite+1)) }); !errors.As(err, &trap) {
		t.Fatalf("a write that was not permitted: %v, want a trap", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

func panics(do func()) (err error) {
	defer func() { err, _ = recover().(error) }()
	do()
	return nil
}

func TestExitIsTheGuestsFault(t *testing.T) {
	var trap *canon.Trap
	if !errors.As(&Exit{3}, &trap) || !strings.Contains(trap.Reason, "code 3") {
		t.Fatalf("exit is %v", trap)
	}
}

func TestInterfacesAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, i := range Host().Interfaces {
		if !strings.HasPrefix(i.Name, "wasi:") || seen[i.Name] || len(i.Funcs) == 0 {
			t.Errorf("interface %q", i.Name)
		}
		seen[i.Name] = true
	}
	for _, d := range Host().Dynamic {
		if !seen[d.Interface] {
			t.Errorf("%s of %s, which is not there", d.Name, d.Interface)
		}
		if _, err := d.Call(context.Background(), nil); err == nil {
			t.Errorf("%s does something", d.Name)
		}
	}
}
