package wasm

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/tetratelabs/wazero"

	"github.com/astrid-go/astrid/wasm/meter"
)

// Module is a compiled guest. It is immutable and may be instantiated many
// times at once. It lives as long as its engine.
type Module struct {
	engine *Engine
	hash   Hash
	code   *Core
}

// Hash returns the identity of the module's content.
func (m *Module) Hash() Hash { return m.hash }

// Exports returns the names of the functions that m exports, in no order.
func (m *Module) Exports() []string {
	var names []string
	for name := range m.code.compiled.ExportedFunctions() {
		names = append(names, name)
	}
	return names
}

// checkHeader refuses what is no core module, in words for its author.
func (e *Engine) checkHeader(wasm []byte) error {
	magic, core, component := []byte("\x00asm"), []byte{1, 0, 0, 0}, []byte{0x0d, 0, 1, 0}
	switch {
	case len(wasm) > e.cfg.MaxModuleBytes:
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, len(wasm), e.cfg.MaxModuleBytes)
	case len(wasm) == 0:
		return fmt.Errorf("%w: empty file", ErrInvalid)
	case !bytes.HasPrefix(wasm, magic[:min(4, len(wasm))]):
		return fmt.Errorf("%w: offset 0x0: not WebAssembly, it begins with % x", ErrInvalid, wasm[:min(4, len(wasm))])
	case len(wasm) < 8:
		return fmt.Errorf("%w: offset 0x%x: truncated after %d bytes", ErrInvalid, len(wasm), len(wasm))
	case bytes.Equal(wasm[4:8], component):
		return ErrComponent
	case !bytes.Equal(wasm[4:8], core):
		return fmt.Errorf("%w: offset 0x4: unknown version % x", ErrInvalid, wasm[4:8])
	}
	return nil
}

func (e *Engine) compile(ctx context.Context, hash Hash, wasm []byte, b binding) (*Module, error) {
	code, err := e.CompileCore(ctx, wasm, b.rename)
	if err != nil {
		return nil, err
	}
	return &Module{engine: e, hash: hash, code: code}, nil
}

// Core is a metered and compiled core module, for a linker that instantiates
// modules itself.
type Core struct {
	compiled  wazero.CompiledModule
	memoryMin uint64
}

// Compiled returns what Runtime().InstantiateModule takes. It belongs to the
// engine.
func (c *Core) Compiled() wazero.CompiledModule { return c.compiled }

// CompileCore meters and compiles one core module of a larger whole. rename,
// which may be nil, names the module to import from instead of another, "" not
// excepted. Its imports are not checked. The error wraps ErrInvalid or is one
// of the host.
func (e *Engine) CompileCore(ctx context.Context, wasm []byte, rename func(string) string) (*Core, error) {
	info, err := meter.Inspect(wasm)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	rewritten, err := meter.Rewrite(wasm, meter.Options{RenameImport: rename})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	compiled, err := e.compileCode(ctx, rewritten)
	if err != nil && damaged(err) {
		e.log.Warn("code cache is damaged; compiling again", "err", err)
		e.cache.purge()
		compiled, err = e.compileCode(ctx, rewritten)
	}
	if err != nil {
		return nil, err
	}
	e.cache.seal()
	return &Core{compiled: compiled, memoryMin: info.MemoryMin}, nil
}

// CompileModule meters and compiles a core module of a component, whose linker
// has renamed its imports. With RegisterHost and Runtime it makes e a
// component.Engine.
func (e *Engine) CompileModule(ctx context.Context, wasm []byte) (wazero.CompiledModule, error) {
	core, err := e.CompileCore(ctx, wasm, nil)
	if err != nil {
		return nil, err
	}
	return core.Compiled(), nil
}

// Runtime returns what the engine's modules run on, for a linker.
func (e *Engine) Runtime() wazero.Runtime { return e.runtime }

// cacheFault stands in errors that wazero's cache makes.
const cacheFault = "compilationcache: "

func damaged(err error) bool { return strings.Contains(err.Error(), cacheFault) }

// compileCode compiles, and turns a panic of the compiler, which hostile input
// should not cause but might, into an error.
func (e *Engine) compileCode(ctx context.Context, wasm []byte) (c wazero.CompiledModule, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: the compiler failed: %v\n%s", ErrInvalid, r, debug.Stack())
		}
	}()
	c, err = e.runtime.CompileModule(ctx, wasm)
	if err != nil && !damaged(err) {
		err = fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return c, err
}
