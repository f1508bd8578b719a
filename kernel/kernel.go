// Package kernel joins the subsystems: it boots them in order, loads capsules,
// counts connections, answers kernel requests and shuts everything down.
//
// The model:
//
//   - [New] takes the lock of the home, opens the stores in the order
//     lock → key → audit → kv → profiles → bus → socket, and answers requests
//     from then on; [Kernel.LoadAllCapsules] comes after it and may be slow;
//   - a client's message goes from uplink to the dispatcher, which asks guards,
//     publishes on the bus and runs handlers on instances of the message's
//     principal; what the guest does goes through host and gate;
//   - a kernel request is a row of one table: the gate asks for its capability,
//     records the decision, runs it and records the outcome;
//   - [Kernel.Shutdown] undoes New in reverse, bounded by its context.
//
// Ownership: the Kernel owns every long goroutine of the process and everything
// it opened. Accessors lend; what they return must not be closed.
//
// Order and locks: Kernel.mu guards the set of loaded capsules alone and is
// never held over I/O or a call. Pools, overlays and connections have one lock
// each, which is innermost.
//
// Not promised: more than one workspace in a process, and that a kernel can be
// used after Shutdown. What a capsule does with its messages is no business of
// this package: it knows topics of tools and requests and nothing else.
//
// To test code that needs a kernel, boot one with New in t.TempDir: it needs no
// network and takes milliseconds.
package kernel

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/astrid-go/astrid/approval"
	"github.com/astrid-go/astrid/audit"
	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/capsule"
	"github.com/astrid-go/astrid/dispatch"
	"github.com/astrid-go/astrid/gate"
	"github.com/astrid-go/astrid/host"
	"github.com/astrid-go/astrid/kv"
	"github.com/astrid-go/astrid/principal"
	"github.com/astrid-go/astrid/uplink"
	"github.com/astrid-go/astrid/vfs"
	"github.com/astrid-go/astrid/vfs/overlay"
	"github.com/astrid-go/astrid/wasm"
	"github.com/astrid-go/astrid/wasm/canon"
)

// Config says where a kernel lives and what it works on. Home and WorkspaceRoot
// are required.
type Config struct {
	// Home is the directory of all state, an absolute path; it is made when
	// missing.
	Home string
	// WorkspaceRoot is the directory that agents work on; it must exist.
	WorkspaceRoot string
	// SessionID marks what this kernel publishes itself; zero is the system
	// session.
	SessionID uuid.UUID
	// Version is told to clients.
	Version string
	// Logger receives what an operator should know; nil discards it.
	Logger *slog.Logger
	// CacheDir keeps compiled code; by default it is var/cache in the home. What
	// stands in it is executed: it must not be writable by others.
	CacheDir string
	// ApprovalExpiry ends questions that nobody answered; 0 means never.
	ApprovalExpiry time.Duration
	// Reachable lists networks that are not public and that granted hosts may
	// resolve to all the same, for example a model server on loopback.
	Reachable []netip.Prefix
}

