package wasm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/zeebo/blake3"

	"github.com/astrid-go/astrid/wasm/canon"
)

const (
	// DefaultMaxModuleBytes bounds a module. A JavaScript engine with an
	// application in it takes 12 MB, a Python one 40 MB.
	DefaultMaxModuleBytes = 64 << 20

	// Quantum is the fuel that a guest gets at a time: about a millisecond of
	// work, in which it does not notice a deadline.
	Quantum = 4 << 20

	// maxHostModules bounds the sets of host functions an engine takes; each
	// stays until the engine is closed. An embedder has a few dozen.
	maxHostModules = 4096

	// features are those of WebAssembly 2.0, which package meter knows.
	features = api.CoreFeaturesV2
)

// Errors of an Engine or Module.
var (
	ErrClosed    = errors.New("engine is closed")
	ErrTooLarge  = errors.New("module is too large")
	ErrInvalid   = errors.New("not a valid module")
	ErrComponent = errors.New("a component, not a core module")
	ErrImports   = errors.New("imports cannot be satisfied")
)

// Config configures an Engine. The zero value is usable.
type Config struct {
	// CacheDir keeps machine code from one process to the next. It is created
	// if need be, readable by its owner alone. What stands in it is executed:
	// it must not be writable by others. Empty keeps it in memory.
	CacheDir string

	// MaxModuleBytes bounds what Compile accepts; 0 means
	// DefaultMaxModuleBytes.
	MaxModuleBytes int

	// Logger gets what is not worth failing for; nil discards it.
	Logger *slog.Logger
}

// Engine compiles modules and owns what their instances share.
type Engine struct {
	cfg     Config
	log     *slog.Logger
	cache   *codeCache
	runtime wazero.Runtime

	mu      sync.Mutex
	closed  bool                    // guarded by mu
	plans   map[planKey]*plan       // guarded by mu
	hosts   map[string][]hostModule // by interface name; guarded by mu
	live    map[*Instance]struct{}  // guarded by mu
	running sync.WaitGroup          // compilations; Add is guarded by mu
}

// NewEngine opens an engine. ctx is used for opening alone.
func NewEngine(ctx context.Context, cfg Config) (*Engine, error) {
	if cfg.MaxModuleBytes == 0 {
		cfg.MaxModuleBytes = DefaultMaxModuleBytes
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cache, err := openCodeCache(cfg.CacheDir, cfg.Logger)
	if err != nil {
		return nil, err
	}
	rc := wazero.NewRuntimeConfigCompiler().
		WithCoreFeatures(features).
		WithCompilationCache(cache.code).
		WithDebugInfoEnabled(false) // rewriting moves code away from it
	e := &Engine{
		cfg:     cfg,
		log:     cfg.Logger,
		cache:   cache,
		runtime: wazero.NewRuntimeWithConfig(ctx, rc),
		plans:   map[planKey]*plan{},
		hosts:   map[string][]hostModule{},
		live:    map[*Instance]struct{}{},
	}
	if err := e.registerOwn(ctx); err != nil {
		return nil, errors.Join(err, e.Close(ctx))
	}
	return e, nil
}

// Close closes all instances, waits for what is running, and frees the code.
// Calling it again does nothing.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	instances := make([]*Instance, 0, len(e.live))
	for i := range e.live {
		instances = append(instances, i)
	}
	e.mu.Unlock()

	e.running.Wait()
	var errs []error
	for _, i := range instances {
		errs = append(errs, i.Close(ctx))
	}
	errs = append(errs, e.runtime.Close(ctx), e.cache.close(ctx))
	return errors.Join(errs...)
}

// Hash identifies a module by its content.
type Hash [32]byte

// String returns h in hexadecimal.
func (h Hash) String() string { return fmt.Sprintf("%x", h[:]) }

// planKey identifies what Compile makes: the content, and the host modules
// that its imports are bound to.
type planKey struct {
	hash  Hash
	bound string
}

// plan is a Module in the making. Its fields are set before done is closed.
type plan struct {
	done   chan struct{}
	module *Module
	err    error
}

// Compile makes a module of wasm whose imports are satisfied by ifaces and by
// the inert WASI preview 1. Asking again for the same is cheap, and many who
// ask at once share the work. Interfaces are told apart by their name and the
// identity of their Funcs, which must not change afterwards.
//
// The error wraps ErrTooLarge, ErrInvalid, ErrComponent, ErrImports or
// ErrClosed, or is that of ctx, which bounds the wait for another's
// compilation but does not interrupt one's own.
func (e *Engine) Compile(ctx context.Context, wasm []byte, ifaces []canon.Interface) (*Module, error) {
	if err := e.checkHeader(wasm); err != nil {
		return nil, err
	}
	hash := Hash(blake3.Sum256(wasm))
	b, err := e.bind(ctx, wasm, ifaces)
	if err != nil {
		return nil, fmt.Errorf("compile module %.16s: %w", hash.String(), err)
	}
	p, mine, err := e.plan(planKey{hash, b.key()})
	if err != nil {
		return nil, err
	}
	if mine {
		e.fill(p, planKey{hash, b.key()}, func() (*Module, error) { return e.compile(ctx, hash, wasm, b) })
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("compile module %.16s: %w", hash.String(), context.Cause(ctx))
	}
	if p.err != nil {
		return nil, fmt.Errorf("compile module %.16s: %w", hash.String(), p.err)
	}
	return p.module, nil
}

// plan returns the plan for key, and whether the caller must fill it.
func (e *Engine) plan(key planKey) (p *plan, mine bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, false, ErrClosed
	}
	if p, ok := e.plans[key]; ok {
		return p, false, nil
	}
	p = &plan{done: make(chan struct{})}
	e.plans[key] = p
	e.running.Add(1)
	return p, true, nil
}

// fill makes the module and lets those who wait for it go on. A failure is not
// remembered: it may have been a full disk.
func (e *Engine) fill(p *plan, key planKey, make func() (*Module, error)) {
	defer e.running.Done()
	p.module, p.err = make()
	if p.err != nil {
		e.mu.Lock()
		delete(e.plans, key)
		e.mu.Unlock()
	}
	close(p.done)
}
