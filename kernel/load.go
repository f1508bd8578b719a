package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/google/uuid"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/bus"
	"github.com/astrid-go/astrid/capability"
	"github.com/astrid-go/astrid/capsule"
	"github.com/astrid-go/astrid/dispatch"
	"github.com/astrid-go/astrid/gate"
	"github.com/astrid-go/astrid/host"
	"github.com/astrid-go/astrid/internal/durable"
	"github.com/astrid-go/astrid/principal"
	"github.com/astrid-go/astrid/wasm"
)

// Files that a running kernel has in its home.
const (
	readyFile = "run/system.ready"
	pidFile   = "run/system.pid"
)

// loadDeadline bounds the loading of one capsule, compilation included.
const loadDeadline = 5 * time.Minute

// loaded is a capsule generation that serves, or is about to.
type loaded struct {
	name       string
	generation uint64
	source     uuid.UUID
	manifest   *capsule.Manifest
	module     *wasm.Module
	pool       *pool
}

// capsuleVersion is what capsules may require of the kernel with astrid-version:
// the release of the system whose interfaces this one offers.
const capsuleVersion = "0.7.0"

// capsuleDirs are searched in this order; the first capsule of a name wins.
func (k *Kernel) capsuleDirs() []string {
	return []string{k.installDir(), filepath.Join(k.cfg.WorkspaceRoot, ".astrid", "capsules")}
}

func (k *Kernel) installDir() string {
	return k.path("home", principal.Default().String(), ".local", "capsules")
}

// LoadAllCapsules discovers the capsules of the home, then of the workspace, and
// loads those that do not serve yet, each after what it imports. A capsule that
// cannot be loaded is listed as failed, with its reason, and stops nothing but
// what imports it. Then the catalogue of tools is written and announced, and the
// ready file made. The error is the kernel's own: a store that fails, or ctx.
func (k *Kernel) LoadAllCapsules(ctx context.Context) error {
	k.loading.Lock()
	defer k.loading.Unlock()
	version, err := semver.NewVersion(capsuleVersion)
	if err != nil {
		return err
	}
	found := capsule.Discover(k.capsuleDirs(), version)
	ordered, failures := capsule.Order(found.Capsules)
	for _, f := range append(found.Failures, failures...) {
		k.log.Warn("capsule cannot be loaded", "capsule", f.Name, "dir", f.Dir, "reason", f.Reason)
		k.registry.Refuse(f)
	}
	if err := k.loadEach(ctx, ordered); err != nil {
		return err
	}
	if err := k.announce(ctx); err != nil {
		return err
	}
	debug.FreeOSMemory() // compiling took many times what serving does
	k.ready.Store(true)
	pid := fmt.Appendf(nil, "%d\n", os.Getpid())
	return errors.Join(
		durable.Replace(k.path(pidFile), pid, durable.Private),
		durable.Replace(k.path(readyFile), nil, durable.Private),
	)
}

// loadEach compiles capsules side by side and registers them in order.
func (k *Kernel) loadEach(ctx context.Context, ordered []capsule.Installed) error {
	started := make([]*loaded, len(ordered))
	var group sync.WaitGroup
	for n, c := range ordered {
		if e, known := k.registry.Get(c.Manifest.Name()); known && e.State == capsule.Ready {
			continue
		}
		group.Go(func() { started[n] = k.prepare(ctx, c) }) // ends with the compilation; waited for below
	}
	group.Wait()
	for _, c := range started {
		if c == nil {
			continue
		}
		if err := k.serve(c); err != nil {
			k.failed(c.name, c.generation, err)
		}
	}
	return ctx.Err()
}

func (k *Kernel) failed(name string, generation uint64, reason error) {
	k.log.Warn("capsule failed to load", "capsule", name, "reason", reason)
	if err := k.registry.Fail(name, generation, reason.Error()); err != nil {
		k.log.Error("register a failed capsule", "capsule", name, "error", err)
	}
}

// prepare reads and compiles a capsule. A failure is registered and nil returned.
func (k *Kernel) prepare(ctx context.Context, c capsule.Installed) *loaded {
	ctx, cancel := context.WithTimeout(ctx, loadDeadline)
	defer cancel()
	name := c.Manifest.Name()
	code, hash, err := c.ReadWasm(k.store)
	generation, beginErr := k.registry.Begin(c, hash)
	if beginErr != nil {
		k.log.Warn("capsule cannot be loaded", "capsule", name, "error", beginErr)
		return nil
	}
	if err == nil && code == nil {
		err = errors.New("the manifest names no component, so there is nothing to run")
	}
	out := &loaded{name: name, generation: generation, manifest: c.Manifest, source: sourceID(name, hash)}
	if err == nil {
		out.module, err = k.engine.Compile(ctx, code, k.interfaces)
	}
	if err == nil && !slices.Contains(out.module.Exports(), host.HookExport) {
		err = fmt.Errorf("the wasm file exports no %s", host.HookExport)
	}
	if err != nil {
		k.failed(name, generation, err)
		return nil
	}
	out.pool = newPool(func(ctx context.Context, id principal.ID) (*live, error) { return k.instantiate(ctx, out, id) })
	return out
}

