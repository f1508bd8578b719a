package wasi

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/astrid-go/astrid/wasm/canon"
)

// maxWrite is how much a guest may write at a time: a page of its memory.
const maxWrite = 64 << 10

// ioError is wasi:io/error's error.
type ioError struct{ text string }

func (*ioError) WITResource() string { return "error" }

// pollable is ready when its time has come. The zero value is.
type pollable struct {
	at time.Time // zero: always
}

func (*pollable) WITResource() string { return "pollable" }

// wait returns how long it is until p is ready.
func (p *pollable) wait(now time.Time) time.Duration {
	if p.at.IsZero() {
		return 0
	}
	return max(0, p.at.Sub(now))
}

// inputStream is at its end.
type inputStream struct{}

func (*inputStream) WITResource() string { return "input-stream" }

// outputStream writes to where the instance's Env says.
type outputStream struct{ to func(*Env) io.Writer }

func (*outputStream) WITResource() string { return "output-stream" }

type streamErrorCase uint8

const (
	failed streamErrorCase = iota
	closed
)

func (streamErrorCase) WITCases() []string { return []string{"last-operation-failed", "closed"} }

type streamError struct {
	Case   streamErrorCase     `wit:",case"`
	Failed canon.Own[*ioError] `wit:"last-operation-failed"`
}

func failure(err error) streamError {
	return streamError{Case: failed, Failed: canon.Own[*ioError]{Value: &ioError{err.Error()}}}
}

type (
	done  = canon.Result[canon.Unit, streamError]
	count = canon.Result[uint64, streamError]
)

func ioInterfaces() []canon.Interface {
	return []canon.Interface{
		{Name: name("io/error"), Funcs: []canon.HostFunc{
			canon.Func1("[method]error.to-debug-string", func(_ context.Context, e canon.Borrow[*ioError]) string { return e.Value.text }),
		}},
		{Name: name("io/poll"), Funcs: []canon.HostFunc{
			canon.Func1("[method]pollable.ready", func(ctx context.Context, p canon.Borrow[*pollable]) bool {
				return p.Value.wait(env(ctx).now()) == 0
			}),
			canon.Proc1("[method]pollable.block", func(ctx context.Context, p canon.Borrow[*pollable]) {
				e := env(ctx)
				e.sleep(ctx, p.Value.wait(e.now()))
			}),
			canon.Func1("poll", poll),
		}},
		{Name: name("io/streams"), Funcs: append(inputFuncs(), outputFuncs()...)},
	}
}

// poll waits until one of list is ready, and returns which are. When the
// call's context is done it says that all are: the guest is stopped anyway.
func poll(ctx context.Context, list []canon.Borrow[*pollable]) []uint32 {
	if len(list) == 0 {
		canon.Fail("poll of nothing")
	}
	e := env(ctx)
	now := e.now()
	waits := make([]time.Duration, len(list))
	for i, p := range list {
		waits[i] = p.Value.wait(now)
	}
	shortest := slices.Min(waits)
	e.sleep(ctx, shortest)
	var ready []uint32
	for i, w := range waits {
		if w == shortest || ctx.Err() != nil {
			ready = append(ready, uint32(i))
		}
	}
	return ready
}

func always(context.Context) canon.Own[*pollable] { return canon.Own[*pollable]{Value: &pollable{}} }

func inputFuncs() []canon.HostFunc {
	type stream = canon.Borrow[*inputStream]
	read := func(context.Context, stream, uint64) canon.Result[[]byte, streamError] {
		return canon.Err[[]byte](streamError{Case: closed})
	}
	skip := func(context.Context, stream, uint64) count { return canon.Err[uint64](streamError{Case: closed}) }
	return []canon.HostFunc{
		canon.Func2("[method]input-stream.read", read),
		canon.Func2("[method]input-stream.blocking-read", read),
		canon.Func2("[method]input-stream.skip", skip),
		canon.Func2("[method]input-stream.blocking-skip", skip),
		canon.Func1("[method]input-stream.subscribe", func(ctx context.Context, _ stream) canon.Own[*pollable] { return always(ctx) }),
	}
}

func outputFuncs() []canon.HostFunc {
	type stream = canon.Borrow[*outputStream]
	write := func(ctx context.Context, s stream, b []byte) done { return s.Value.write(ctx, b) }
	zeroes := func(ctx context.Context, s stream, n uint64) done {
		if n > maxWrite {
			canon.Fail("write of %d zeroes, %d are permitted", n, maxWrite)
		}
		return s.Value.write(ctx, make([]byte, n))
	}
	flush := func(context.Context, stream) done { return canon.Ok[canon.Unit, streamError](canon.Unit{}) }
	splice := func(context.Context, stream, canon.Borrow[*inputStream], uint64) count {
		return canon.Err[uint64](streamError{Case: closed})
	}
	return []canon.HostFunc{
		canon.Func1("[method]output-stream.check-write", func(context.Context, stream) count { return canon.Ok[uint64, streamError](maxWrite) }),
		canon.Func2("[method]output-stream.write", write),
		canon.Func2("[method]output-stream.blocking-write-and-flush", write),
		canon.Func2("[method]output-stream.write-zeroes", zeroes),
		canon.Func2("[method]output-stream.blocking-write-zeroes-and-flush", zeroes),
		canon.Func1("[method]output-stream.flush", flush),
		canon.Func1("[method]output-stream.blocking-flush", flush),
		canon.Func3("[method]output-stream.splice", splice),
		canon.Func3("[method]output-stream.blocking-splice", splice),
		canon.Func1("[method]output-stream.subscribe", func(ctx context.Context, _ stream) canon.Own[*pollable] { return always(ctx) }),
	}
}

func (s *outputStream) write(ctx context.Context, b []byte) done {
	if len(b) > maxWrite {
		canon.Fail("write of %d bytes, %d are permitted", len(b), maxWrite)
	}
	if w := s.to(env(ctx)); w != nil {
		if _, err := w.Write(b); err != nil {
			return canon.Err[canon.Unit](failure(err))
		}
	}
	return canon.Ok[canon.Unit, streamError](canon.Unit{})
}
