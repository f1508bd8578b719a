package wasm_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/astrid-go/astrid/wasm"
	"github.com/astrid-go/astrid/wasm/canon"
)

// villain misbehaves in one way for each export, and counts otherwise.
var villain = guest{
	imports: []imported{
		{"test:host/calls", "trap", nil, nil},
		{"test:host/calls", "panic", nil, nil},
		{"test:host/calls", "block", nil, nil},
		{"wasi_snapshot_preview1", "proc_exit", []byte{i32}, nil},
	},
	funcs: []function{
		{export: "loop", code: []byte{0x03, 0x40, 0x0c, 0, 0x0b}},                                   // loop br 0
		{export: "recurse", code: []byte{0x10, 5}},                                                  // call 5
		{export: "unreachable", code: []byte{0x00}},                                                 //
		{export: "wild", code: []byte{0x41, 0x7f, 0x28, 2, 0, 0x1a}},                                // i32.load at -1
		{export: "grow", params: []byte{i32}, results: []byte{i32}, code: []byte{0x20, 0, 0x40, 0}}, // memory.grow
		{export: "exit", code: []byte{0x41, 7, 0x10, 3}},
		{export: "host-trap", code: []byte{0x10, 0}},
		{export: "host-panic", code: []byte{0x10, 1}},
		{export: "host-block", code: []byte{0x10, 2}},
		{export: "host-loop", code: []byte{0x03, 0x40, 0x10, 0, 0x0c, 0, 0x0b}},
		{export: "fill", code: []byte{ // for ever memory.fill 64 KiB
			0x03, 0x40, 0x41, 0, 0x41, 0, 0x41, 0x80, 0x80, 0x04, 0xfc, 11, 0, 0x0c, 0, 0x0b}},
		{export: "add", params: []byte{i32, i32}, results: []byte{i32}, code: []byte{0x20, 0, 0x20, 1, 0x6a}},
	},
	memory: []byte{1, 1, 0x80, 0x02}, // 1 to 256 pages
}

var villainHost = []canon.HostFunc{
	{Name: "trap", Call: func(context.Context, *canon.Context, []uint64) { panic(&canon.Trap{}) }},
	{Name: "panic", Call: func(context.Context, *canon.Context, []uint64) { panic("bug in the host") }},
	{Name: "block", Call: func(ctx context.Context, _ *canon.Context, _ []uint64) { <-ctx.Done() }},
}

func hosts() []canon.Interface {
	return []canon.Interface{{Name: "test:host/calls", Funcs: villainHost}}
}