// sourceID is what a capsule's messages carry: the same for the same code, so
// that a record can be traced to it.
func sourceID(name string, hash capsule.Hash) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("capsule:"+name+":"+hash.String()))
}

// serve makes a prepared capsule reachable: first its grants, then its handlers,
// so that no handler ever runs without the gate knowing the capsule.
func (k *Kernel) serve(c *loaded) error {
	grants, err := grantsOf(c.manifest)
	if err != nil {
		return err
	}
	handlers, err := handlersOf(c.manifest)
	if err != nil {
		return err
	}
	if err := k.gate.Load(c.name, c.generation, grants); err != nil {
		return err
	}
	k.mu.Lock()
	k.running[c.name] = c
	k.mu.Unlock()
	if err := k.dispatcher.Register(c.name, c.generation, handlers); err != nil {
		k.mu.Lock()
		delete(k.running, c.name)
		k.mu.Unlock()
		k.gate.Unload(c.name, c.generation)
		return err
	}
	return k.registry.Ready(c.name, c.generation)
}

// toolAction is the action that a tool without a subscription of its own is
// called with; see RATIONALE.md, "Why is a [[tool]] table enough to be called?".
const toolAction = "tool_execute_"

func grantsOf(m *capsule.Manifest) ([]gate.Grant, error) {
	asked := m.Grants()
	for _, t := range m.Tools {
		asked = append(asked, capsule.Grant{
			Action: "ipc.publish", Resource: capsule.TopicResource(api.ToolResultTopic(t.Name)),
			Source: fmt.Sprintf("Capsule.toml:%d [[tool]] %s", t.Line, t.Name),
		})
	}
	grants := make([]gate.Grant, len(asked))
	for i, a := range asked {
		pattern, err := capability.ParseResourcePattern(a.Resource)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Source, err)
		}
		grants[i] = gate.Grant{Action: a.Action, Resource: pattern, Source: a.Source}
	}
	return grants, nil
}

func handlersOf(m *capsule.Manifest) ([]dispatch.Handler, error) {
	modes := map[string]dispatch.Mode{
		capsule.ModeHandler: dispatch.ModeHandler, capsule.ModeGuard: dispatch.ModeGuard, capsule.ModeObserver: dispatch.ModeObserver,
	}
	var handlers []dispatch.Handler
	covered := map[string]bool{}
	for _, i := range m.Handlers() {
		pattern, err := bus.ParsePattern(i.Event)
		if err != nil {
			return nil, fmt.Errorf("line %d of Capsule.toml: %w", i.Line, err)
		}
		covered[i.Event] = true
		handlers = append(handlers, dispatch.Handler{Pattern: pattern, Action: i.Action, Priority: i.Priority, Mode: modes[i.Mode]})
	}
	for _, t := range m.Tools {
		topic := api.ToolTopic(t.Name)
		if covered[topic] {
			continue
		}
		pattern, err := bus.ParsePattern(topic)
		if err != nil {
			return nil, fmt.Errorf("line %d of Capsule.toml: tool %s: %w", t.Line, t.Name, err)
		}
		handlers = append(handlers, dispatch.Handler{Pattern: pattern, Action: toolAction + t.Name, Priority: capsule.DefaultPriority})
	}
	return handlers, nil
}

// lookup returns the generation of a capsule that a call is for.
func (k *Kernel) lookup(name string, generation uint64) (*loaded, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.running[name]
	if c == nil || c.generation != generation {
		return nil, fmt.Errorf("%s generation %d: %w", name, generation, dispatch.ErrAbsent)
	}
	return c, nil
}

func (k *Kernel) all() []*loaded {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]*loaded, 0, len(k.running))
	for _, c := range k.running {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *loaded) int { return int(b.generation) - int(a.generation) })
	return out
}

// unloadAll takes the capsules out, the last loaded first.
func (k *Kernel) unloadAll(ctx context.Context) error {
	var errs []error
	for _, c := range k.all() {
		if err := k.registry.Unloading(c.name, c.generation); err != nil {
			errs = append(errs, err)
		}
		if err := k.dispatcher.Unregister(ctx, c.name, c.generation); err != nil {
			k.log.Warn("calls were still running", "capsule", c.name, "error", err)
		}
		errs = append(errs, c.pool.close(context.WithoutCancel(ctx)))
		k.gate.Unload(c.name, c.generation)
		k.mu.Lock()
		delete(k.running, c.name)
		k.mu.Unlock()
		errs = append(errs, k.registry.Unloaded(c.name, c.generation))
	}
	return errors.Join(errs...)
}
