package component

import (
	"bytes"
	"fmt"

	"github.com/tetratelabs/wazero/api"
)

// coreSort says what a core definition is.
type coreSort byte

// The core sorts, as they stand in the binary format.
const (
	coreFunc     coreSort = 0x00
	coreTable    coreSort = 0x01
	coreMemory   coreSort = 0x02
	coreGlobal   coreSort = 0x03
	coreTag      coreSort = 0x04
	coreType     coreSort = 0x10
	coreModule   coreSort = 0x11
	coreInstance coreSort = 0x12
)

func (s coreSort) String() string {
	switch s {
	case coreFunc:
		return "func"
	case coreTable:
		return "table"
	case coreMemory:
		return "memory"
	case coreGlobal:
		return "global"
	case coreTag:
		return "tag"
	case coreType:
		return "type"
	case coreModule:
		return "module"
	case coreInstance:
		return "instance"
	}
	return fmt.Sprintf("sort 0x%x", byte(s))
}

// signature is the type of a core function.
type signature struct{ params, results []api.ValueType }

func (s signature) equal(t signature) bool {
	return bytes.Equal(s.params, t.params) && bytes.Equal(s.results, t.results)
}

// String returns s as "(i32, i32) -> (i64)".
func (s signature) String() string {
	return typeNames(s.params) + " -> " + typeNames(s.results)
}

func typeNames(types []api.ValueType) string {
	var b bytes.Buffer
	for i, t := range types {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(api.ValueTypeName(t))
	}
	return "(" + b.String() + ")"
}

// limits are those of a table or memory.
type limits struct {
	min, max uint32
	bounded  bool
	shared   bool
}

// fits reports whether what has limits l may stand where e is expected.
func (l limits) fits(e limits) bool {
	return l.min >= e.min && (!e.bounded || l.bounded && l.max <= e.max)
}

// coreItem is the type of a core import or export.
type coreItem struct {
	sort    coreSort
	sig     *signature    // of a function
	limits  limits        // of a table or memory
	typ     api.ValueType // of a table's elements or a global
	mutable bool          // of a global
}

// moduleType is the type of a core module.
type moduleType struct {
	imports []coreImport
	exports map[string]coreItem
}

type coreImport struct {
	module, name string
	item         coreItem
}

// matchItem checks that given may stand where expected is.
func matchItem(given, expected coreItem) error {
	if given.sort != expected.sort {
		return fmt.Errorf("expected %s, found %s", expected.sort, given.sort)
	}
	g, e := given.limits, expected.limits
	switch {
	case given.sig != nil && !given.sig.equal(*expected.sig):
		return fmt.Errorf("expected function type %s, found %s", expected.sig, given.sig)
	case given.typ != expected.typ:
		return fmt.Errorf("expected %s type %s, found %s", given.sort, api.ValueTypeName(expected.typ), api.ValueTypeName(given.typ))
	case given.mutable != expected.mutable:
		return fmt.Errorf("only one of the two globals is mutable")
	case g.shared != e.shared:
		return fmt.Errorf("mismatch in the shared flag for memories")
	case !g.fits(e):
		return fmt.Errorf("mismatch in %s limits", given.sort)
	}
	return nil
}

// matchModule checks that a module of type given may stand where expected is:
// it needs no more imports and has no less exports.
func matchModule(b *budget, given, expected *moduleType) error {
	if !b.spend(1 + len(given.imports) + len(expected.imports) + len(expected.exports)) {
		return errBudget
	}
	offered := make(map[[2]string]coreItem, len(expected.imports))
	for _, imp := range expected.imports {
		offered[[2]string{imp.module, imp.name}] = imp.item
	}
	for _, imp := range given.imports {
		item, ok := offered[[2]string{imp.module, imp.name}]
		if !ok {
			return fmt.Errorf("missing expected import %s::%s", quote(imp.module), quote(imp.name))
		}
		if err := matchItem(item, imp.item); err != nil {
			return fmt.Errorf("type mismatch in import %s::%s: %w", quote(imp.module), quote(imp.name), err)
		}
	}
	for name, item := range expected.exports {
		has, ok := given.exports[name]
		if !ok {
			return fmt.Errorf("missing expected export %s", quote(name))
		}
		if err := matchItem(has, item); err != nil {
			return fmt.Errorf("type mismatch in export %s: %w", quote(name), err)
		}
	}
	return nil
}
