package component

import (
	"github.com/tetratelabs/wazero/api"
)

// Bounds of core types, from the core specification and wazero.
const (
	maxPages      = 1 << 16 // of a memory of 32 bits
	maxParams     = 1000    // of a core function
	valueTypeV128 = 0x7b
	typeFuncref   = 0x70
)

// coreReader reads core types, of modules and of module types. types is the
// index space of function types.
type coreReader struct {
	*reader
	types []*signature // nil for a type that is not a function's
	max   int
}

func (r *coreReader) valueType() api.ValueType {
	switch t := r.byte(); t {
	case api.ValueTypeI32, api.ValueTypeI64, api.ValueTypeF32, api.ValueTypeF64, valueTypeV128, typeFuncref, api.ValueTypeExternref:
		return t
	case 0x63, 0x64:
		r.invalid("unsupported: typed references (garbage collection)")
	default:
		r.unexpected(t, "core value type")
	}
	return 0
}

func (r *coreReader) refType() api.ValueType {
	at := r.pos
	t := r.valueType()
	if t != typeFuncref && t != api.ValueTypeExternref && !r.failed() {
		r.pos = at
		r.malformed("a table of something else than references")
	}
	return t
}

func (r *coreReader) valueTypes() []api.ValueType {
	n := r.count(maxParams)
	types := make([]api.ValueType, n)
	for i := range types {
		types[i] = r.valueType()
	}
	return types
}

// signature reads a function type after its leading byte.
func (r *coreReader) signature() *signature {
	params := r.valueTypes()
	return &signature{params, r.valueTypes()}
}

// typeIndex reads the index of a function type.
func (r *coreReader) typeIndex() *signature {
	i := r.u32()
	if uint64(i) >= uint64(len(r.types)) {
		r.invalid("type index out of bounds: %d of %d", i, len(r.types))
		return &signature{}
	}
	if r.types[i] == nil {
		r.invalid("core type index %d is not a function type", i)
		return &signature{}
	}
	return r.types[i]
}

func (r *coreReader) limits(memory bool) limits {
	flags := r.byte()
	if flags > 3 || !memory && flags > 1 {
		r.invalid("unsupported: limits with flags 0x%x (64-bit indices, shared tables)", flags)
	}
	l := limits{bounded: flags&1 != 0, shared: flags&2 != 0}
	l.min = r.u32()
	if l.bounded {
		l.max = r.u32()
	}
	switch {
	case l.bounded && l.max < l.min:
		r.invalid("size minimum must not be greater than maximum")
	case memory && (l.min > maxPages || l.max > maxPages):
		r.invalid("memory size must be at most %d pages", maxPages)
	case l.shared && !l.bounded:
		r.invalid("shared memory must have a maximum")
	}
	return l
}

func (r *coreReader) table() coreItem {
	if r.peek() == 0x40 {
		r.invalid("unsupported: tables with an initial value")
	}
	return coreItem{sort: coreTable, typ: r.refType(), limits: r.limits(false)}
}

func (r *coreReader) memory() coreItem {
	return coreItem{sort: coreMemory, limits: r.limits(true)}
}

func (r *coreReader) global() coreItem {
	g := coreItem{sort: coreGlobal, typ: r.valueType()}
	b := r.byte()
	if b > 1 {
		r.unexpected(b, "mutability")
	}
	g.mutable = b == 1
	return g
}

// item reads the type of an import, or of an export in a module type.
func (r *coreReader) item() coreItem {
	switch s := coreSort(r.byte()); s {
	case coreFunc:
		return coreItem{sort: coreFunc, sig: r.typeIndex()}
	case coreTable:
		return r.table()
	case coreMemory:
		return r.memory()
	case coreGlobal:
		return r.global()
	case coreTag:
		r.invalid("unsupported: exceptions")
	default:
		r.unexpected(byte(s), "external kind")
	}
	return coreItem{}
}

// addImport reads an import into t, unless there is one of its names.
func (r *coreReader) addImport(t *moduleType, seen map[[2]string]bool) {
	imp := coreImport{module: r.name(), name: r.name(), item: r.item()}
	key := [2]string{imp.module, imp.name}
	if seen[key] {
		r.invalid("duplicate import name %s:%s", quote(imp.module), quote(imp.name))
	}
	seen[key] = true
	t.imports = append(t.imports, imp)
}

func (r *coreReader) addExport(t *moduleType, name string, item coreItem) {
	if _, twice := t.exports[name]; twice {
		r.invalid("export name %s already defined", quote(name))
	}
	t.exports[name] = item
}