func open(tb testing.TB, cfg wasm.Config) *wasm.Engine {
	tb.Helper()
	e, err := wasm.NewEngine(context.Background(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return e
}

func compile(tb testing.TB, e *wasm.Engine, g guest) *wasm.Module {
	tb.Helper()
	m, err := e.Compile(context.Background(), g.encode(), hosts())
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func start(tb testing.TB, m *wasm.Module, cfg wasm.InstanceConfig) *wasm.Instance {
	tb.Helper()
	i, err := m.Instantiate(context.Background(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := i.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return i
}

func add(t *testing.T, i *wasm.Instance, a, b uint64) {
	t.Helper()
	stack := []uint64{a, b}
	if err := i.CallRaw(t.Context(), "add", stack); err != nil || stack[0] != a+b {
		t.Errorf("add %d %d = %d, %v", a, b, stack[0], err)
	}
}

func TestFaultKillsOneInstanceAndIsNamed(t *testing.T) {
	m := compile(t, open(t, wasm.Config{}), villain)
	bystander := start(t, m, wasm.InstanceConfig{})
	for export, kind := range map[string]wasm.FaultKind{
		"loop":        wasm.FaultDeadline,
		"fill":        wasm.FaultDeadline,
		"host-block":  wasm.FaultDeadline,
		"recurse":     wasm.FaultStack,
		"unreachable": wasm.FaultTrap,
		"wild":        wasm.FaultTrap,
		"exit":        wasm.FaultExit,
		"host-trap":   wasm.FaultABI,
		"host-loop":   wasm.FaultABI,
	} {
		t.Run(export, func(t *testing.T) {
			i := start(t, m, wasm.InstanceConfig{})
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if kind != wasm.FaultDeadline {
				ctx = t.Context()
			}
			err := i.CallRaw(ctx, export, nil)
			if export == "host-block" {
				err = i.CallRaw(ctx, "loop", nil) // the host function came back; the deadline has passed
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after the deadline: %v", err)
				}
				return
			}
			var fault *wasm.GuestFault
			if !errors.As(err, &fault) || fault.Kind != kind || fault.Export != export {
				t.Fatalf("got %v, want a fault of kind %s", err, kind)
			}
			if kind == wasm.FaultDeadline && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v does not wrap the context's error", err)
			}
			if kind != wasm.FaultStack && !strings.Contains(fault.Detail, "wasm stack trace") {
				t.Errorf("no guest stack in %q", fault.Detail)
			}
			if err := i.CallRaw(t.Context(), "add", []uint64{1, 2}); !errors.Is(err, wasm.ErrDead) {
				t.Errorf("call after the fault: %v, want ErrDead", err)
			}
			add(t, bystander, 20, 22)
		})
	}
}

func TestHostPanicIsTheHostsFault(t *testing.T) {
	i := start(t, compile(t, open(t, wasm.Config{}), villain), wasm.InstanceConfig{})
	err := i.CallRaw(t.Context(), "host-panic", nil)
	var fault *wasm.GuestFault
	if err == nil || errors.As(err, &fault) || !strings.Contains(err.Error(), "bug in the host") {
		t.Fatalf("got %v, want a host fault that says what happened", err)
	}
	if err := i.CallRaw(t.Context(), "add", []uint64{1, 2}); !errors.Is(err, wasm.ErrDead) {
		t.Errorf("call after the fault: %v, want ErrDead", err)
	}
}

func TestMemoryStaysBelowItsLimit(t *testing.T) {
	const page = 64 << 10
	m := compile(t, open(t, wasm.Config{}), villain)
	i := start(t, m, wasm.InstanceConfig{MemoryLimitBytes: 10 * page})
	grow := func(pages uint64) int32 {
		stack := []uint64{pages}
		if err := i.CallRaw(t.Context(), "grow", stack); err != nil {
			t.Fatal(err)
		}
		return int32(stack[0])
	}
	if got := grow(9); got != 1 {
		t.Errorf("grow to the limit = %d, want the old size 1", got)
	}
	if got := grow(1); got != -1 {
		t.Errorf("grow past the limit = %d, want -1", got)
	}
	if i.Memory() != 10*page {
		t.Errorf("holds %d bytes, want %d", i.Memory(), 10*page)
	}
	var fault *wasm.GuestFault
	_, err := m.Instantiate(t.Context(), wasm.InstanceConfig{MemoryLimitBytes: page / 2})
	if !errors.As(err, &fault) || fault.Kind != wasm.FaultMemory {
		t.Errorf("start above the limit: %v, want a memory fault", err)
	}
}

func TestStartIsUnderTheMeter(t *testing.T) {
	e := open(t, wasm.Config{})
	for code, kind := range map[string]wasm.FaultKind{
		"\x00":                     wasm.FaultTrap,
		"\x03\x40\x0c\x00\x0b":     wasm.FaultCancelled,
		"\x41\x00\x28\x02\x00\x1a": wasm.FaultTrap,
	} {
		g := guest{funcs: []function{{export: "_initialize", code: []byte(code)}}, memory: []byte{0, 0}}
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(20*time.Millisecond, cancel)
		_, err := compile(t, e, g).Instantiate(ctx, wasm.InstanceConfig{})
		stop.Stop()
		cancel()
		var fault *wasm.GuestFault
		if !errors.As(err, &fault) || fault.Kind != kind {
			t.Errorf("initialize with % x: %v, want kind %s", code, err, kind)
		}
	}
}

func TestBudgetStopsTheGuest(t *testing.T) {
	spent := errors.New("budget is spent")
	var charged uint64
	i := start(t, compile(t, open(t, wasm.Config{}), villain), wasm.InstanceConfig{CPU: func(fuel uint64) error {
		if charged += fuel; charged > 3*wasm.Quantum {
			return spent
		}
		return nil
	}})
	err := i.CallRaw(t.Context(), "loop", nil)
	var fault *wasm.GuestFault
	if !errors.As(err, &fault) || fault.Kind != wasm.FaultBudget || !errors.Is(err, spent) {
		t.Errorf("got %v, want a budget fault", err)
	}
}

func TestCloseEndsTheRunningCall(t *testing.T) {
	i := start(t, compile(t, open(t, wasm.Config{}), villain), wasm.InstanceConfig{})
	entered := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- i.Run(t.Context(), "loop", func(ctx context.Context) error {
			close(entered)
			return i.CallInside(ctx, "loop", nil)
		})
	}()
	<-entered
	if err := errors.Join(i.Close(t.Context()), i.Close(t.Context())); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, wasm.ErrDead) {
		t.Errorf("running call ended with %v, want ErrDead", err)
	}
	if i.Memory() != 0 {
		t.Errorf("holds %d bytes after Close", i.Memory())
	}
}

func TestInstanceRefusesItself(t *testing.T) {
	var i *wasm.Instance
	var inner error
	host := []canon.HostFunc{{Name: "again", Call: func(ctx context.Context, _ *canon.Context, _ []uint64) {
		inner = i.CallRaw(ctx, "f", nil)
	}}}
	g := guest{
		imports: []imported{{"test:host/again", "again", nil, nil}},
		funcs:   []function{{export: "f", code: []byte{0x10, 0}}},
	}
	m, err := open(t, wasm.Config{}).Compile(t.Context(), g.encode(), []canon.Interface{{Name: "test:host/again", Funcs: host}})
	if err != nil {
		t.Fatal(err)
	}
	i = start(t, m, wasm.InstanceConfig{})
	if err := i.CallRaw(t.Context(), "f", nil); err != nil || !errors.Is(inner, wasm.ErrBusy) {
		t.Errorf("outer %v, inner %v, want nil and ErrBusy", err, inner)
	}
}
