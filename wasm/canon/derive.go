package canon

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// resourceOf returns the resource type that T stands for.
func resourceOf[T HostResource]() *ResourceType {
	var zero T
	rt := &ResourceType{Name: zero.WITResource(), host: reflect.TypeFor[T]()}
	if _, ok := any(zero).(Dropper); ok {
		rt.Destroy = func(ctx context.Context, r *Resource) { r.Obj.(Dropper).Drop(ctx) }
	}
	return rt
}

// ResourceOf returns the resource type of a host's Go type, for a linker.
func ResourceOf[T HostResource]() *ResourceType { return resourceOf[T]() }

var prims = map[reflect.Kind]Kind{
	reflect.Bool: Bool, reflect.Int8: S8, reflect.Uint8: U8, reflect.Int16: S16, reflect.Uint16: U16, reflect.Int32: S32,
	reflect.Uint32: U32, reflect.Int64: S64, reflect.Uint64: U64, reflect.Float32: F32, reflect.Float64: F64, reflect.String: String,
}

// TypeOf returns the WIT type that a Go type stands for, or says why it stands
// for none. Unit gives nil.
func TypeOf(t reflect.Type) (*Type, error) {
	if t == reflect.TypeFor[Unit]() {
		return nil, nil
	}
	if t == reflect.TypeFor[Char]() {
		return Prim(Char32), nil
	}
	zero := reflect.Zero(t).Interface()
	switch v := zero.(type) {
	case Enumeration:
		return unsigned(t, len(v.WITCases()))(NewEnum(v.WITCases()...))
	case FlagSet:
		if len(v.WITFlags()) > t.Bits() {
			return nil, fmt.Errorf("%v is too small for its %d labels", t, len(v.WITFlags()))
		}
		return unsigned(t, 0)(NewFlags(v.WITFlags()...))
	case interface{ wit() Kind }:
		return derived(t, v.wit(), zero)
	}
	if k, ok := prims[t.Kind()]; ok {
		return Prim(k), nil
	}
	switch t.Kind() {
	case reflect.Slice:
		elem, err := payload(t.Elem())
		if err != nil {
			return nil, err
		}
		return NewList(elem), nil
	case reflect.Struct:
		if shape, ok, err := variantShape(t); ok || err != nil {
			return shape.typ, err
		}
		fields, err := structFields(t)
		if err != nil {
			return nil, err
		}
		return NewRecord(fields...)
	}
	return nil, fmt.Errorf("%v has no WIT type", t)
}

// unsigned checks the Go type of an enum or flags.
func unsigned(t reflect.Type, cases int) func(*Type, error) (*Type, error) {
	return func(w *Type, err error) (*Type, error) {
		switch t.Kind() {
		case reflect.Uint8, reflect.Uint16, reflect.Uint32:
			if cases > 1<<t.Bits() {
				return nil, fmt.Errorf("%v is too small for its %d cases", t, cases)
			}
			return w, err
		}
		return nil, fmt.Errorf("%v must be uint8, uint16 or uint32", t)
	}
}

// payload is TypeOf where there must be a value.
func payload(t reflect.Type) (*Type, error) {
	w, err := TypeOf(t)
	if err == nil && w == nil {
		err = fmt.Errorf("%v is no value", t)
	}
	return w, err
}

// derived returns the type of this package's generic types.
func derived(t reflect.Type, k Kind, zero any) (*Type, error) {
	switch k {
	case OwnOf:
		return NewOwn(zero.(handleType).resource()), nil
	case BorrowOf:
		return NewBorrow(zero.(handleType).resource()), nil
	case OptionOf:
		some, err := payload(t.Field(1).Type)
		if err != nil {
			return nil, err
		}
		return NewOption(some)
	case ResultOf:
		ok, err := TypeOf(t.Field(1).Type)
		if err != nil {
			return nil, err
		}
		fail, err := TypeOf(t.Field(2).Type)
		if err != nil {
			return nil, err
		}
		return NewResult(ok, fail)
	}
	fields, err := structFields(t)
	if err != nil {
		return nil, err
	}
	types := make([]*Type, len(fields))
	for i, f := range fields {
		types[i] = f.Type
	}
	return NewTuple(types...)
}

func structFields(t reflect.Type) ([]Field, error) {
	var fields []Field
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			return nil, fmt.Errorf("%v.%s is not exported", t, f.Name)
		}
		w, err := payload(f.Type)
		if err != nil {
			return nil, fmt.Errorf("%v.%s: %w", t, f.Name, err)
		}
		fields = append(fields, Field{fieldName(f), w})
	}
	return fields, nil
}

func fieldName(f reflect.StructField) string {
	if tag := f.Tag.Get("wit"); tag != "" {
		return tag
	}
	return kebab(f.Name)
}

// kebab writes a Go name in WIT's way: MaxBytes is max-bytes, FinalURL final-url.
func kebab(name string) string {
	var s strings.Builder
	rs := []rune(name)
	for i, r := range rs {
		upper := unicode.IsUpper(r)
		if i > 0 && upper && (!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])) {
			s.WriteByte('-')
		}
		s.WriteRune(unicode.ToLower(r))
	}
	return s.String()
}

// variant is the shape of a Go struct that is a WIT variant.
type variant struct {
	typ     *Type
	payload []int // per case the index of the field that holds its payload, or -1
}

// caseTag marks the first field of a variant's struct, whose type is an
// Enumeration of the cases. Each further field is the payload of the cases that
// its tag names, by default of the one with its own name.
const caseTag = ",case"

func variantShape(t reflect.Type) (v variant, ok bool, err error) {
	if t.NumField() == 0 || t.Field(0).Tag.Get("wit") != caseTag {
		return v, false, nil
	}
	enum, isEnum := reflect.Zero(t.Field(0).Type).Interface().(Enumeration)
	if !isEnum {
		return v, true, fmt.Errorf("%v.%s has no WITCases", t, t.Field(0).Name)
	}
	if _, err := TypeOf(t.Field(0).Type); err != nil {
		return v, true, err
	}
	cases := labels(enum.WITCases())
	index := map[string]int{}
	for i, c := range cases {
		v.payload = append(v.payload, -1)
		index[c.Name] = i
	}
	for i := 1; i < t.NumField(); i++ {
		f := t.Field(i)
		w, err := payload(f.Type)
		if err != nil {
			return v, true, fmt.Errorf("%v.%s: %w", t, f.Name, err)
		}
		for name := range strings.SplitSeq(fieldName(f), ",") {
			c, known := index[name]
			if !known || v.payload[c] >= 0 {
				return v, true, fmt.Errorf("%v.%s: no case %q without a payload", t, f.Name, name)
			}
			v.payload[c], cases[c].Type = i, w
		}
	}
	v.typ, err = NewVariant(cases...)
	return v, true, err
}