// check refuses what New could not work with, and completes the rest.
func (c *Config) check() error {
	info, err := os.Stat(c.WorkspaceRoot)
	if err != nil {
		return fmt.Errorf("open the workspace: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("workspace %s is not a directory", c.WorkspaceRoot)
	}
	if c.WorkspaceRoot, err = canonical(c.WorkspaceRoot); err != nil {
		return fmt.Errorf("resolve the workspace: %w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func canonical(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// Kernel is a running kernel. Its methods are safe for concurrent use.
type Kernel struct {
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	booted  time.Time
	methods map[string]method // immutable

	// Subsystems, in the order they are opened; immutable after New.
	home        *os.Root
	lock        *os.File
	key         ed25519.PrivateKey
	audit       *audit.Log
	kv          *kv.Store
	directory   *principal.Directory
	approvals   *approval.Inbox
	gate        *gate.Gate
	engine      *wasm.Engine
	egress      *host.Egress
	workspace   *vfs.Host
	overlays    *overlays
	bus         *bus.Bus
	dispatcher  *dispatch.Dispatcher
	registry    *capsule.Registry
	store       *capsule.Store
	connections *connections
	socket      *uplink.Server
	token       uplink.Token
	cpu         *budgets
	interfaces  []canon.Interface // what guests may import; immutable

	ephemeral atomic.Bool
	ready     atomic.Bool // the first load of capsules is over
	reason    atomic.Pointer[string]
	done      chan struct{} // closed by finish, once
	finished  sync.Once
	stopped   sync.Once
	stopErr   error

	// background counts the kernel's own goroutines; stop ends them.
	background sync.WaitGroup
	stop       context.CancelFunc

	loading sync.Mutex // held while capsules are installed or loaded: one at a time

	mu      sync.Mutex // guards what follows
	running map[string]*loaded
	catalog *capsule.Catalogue
}

// New boots a kernel: when it returns, the socket answers and no capsule is
// loaded. It fails when another kernel holds the home ([ErrLocked]), when a
// store cannot be opened, when the audit log does not verify
// (*audit.TamperedError), or when the workspace cannot be opened. What it opened
// before a failure is closed again. The context bounds the boot alone.
func New(ctx context.Context, cfg Config) (*Kernel, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	k := &Kernel{
		cfg: cfg, log: cfg.Logger, now: time.Now, methods: methods(), done: make(chan struct{}),
		connections: newConnections(), running: map[string]*loaded{}, registry: capsule.NewRegistry(),
		interfaces: host.Interfaces(),
	}
	k.catalog, _ = capsule.NewCatalogue(0, nil)
	k.booted = k.now()
	if err := k.boot(ctx); err != nil {
		return nil, errors.Join(err, k.release(ctx))
	}
	k.log.Info("kernel answers", "home", k.home.Name(), "workspace", cfg.WorkspaceRoot,
		"took", k.now().Sub(k.booted))
	return k, nil
}

// finish tells the owner of the kernel that it should shut it down; the first
// reason counts.
func (k *Kernel) finish(reason string) {
	k.finished.Do(func() {
		k.reason.Store(&reason)
		close(k.done)
	})
}

// Done is closed when the kernel wants to be shut down: asked by a client, or
// ephemeral and left by its last one. [Kernel.Reason] says which.
func (k *Kernel) Done() <-chan struct{} { return k.done }

// Reason says why Done was closed, "" before.
func (k *Kernel) Reason() string {
	if r := k.reason.Load(); r != nil {
		return *r
	}
	return ""
}

// SessionID returns what the kernel's own messages carry as source.
func (k *Kernel) SessionID() uuid.UUID { return k.cfg.SessionID }

// Bus returns the message bus.
func (k *Kernel) Bus() *bus.Bus { return k.bus }

// Capsules returns the registry of capsules.
func (k *Kernel) Capsules() *capsule.Registry { return k.registry }

// Gate returns the reference monitor.
func (k *Kernel) Gate() *gate.Gate { return k.gate }

// KV returns the store of keys and values.
func (k *Kernel) KV() *kv.Store { return k.kv }

// Audit returns the audit log.
func (k *Kernel) Audit() *audit.Log { return k.audit }

// AuditKey returns the public key that the audit log is signed with.
func (k *Kernel) AuditKey() ed25519.PublicKey { return k.key.Public().(ed25519.PublicKey) }

// Approvals returns the inbox of questions, and the allowances.
func (k *Kernel) Approvals() *approval.Inbox { return k.approvals }

// WorkspaceHandle returns the real workspace. Agents never get it.
func (k *Kernel) WorkspaceHandle() *vfs.Host { return k.workspace }

// Overlay returns a principal's view of the workspace, made at first use.
func (k *Kernel) Overlay(p principal.ID) (*overlay.Overlay, error) { return k.overlays.of(p) }

// SessionToken returns the secret that clients of this run need; it hides itself
// when it is printed.
func (k *Kernel) SessionToken() uplink.Token { return k.token }

// WorkspaceRoot returns the directory that agents work on, without links.
func (k *Kernel) WorkspaceRoot() string { return k.cfg.WorkspaceRoot }

// HomeRoot returns the directory of all state.
func (k *Kernel) HomeRoot() string { return k.home.Name() }

// BootTime returns when New was called.
func (k *Kernel) BootTime() time.Time { return k.booted }
