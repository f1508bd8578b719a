package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/astrid-go/astrid/approval"
	"github.com/astrid-go/astrid/audit"
	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/capsule"
	"github.com/astrid-go/astrid/dispatch"
	"github.com/astrid-go/astrid/gate"
	"github.com/astrid-go/astrid/host"
	"github.com/astrid-go/astrid/kv"
	"github.com/astrid-go/astrid/principal"
	"github.com/astrid-go/astrid/vfs"
	"github.com/astrid-go/astrid/wasm"
)

// auditOrigin names the log in its checkpoints.
const auditOrigin = "astrid/audit"

// boot opens the subsystems in their order. Each depends on those before it,
// and release closes them in reverse; a step that fails leaves those before it
// for release. Nothing is loaded before the last step, although the socket
// answers by then.
func (k *Kernel) boot(ctx context.Context) error {
	k.loading.Lock()
	defer k.loading.Unlock()
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"home", k.openHome}, // ends with the lock held
		{"audit log", k.openAudit},
		{"store", k.openStore},
		{"principals", k.openPrincipals},
		{"approvals", k.openApprovals},
		{"workspace", k.openWorkspace},
		{"bus", k.openBus},
		{"socket", k.openSocket},
		{"engine", k.openEngine}, // checks the code on disk, for which no client need wait
	} {
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("boot, %s: %w", step.name, err)
		}
	}
	return nil
}

func (k *Kernel) openHome(context.Context) (err error) {
	if k.home, err = openHome(k.cfg.Home); err != nil {
		return err
	}
	if k.lock, err = lockHome(k.home); err != nil {
		return err
	}
	k.key, err = loadKey(k.home, "keys/runtime.key")
	return err
}

// openAudit opens the log, which verifies it. What a crash left is itself
// recorded before anything else is.
func (k *Kernel) openAudit(ctx context.Context) (err error) {
	k.audit, err = audit.Open(ctx, audit.Config{
		Dir: k.path("var", "audit"), Key: k.key, Origin: auditOrigin, Logger: k.log,
	})
	var tampered *audit.TamperedError
	if errors.As(err, &tampered) {
		return fmt.Errorf("%w; nothing starts on such a log: keep it as evidence, and move it away to begin a new one", err)
	}
	if err != nil {
		return err
	}
	return k.recordBoot(ctx)
}

func (k *Kernel) openStore(context.Context) (err error) {
	k.kv, err = kv.Open(k.path("var", "state.db"), kv.Config{})
	return err
}

// openPrincipals makes the local operator on a new home: a key that the command
// line signs with, and a profile in the group admin that trusts it.
func (k *Kernel) openPrincipals(context.Context) (err error) {
	operator := principal.Default()
	key, err := loadKey(k.home, "keys/"+operator.String()+".key")
	if err != nil {
		return err
	}
	if k.directory, err = principal.OpenDirectory(k.path("etc")); err != nil {
		return err
	}
	_, err = k.directory.Lookup(operator)
	if !errors.Is(err, principal.ErrUnknown) {
		return err
	}
	p := principal.NewProfile("admin")
	p.Auth.Methods = []string{"keypair"}
	p.Auth.PublicKeys = []string{principal.FormatPublicKey(publicKey(key))}
	if err := k.directory.Create(operator, p); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func (k *Kernel) openApprovals(ctx context.Context) error {
	ns, err := k.kv.Namespace("system:approvals")
	if err != nil {
		return err
	}
	k.approvals, err = approval.Open(ctx, ns, approval.Config{Notifier: notifier{k}, Expiry: k.cfg.ApprovalExpiry})
	if err != nil {
		return err
	}
	k.gate, err = gate.New(gate.Config{Directory: k.directory, Asker: k.approvals, Log: watchedLog{k.audit, k.finish}})
	return err
}

func (k *Kernel) openWorkspace(context.Context) (err error) {
	if k.workspace, err = vfs.OpenHost(k.cfg.WorkspaceRoot); err != nil {
		return err
	}
	k.overlays = newOverlays(k.workspace, k.home.Name(), k.cfg.WorkspaceRoot, k.storageQuota)
	return nil
}

func (k *Kernel) openEngine(ctx context.Context) (err error) {
	cache := k.cfg.CacheDir
	if cache == "" {
		cache = k.path("var", "cache")
	}
	k.engine, err = wasm.NewEngine(ctx, wasm.Config{CacheDir: cache, Logger: k.log})
	if err != nil {
		return err
	}
	k.egress = host.NewEgress(host.EgressConfig{Reachable: k.cfg.Reachable})
	k.store, err = capsule.OpenStore(k.path("bin"))
	k.cpu = newBudgets(func(id principal.ID) (uint64, error) {
		p, err := k.directory.Lookup(id)
		return p.Quotas.MaxCPUFuelPerSec, err
	})
	return err
}

func (k *Kernel) openBus(context.Context) (err error) {
	k.bus = bus.New(bus.Config{Rate: k.publishRate, Observer: k.observeLoss})
	k.dispatcher, err = dispatch.New(dispatch.Config{
		Bus: k.bus, Invoker: dispatch.InvokerFunc(k.invoke), Access: k.access,
		Concurrency: k.concurrency, Deadline: k.deadline, OnOutcome: k.settle,
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	k.stop = stop
	k.background.Go(func() { k.reap(ctx) }) // ends with k.stop; release waits
	return nil
}

func (k *Kernel) path(elements ...string) string {
	return filepath.Join(append([]string{k.home.Name()}, elements...)...)
}

// reap closes instances that nobody uses any more, until ctx ends.
func (k *Kernel) reap(ctx context.Context) {
	tick := time.NewTicker(idleInstance / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, c := range k.all() {
			if err := c.pool.reap(ctx, time.Now().Add(-idleInstance)); err != nil {
				k.log.Warn("close idle instances", "capsule", c.name, "error", err)
			}
		}
	}
}

// The quotas of a principal, asked for at each use so that a changed profile
// counts at once. Who cannot be looked up gets the least there is.

func (k *Kernel) publishRate(id principal.ID) int64 {
	p, err := k.directory.Lookup(id)
	if err != nil {
		return 0
	}
	return int64(p.Quotas.MaxIPCThroughputBytes)
}

func (k *Kernel) concurrency(id principal.ID) int {
	p, err := k.directory.Lookup(id)
	if err != nil {
		return 1
	}
	return int(p.Quotas.MaxInFlightCalls)
}

func (k *Kernel) deadline(id principal.ID) time.Duration {
	p, err := k.directory.Lookup(id)
	if err != nil {
		return time.Second
	}
	return time.Duration(p.Quotas.MaxTimeoutSecs) * time.Second
}

func (k *Kernel) storageQuota(id principal.ID) (int64, error) {
	p, err := k.directory.Lookup(id)
	return int64(p.Quotas.MaxStorageBytes), err
}
