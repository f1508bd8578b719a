package component

import (
	"errors"
	"fmt"

	"github.com/astrid-go/astrid/wasm/canon"
)

// visibility knows which types have a name outside: those that an import or an
// export introduced. Resources and records, variants, enums and flags must
// have one wherever they can be seen.
type visibility struct {
	named map[definition]bool
	also  *visibility       // of imports, for exports
	seen  map[*valType]bool // known to be visible; names are never taken back
}

func (v *visibility) has(d definition) bool {
	return v.named[d] || v.also != nil && v.also.named[d]
}

var errHidden = errors.New("a type it uses has no name outside")

// extern checks that x uses visible types only, and names those it introduces.
func (v *visibility) extern(b *budget, x externType, what string) error {
	inner := x.def
	if x.sort == sortInstance {
		v.nameAll(b, x.def.(*instanceType))
	}
	if err := v.check(b, inner, x.sort == sortType); err != nil {
		return fmt.Errorf("%s %s: %s not valid to be used as %s: %w", what, quote(x.name), x.sort, what, err)
	}
	if x.sort == sortType {
		v.named[x.def] = true
	}
	return nil
}

// nameAll names the types that an instance exports: its user sees them there.
func (v *visibility) nameAll(b *budget, t *instanceType) {
	for _, x := range t.exports.list {
		if !b.spend(1) {
			return
		}
		switch x.sort {
		case sortType:
			v.named[x.def] = true
		case sortInstance:
			v.nameAll(b, x.def.(*instanceType))
		}
	}
}

// check checks one definition. introduced is true for a type that gets its
// name by this import or export, so that only its parts need one.
func (v *visibility) check(b *budget, d definition, introduced bool) error {
	switch d := d.(type) {
	case *valType:
		return v.value(b, d, introduced)
	case *funcType:
		for _, p := range d.params {
			if err := v.value(b, p.typ, false); err != nil {
				return err
			}
		}
		return v.value(b, d.result, false)
	case *instanceType:
		for _, x := range d.exports.list {
			if err := v.check(b, x.def, x.sort == sortType); err != nil {
				return fmt.Errorf("%s: %w", quote(x.name), err)
			}
		}
	}
	return nil
}

func (v *visibility) value(b *budget, t *valType, introduced bool) error {
	if t == nil || v.seen[t] {
		return nil
	}
	if !b.spend(1) {
		return errBudget
	}
	if t.kind == canon.OwnOf || t.kind == canon.BorrowOf {
		if !v.has(t.res) {
			return fmt.Errorf("resource %s: %w", quote(t.res.id.name), errHidden)
		}
		return nil
	}
	if t.named() && !introduced && !v.has(t) {
		return fmt.Errorf("%s: %w", t.kind, errHidden)
	}
	for _, f := range t.fields {
		if err := v.value(b, f.typ, false); err != nil {
			return err
		}
	}
	if err := v.value(b, t.elem, false); err != nil {
		return err
	}
	if v.seen == nil {
		v.seen = map[*valType]bool{}
	}
	v.seen[t] = !introduced || v.seen[t]
	return nil
}

// handles reports whether t is a handle to the resource id.
func handles(t *valType, id *resource, borrowed bool) bool {
	kind := canon.OwnOf
	if borrowed {
		kind = canon.BorrowOf
	}
	return t.kind == kind && t.res.id == id
}

// constructs reports whether f returns an own handle to the resource id, or a
// result of one.
func constructs(f *funcType, id *resource) bool {
	t := f.result
	if t != nil && t.kind == canon.ResultOf {
		t = t.fields[0].typ
	}
	return t != nil && handles(t, id, false)
}
