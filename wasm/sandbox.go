package wasm

import (
	"context"
	"io"
	"time"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/astrid-go/astrid/wasm/meter"
)

// Sandbox is what host functions and the meter know of the instance that calls
// them. It travels in the call's context; see Enter. One goroutine uses it at
// a time: the one that runs the guest.
type Sandbox struct {
	Pool   *Pool
	Stdout io.Writer               // nil discards
	Stderr io.Writer               // nil discards
	CPU    func(fuel uint64) error // nil charges nobody

	fault error // what stopped the call, if the guest's own trap did not
}

type sandboxKey struct{}

// Enter returns a context for instantiating or calling guests in s: their
// memories come from its pool, and their meter looks at ctx and charges its
// CPU.
func (s *Sandbox) Enter(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, sandboxKey{}, s)
	if s.Pool != nil {
		ctx = experimental.WithMemoryAllocator(ctx, s.Pool)
	}
	return ctx
}

// Judge turns err, which a call of export in s ended with, into a *GuestFault
// if the guest is to blame and into an ordinary error if the host is. It
// returns nil for nil.
func (s *Sandbox) Judge(export string, err error) error {
	noted := s.fault
	s.fault = nil
	if err == nil {
		return nil
	}
	return judge(export, err, noted)
}

// refill is the function that metered modules import. A quantum is charged
// when it is given, with what was overdrawn.
func refill(ctx context.Context, stack []uint64) {
	s, ok := ctx.Value(sandboxKey{}).(*Sandbox)
	if !ok {
		panic(meter.Module + ": a guest runs without a sandbox")
	}
	used := Quantum - int64(stack[0]) // fuel is below zero
	if fault := s.charge(ctx, uint64(max(used, Quantum))); fault != nil {
		if s.fault == nil {
			s.fault = fault
		}
		panic(fault)
	}
	stack[0] = Quantum
}

// charge returns the fault to stop the guest with, or nil.
func (s *Sandbox) charge(ctx context.Context, fuel uint64) *GuestFault {
	if ctx.Err() != nil {
		return stopped(ctx)
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		// The timer that ends ctx may be waiting for a processor.
		return &GuestFault{Kind: FaultDeadline, Detail: context.DeadlineExceeded.Error(), Err: context.DeadlineExceeded}
	}
	if s.CPU == nil {
		return nil
	}
	if err := s.CPU(fuel); err != nil {
		return &GuestFault{Kind: FaultBudget, Detail: err.Error(), Err: err}
	}
	return nil
}
