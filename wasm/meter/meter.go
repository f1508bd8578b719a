// Package meter makes a WebAssembly module count its own work, so that a host
// can stop it and charge for it without the help of the engine's compiler.
//
// The model: the rewritten module has one more global, its fuel, and one more
// imported function, refill. Each function entry and each loop header takes
// the static cost of the code it leads to from the fuel; bulk instructions
// also take a cost that grows with their length. When the fuel is below zero
// the module calls refill with it and goes on with what refill returns, or
// does not go on because refill traps. Nothing else changes: a rewritten
// module returns, traps and stores what the original does.
//
// Everything here is a pure function of its arguments. The input is hostile:
// it is read with bounds, never trusted for a size, and refused with an offset
// where it is malformed; but a module is validated by the engine that compiles
// it, and meter checks no more than it must read to rewrite.
//
// Rewriting adds a type, an imported function after the other imported
// functions, a global after the other globals, and at most two locals to a
// function after its other locals. So only indices of the module's own
// functions move, by one; branch depths, block types and all other indices
// stay. Custom sections are kept, save those that hold code offsets.
//
// Not promised: equal costs between two versions of this package (see
// [Version]), an instruction-exact count, and a bound on the depth of
// recursion, which is the engine's. Threads, exceptions, tail calls, 64-bit
// memories, garbage collection and relaxed SIMD are refused.
//
// To test code that uses meter, compile Rewrite's output with a host module
// named [Module] that exports [Refill].
package meter

import "fmt"

const (
	// Version names the rewriting scheme; caches of rewritten or compiled
	// modules must include it in their keys.
	Version = "1"

	// Module and Refill name the function that a rewritten module imports:
	// refill(fuel i64) -> i64. It receives the fuel, which is below zero by
	// what was overdrawn, and returns the fuel to go on with.
	Module = "astrid:meter"
	Refill = "refill"

	// DefaultMaxTableElements bounds each table: an element costs the host
	// eight bytes, which the memory limit of an instance does not see. Large
	// C++ and Python guests have some twenty thousand.
	DefaultMaxTableElements = 1 << 20
)

// Options decides what Rewrite does besides metering. The zero value renames
// nothing and bounds tables by DefaultMaxTableElements.
type Options struct {
	// RenameImport, if set, returns the module name to import from instead.
	// It must be a pure function, or the result is not deterministic.
	RenameImport func(module string) string

	// MaxTableElements bounds what each table may start with and grow to; 0
	// means DefaultMaxTableElements.
	MaxTableElements uint32
}

// Error says what is wrong with a module and where.
type Error struct {
	Offset int // in bytes from the start of the module
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("offset 0x%x: %s", e.Offset, e.Reason) }

// Rewrite returns wasm with metering added. It does not keep or change wasm.
// A module with no code of its own is only renamed and bounded. The error is
// an *Error.
func Rewrite(wasm []byte, opt Options) ([]byte, error) {
	m, err := parse(wasm)
	if err != nil {
		return nil, err
	}
	if opt.MaxTableElements == 0 {
		opt.MaxTableElements = DefaultMaxTableElements
	}
	for _, imp := range m.imports {
		if imp.Module == Module {
			return nil, &Error{Offset: imp.offset, Reason: fmt.Sprintf("import of %s, which is the meter's own", Module)}
		}
	}
	w := &rewriter{module: m, opt: opt, metered: m.hasCode()}
	return w.rewrite()
}

// rewriter writes one module anew.
type rewriter struct {
	*module
	opt     Options
	metered bool
	out     []byte
}

// shift returns where function index stands in the rewritten module.
func (w *rewriter) shift(index uint32) uint32 {
	if w.metered && index >= w.importedFuncs {
		return index + 1
	}
	return index
}

// rewrite writes each section in its order and invents those it needs.
func (w *rewriter) rewrite() ([]byte, error) {
	w.out = make([]byte, 0, len(w.wasm)+len(w.wasm)/4)
	w.out = append(w.out, w.wasm[:headerSize]...)
	last := 0 // rank of the last section that stands in the output
	for _, s := range w.sections {
		if s.id != sectionCustom {
			w.invent(last, rank(s.id))
			last = rank(s.id)
		}
		r := w.reader(s)
		body, err := w.section(s.id, r)
		if err != nil {
			return nil, err
		}
		if reread(s.id) && r.left() > 0 {
			return nil, &Error{r.pos, "section is longer than its content"}
		}
		if body != nil {
			w.out = appendSection(w.out, s.id, body)
		}
	}
	return w.out, nil
}

// invent writes the sections which metering needs and the module lacks, when
// their place lies between the ranks after and before. A module with code has
// a code section, which comes after all of them.
func (w *rewriter) invent(after, before int) {
	if !w.metered {
		return
	}
	for _, id := range []byte{sectionImport, sectionGlobal} {
		if r := rank(id); after < r && r < before {
			body := []byte{1}
			if id == sectionImport {
				body = w.appendRefillImport(body)
			} else {
				body = appendFuelGlobal(body)
			}
			w.out = appendSection(w.out, id, body)
		}
	}
}

// reread reports whether a section is read to its end only when it is
// rewritten.
func reread(id byte) bool {
	switch id {
	case sectionTable, sectionGlobal, sectionExport, sectionStart, sectionElement, sectionCode, sectionData:
		return true
	}
	return false
}

// section returns the new body of the section that r reads; nil leaves it out.
func (w *rewriter) section(id byte, r *reader) ([]byte, error) {
	switch id {
	case sectionCustom:
		return w.custom(r)
	case sectionType:
		return w.types(r), r.err()
	case sectionImport:
		return w.importSection(), nil
	case sectionTable:
		return w.tables(r)
	case sectionGlobal:
		return w.globals(r)
	case sectionExport:
		return w.exports(r), r.err()
	case sectionStart:
		return appendU32(nil, w.shift(r.index("function", w.funcCount()))), r.err()
	case sectionElement:
		return w.elements(r)
	case sectionCode:
		return w.code(r)
	case sectionData:
		return w.data(r)
	default:
		return r.rest(), nil
	}
}
