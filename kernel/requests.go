package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/approval"
	"github.com/astrid-go/astrid/capability"
	"github.com/astrid-go/astrid/dispatch"
	"github.com/astrid-go/astrid/gate"
	"github.com/astrid-go/astrid/principal"
	"github.com/astrid-go/astrid/vfs/overlay"
	"github.com/astrid-go/astrid/wasm"
)

// method is a kernel request. The gate asks for capability before run sees the
// params; run never checks rights itself, so that none can forget to.
type method struct {
	// action is the row of the gate's table, capability what the caller needs.
	action     string
	capability string
	run        func(ctx context.Context, k *Kernel, by principal.ID, params json.RawMessage) (any, error)
}

// methods is every request the kernel answers. TestEveryMethodNeedsACapability
// holds its rules.
func methods() map[string]method {
	return map[string]method{
		api.MethodGetStatus:          {"system.status", "system:status", with(getStatus)},
		api.MethodShutdown:           {"system.shutdown", "system:shutdown", with(shutdown)},
		api.MethodListCapsules:       {"capsule.list", "self:capsule:list", with(listCapsules)},
		api.MethodGetCommands:        {"capsule.list", "self:capsule:list", with(getCommands)},
		api.MethodGetCapsuleMetadata: {"capsule.list", "self:capsule:list", with(getMetadata)},
		api.MethodReloadCapsules:     {"capsule.reload", "self:capsule:reload", with(reloadCapsules)},
		api.MethodInstallCapsule:     {"capsule.install", "capsule:install", with(installCapsule)},
		api.MethodListTools:          {"capsule.list", "self:capsule:list", with(listTools)},

		api.MethodListChanges:     {"workspace.changes", "self:workspace:changes", with(listChanges)},
		api.MethodCommitChanges:   {"workspace.commit", "self:workspace:promote", with(commitChanges)},
		api.MethodRollbackChanges: {"workspace.rollback", "self:workspace:rollback", with(rollbackChanges)},

		api.MethodTailAudit:   {"audit.read", "self:audit:read", with(tailAudit)},
		api.MethodVerifyAudit: {"audit.verify", "audit:verify", with(verifyAudit)},
		api.MethodExplain:     {"audit.read", "self:audit:read", with(explain)},

		api.MethodListApprovals:  {"approval.list", "self:approval:respond", with(listApprovals)},
		api.MethodAnswerApproval: {"approval.respond", "self:approval:respond", with(answerApproval)},
	}
}

// with makes a handler of a function over typed params: it decodes them
// strictly, and absent params are the zero value.
func with[P, R any](f func(context.Context, *Kernel, principal.ID, P) (R, error)) func(context.Context, *Kernel, principal.ID, json.RawMessage) (any, error) {
	return func(ctx context.Context, k *Kernel, by principal.ID, raw json.RawMessage) (any, error) {
		var p P
		if len(raw) > 0 && string(raw) != "null" {
			if err := api.DecodeStrict(raw, &p); err != nil {
				return nil, &api.Error{Code: api.CodeInvalid, Message: "params: " + err.Error()}
			}
		}
		return f(ctx, k, by, p)
	}
}

// Request answers one kernel request of an authenticated principal: check,
// record, run, record the outcome. Every error is an *api.Error.
func (k *Kernel) Request(ctx context.Context, by principal.ID, name string, params json.RawMessage) (any, error) {
	m, known := k.methods[name]
	if !known {
		return nil, &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("no method %.64q", name), Hint: "see docs/protocol.md for the methods"}
	}
	need, err := capability.ParseName(m.capability)
	if err != nil {
		return nil, wireError(err)
	}
	permit, err := k.gate.Check(ctx, gate.Request{
		Principal: by, Action: m.action, Resource: name, Capability: need, Args: params,
	})
	if err != nil {
		return nil, wireError(err)
	}
	reply, err := m.run(ctx, k, by, params)
	if recordErr := permit.Done(ctx, err); recordErr != nil {
		err = errors.Join(err, recordErr)
	}
	if err != nil {
		return nil, wireError(err)
	}
	return reply, nil
}

// wireError maps an error to the fixed list of codes. Texts of errors that are
// not meant for callers stay in the log.
func wireError(err error) *api.Error {
	var wire *api.Error
	var denied *gate.Denied
	var conflict *overlay.ConflictError
	var guarded *dispatch.DeniedError
	var fault *wasm.GuestFault
	switch {
	case errors.As(err, &wire):
		return wire
	case errors.As(err, &guarded):
		return &api.Error{Code: api.CodeDenied, Message: guarded.Error(),
			Rule: fmt.Sprintf("guard %s of capsule %s", guarded.Action, guarded.Capsule)}
	case errors.As(err, &denied):
		return &api.Error{
			Code: api.CodeDenied, Message: denied.Error(), Rule: denied.Rule, Hint: denied.Unlock, DenialID: denied.ID,
		}
	case errors.As(err, &conflict):
		return &api.Error{Code: api.CodeConflict, Message: conflict.Error(),
			Hint: "roll these paths back, or merge by hand, then commit again"}
	case errors.Is(err, approval.ErrNotFound), errors.Is(err, gate.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return &api.Error{Code: api.CodeNotFound, Message: err.Error()}
	case errors.Is(err, approval.ErrInvalid):
		return &api.Error{Code: api.CodeInvalid, Message: err.Error()}
	case errors.Is(err, context.DeadlineExceeded):
		return &api.Error{Code: api.CodeTimeout, Message: firstLine(err)}
	case errors.As(err, &fault):
		return &api.Error{Code: api.CodeError, Message: firstLine(err), Hint: "`astrid capsule list -o json` has the guest's stack"}
	}
	return &api.Error{Code: api.CodeError, Message: err.Error()}
}

// firstLine is an error without the guest's stack, which the capsule's status has.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimRight(line, ": ")
}
