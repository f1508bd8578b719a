// Package host is what a capsule can call: one file for each astrid:* package.
//
// The model:
//
//   - an [Instance] is what the functions act on: one capsule generation for one
//     principal, with handles on that principal's workspace, home, keys and log;
//     it travels in the canonical ABI's context, so the functions themselves are
//     the same for everybody and are registered once ([Interfaces]);
//   - each function parses what the guest gave, asks the gate for a permit, acts
//     on a handle, and answers with the error code of its interface; a denial is
//     recorded before the guest hears of it;
//   - nothing a guest names is joined to a path of the machine, looked up in
//     another namespace, or published under another principal.
//
// Ownership: the kernel makes instances and closes them. An Instance is used by
// one call at a time; [Instance.Begin] and [Instance.End] frame it.
//
// Not promised: the packages elicit, identity, io, net, process and uplink, and
// file handles, are not offered; a guest that imports them does not load, with
// an error that names them.
//
// To test a function, run a guest against a kernel in t.TempDir.
package host

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/gate"
	"github.com/astrid-go/astrid/kv"
	"github.com/astrid-go/astrid/principal"
	"github.com/astrid-go/astrid/vfs"
	"github.com/astrid-go/astrid/wasm/canon"
)

// Config is what an instance acts with. All fields are required but Env.
type Config struct {
	Principal  principal.ID
	Capsule    string
	Generation uint64
	// Source is stamped on what the capsule publishes.
	Source uuid.UUID
	Gate   *gate.Gate
	// Workspace is the principal's overlay, Home and Temp its own directories.
	Workspace, Home, Temp vfs.FS
	// KV is the namespace of this capsule and principal.
	KV *kv.Namespace
	// Publish hands a message to the dispatcher.
	Publish func(context.Context, bus.Message) error
	Egress  *Egress
	// Log receives what the capsule logs.
	Log *slog.Logger
	// Env is the capsule's configuration.
	Env map[string]string
}

// Instance is what the host functions of one guest act on.
type Instance struct {
	Config
	closers []io.Closer
	call    Invocation // of the running call; used by its goroutine alone
}

// New makes an instance. The closers are closed with it, in order.
func New(cfg Config, closers ...io.Closer) *Instance {
	return &Instance{Config: cfg, closers: closers}
}

// Close gives up what the instance held.
func (i *Instance) Close() error {
	var errs []error
	for _, c := range i.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Invocation is the call that an instance runs.
type Invocation struct {
	// Call names it in records and approvals.
	Call string
	// From, Source and Time tell where the message came from that led here.
	From   bus.Attribution
	Source uuid.UUID
	Time   time.Time
	// Hops is stamped on what the call publishes.
	Hops uint8
}

// Begin says which call runs from now on, End that none does.
func (i *Instance) Begin(call Invocation) { i.call = call }

// End forgets the call.
func (i *Instance) End() { i.call = Invocation{} }

// of returns the instance that a host function was called by.
func of(ctx context.Context) *Instance { return canon.FromContext(ctx).Host.(*Instance) }

// request is a request to the gate for the running call.
func (i *Instance) request(action, resource string) gate.Request {
	return gate.Request{
		Principal: i.Principal, Capsule: i.Capsule, Generation: i.Generation, Call: i.call.Call,
		Action: action, Resource: resource,
	}
}

// permitted asks the gate, acts, and records how it went where the action's
// class demands it. The effect's own error comes back unchanged; an outcome that
// cannot be recorded is an error, so that the guest is not told of a success
// that nobody can look up.
func (i *Instance) permitted(ctx context.Context, r gate.Request, effect func() error) error {
	permit, err := i.Gate.Check(ctx, r)
	if err != nil {
		return err
	}
	err = effect()
	if recordErr := permit.Done(ctx, err); recordErr != nil {
		return errors.Join(err, recordErr)
	}
	return err
}

// denied reports whether err is a denial of the gate.
func denied(err error) bool {
	var d *gate.Denied
	return errors.As(err, &d)
}

// Interfaces returns every interface that guests may import. The functions hold
// no state; the result is made once and shared.
func Interfaces() []canon.Interface {
	return []canon.Interface{
		approvalInterface(), fsInterface(), httpInterface(), ipcInterface(), kvInterface(), sysInterface(),
	}
}

// CapsuleResult is what a guest answers to a message: continue, final, deny or
// abort, with a payload or a reason.
type CapsuleResult struct {
	Action string
	Data   canon.Option[string]
}

// HookExport is the export that receives messages.
const HookExport = "astrid-hook-trigger"

var hook = canon.NewExport2[string, []byte, CapsuleResult](HookExport)

// Trigger hands a message to a guest. The error is a guest fault, or says that
// the guest has no such export.
func Trigger(ctx context.Context, guest canon.Callee, action string, payload []byte) (CapsuleResult, error) {
	return hook.Call(ctx, guest, action, payload)
}
