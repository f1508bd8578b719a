package canon

import (
	"fmt"

	"github.com/tetratelabs/wazero/api"
)

// Kind says which of the component model's value types a Type is.
type Kind uint8

// The kinds. Zero is no type.
const (
	Bool Kind = iota + 1
	S8
	U8
	S16
	U16
	S32
	U32
	S64
	U64
	F32
	F64
	Char32 // char
	String
	List
	Record
	Tuple
	Variant
	Enum
	OptionOf
	ResultOf
	Flags
	OwnOf
	BorrowOf
)

var kindNames = [...]string{"none", "bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64",
	"char", "string", "list", "record", "tuple", "variant", "enum", "option", "result", "flags", "own", "borrow"}

// String returns the kind's name in WIT.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Field is a field of a record or tuple, a case of a variant, or a parameter.
type Field struct {
	Name string
	Type *Type // nil for a case without a payload
}

// Type is a value type of the component model, with its layout. Types are made
// by the constructors and do not change afterwards.
type Type struct {
	kind     Kind
	fields   []Field // of record and tuple; cases of variant, enum, option and result; labels of flags
	elem     *Type   // of list
	resource *ResourceType
	layout
}

// Kind returns what sort of type t is.
func (t *Type) Kind() Kind { return t.kind }

// Fields returns the fields of a record or tuple, the cases of a variant, enum,
// option (none, some) or result (ok, error), or the labels of flags. It is t's
// own slice.
func (t *Type) Fields() []Field { return t.fields }

// Elem returns a list's element type, an option's or nil.
func (t *Type) Elem() *Type { return t.elem }

// Resource returns the resource type of an own or borrow, or nil.
func (t *Type) Resource() *ResourceType { return t.resource }

// Prim returns a type without parts: Bool to String.
func Prim(k Kind) *Type {
	if k < Bool || k > String {
		panic(fmt.Sprintf("canon: %s has parts", k))
	}
	return &Type{kind: k, layout: primLayout(k)}
}

// NewList returns list<elem>.
func NewList(elem *Type) *Type {
	return &Type{kind: List, elem: elem, layout: layout{size: 8, align: 4, flat: []api.ValueType{i32, i32}}}
}

// NewRecord returns a record of at least one field. It fails if the record has
// none, repeats a name, or is larger than a memory can hold.
func NewRecord(fields ...Field) (*Type, error) {
	if err := distinct(Record, fields); err != nil {
		return nil, err
	}
	return product(Record, fields)
}

// NewTuple returns a tuple of at least one type.
func NewTuple(types ...*Type) (*Type, error) {
	if len(types) == 0 {
		return nil, fmt.Errorf("tuple of nothing")
	}
	fields := make([]Field, len(types))
	for i, t := range types {
		fields[i].Type = t
	}
	return product(Tuple, fields)
}

// NewVariant returns a variant of at least one case.
func NewVariant(cases ...Field) (*Type, error) {
	if err := distinct(Variant, cases); err != nil {
		return nil, err
	}
	return sum(Variant, cases)
}

// NewEnum returns an enum of at least one case.
func NewEnum(cases ...string) (*Type, error) {
	fields := labels(cases)
	if err := distinct(Enum, fields); err != nil {
		return nil, err
	}
	return sum(Enum, fields)
}

// NewOption returns option<some>.
func NewOption(some *Type) (*Type, error) {
	t, err := sum(OptionOf, []Field{{Name: "none"}, {Name: "some", Type: some}})
	if t != nil {
		t.elem = some
	}
	return t, err
}

// NewResult returns result<ok, fail>; either may be nil.
func NewResult(ok, fail *Type) (*Type, error) {
	return sum(ResultOf, []Field{{Name: "ok", Type: ok}, {Name: "error", Type: fail}})
}

// NewFlags returns flags of 1 to 32 labels.
func NewFlags(names ...string) (*Type, error) {
	if len(names) > MaxFlags {
		return nil, fmt.Errorf("flags of %d labels; at most %d", len(names), MaxFlags)
	}
	fields := labels(names)
	if err := distinct(Flags, fields); err != nil {
		return nil, err
	}
	return &Type{kind: Flags, fields: fields, layout: flagsLayout(len(names))}, nil
}

// NewOwn returns own<r>.
func NewOwn(r *ResourceType) *Type {
	return &Type{kind: OwnOf, resource: r, layout: primLayout(U32)}
}

// NewBorrow returns borrow<r>.
func NewBorrow(r *ResourceType) *Type {
	return &Type{kind: BorrowOf, resource: r, layout: primLayout(U32)}
}

func labels(names []string) []Field {
	fields := make([]Field, len(names))
	for i, n := range names {
		fields[i].Name = n
	}
	return fields
}

func distinct(k Kind, fields []Field) error {
	if len(fields) == 0 {
		return fmt.Errorf("%s of nothing", k)
	}
	seen := make(map[string]struct{}, len(fields))
	for _, f := range fields {
		if _, twice := seen[f.Name]; twice {
			return fmt.Errorf("%s has two of %q", k, f.Name)
		}
		seen[f.Name] = struct{}{}
	}
	return nil
}
