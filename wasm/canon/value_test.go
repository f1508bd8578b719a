package canon

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// anyType draws a type without handles.
func anyType(t *rapid.T, depth int) *Type {
	k := rapid.IntRange(int(Bool), int(Flags)).Draw(t, "kind")
	if depth == 0 {
		k = 1 + k%int(String)
	}
	part := func() *Type { return anyType(t, depth-1) }
	fields := func() []Field {
		fs := make([]Field, rapid.IntRange(1, 4).Draw(t, "fields"))
		for i := range fs {
			fs[i] = Field{fmt.Sprint("f", i), part()}
		}
		return fs
	}
	switch Kind(k) {
	case List:
		return NewList(part())
	case Record:
		return must(NewRecord(fields()...))
	case Tuple:
		return must(NewTuple(part(), part()))
	case Variant:
		return must(NewVariant(append(fields(), Field{Name: "none"})...))
	case Enum:
		return must(NewEnum(cases(rapid.IntRange(1, 300).Draw(t, "cases"))...))
	case OptionOf:
		return must(NewOption(part()))
	case ResultOf:
		return must(NewResult(part(), nil))
	case Flags:
		return must(NewFlags(cases(rapid.IntRange(1, 32).Draw(t, "labels"))...))
	}
	return Prim(Kind(k))
}

// anyValue draws a value of typ.
func anyValue(t *rapid.T, typ *Type) Value {
	switch typ.kind {
	case Char32:
		return Value{Bits: uint64(rapid.Rune().Draw(t, "char"))}
	case String:
		return Value{Ref: rapid.OneOf(rapid.String(), rapid.StringMatching("[a-zé]*")).Draw(t, "string")}
	case List:
		if typ.elem.kind == U8 {
			return Value{Ref: rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")}
		}
		vs := make([]Value, rapid.IntRange(0, 4).Draw(t, "length"))
		for i := range vs {
			vs[i] = anyValue(t, typ.elem)
		}
		return Value{Ref: vs}
	case Record, Tuple:
		vs := make([]Value, len(typ.fields))
		for i, f := range typ.fields {
			vs[i] = anyValue(t, f.Type)
		}
		return Value{Ref: vs}
	case Variant, Enum, OptionOf, ResultOf:
		v := Value{Bits: uint64(rapid.IntRange(0, len(typ.fields)-1).Draw(t, "case"))}
		if p := typ.fields[v.Bits].Type; p != nil {
			v.Ref = anyValue(t, p)
		}
		return v
	}
	return Value{Bits: scalar(typ, rapid.Uint64().Draw(t, "bits"))}
}

func TestLiftOfLowerIsTheValue(t *testing.T) {
	g := start(t)
	rapid.Check(t, func(t *rapid.T) {
		cx := g.encoded(Encoding(rapid.IntRange(0, 2).Draw(t, "encoding")))
		typ := anyType(t, 3)
		want := anyValue(t, typ)
		in := cx.Instance()
		in.lifted = 0
		g.Memory().Grow(1) // the guest never frees
		to := cx.alloc(g.ctx, uint64(typ.size), typ.align)
		cx.Store(g.ctx, typ, want, to)
		if got := cx.Load(typ, to); !reflect.DeepEqual(got, want) {
			t.Fatalf("through memory: %+v, want %+v", got, want)
		}
		if flat, ok := typ.Flat(); ok {
			stack := make([]uint64, len(flat))
			cx.LowerFlat(g.ctx, typ, want, stack)
			if got := cx.LiftFlat(typ, stack); !reflect.DeepEqual(got, want) {
				t.Fatalf("through flat values: %+v, want %+v", got, want)
			}
		}
	})
}

// TestLiftTraps has each check of the specification for values in memory.
func TestLiftTraps(t *testing.T) {
	g := start(t)
	utf8, utf16, latin := g.cx, g.encoded(UTF16), g.encoded(Latin1OrUTF16)
	end := g.Memory().Size()
	rt := &ResourceType{Name: "r"}
	str, u8s, u64s := Prim(String), NewList(Prim(U8)), NewList(Prim(U64))
	bad, lone := g.put([]byte{0xff, 0xfe, 0, 0}), g.put([]byte{0x3d, 0xd8})
	tests := []struct {
		name, want string
		cx         *Context
		typ        *Type
		flat       []uint64
	}{
		{"surrogate char", "invalid char", utf8, Prim(Char32), []uint64{0xd800}},
		{"char too large", "invalid char", utf8, Prim(Char32), []uint64{0x110000}},
		{"case", "invalid enum discriminant 2 of 2 cases", utf8, must(NewEnum("a", "b")), []uint64{2}},
		{"case with high bits", "invalid option discriminant 4294967295 of 2 cases", utf8, must(NewOption(str)), []uint64{1<<32 - 1, 0, 0}},
		{"string past the end", "pointer is out of bounds of memory", utf8, str, []uint64{uint64(end), 1}},
		{"string that wraps around", "pointer is out of bounds of memory", utf8, str, []uint64{1<<32 - 8, 16}},
		{"empty string past the end", "pointer is out of bounds of memory", utf8, str, []uint64{uint64(end) + 1, 0}},
		{"string too long", "list or string is too long", utf8, str, []uint64{0, 1 << 28}},
		{"utf-8", "string is not valid UTF-8", utf8, str, []uint64{uint64(bad), 2}},
		{"utf-16 alignment", "unaligned pointer", utf16, str, []uint64{1, 0}},
		{"utf-16 surrogate", "string is not valid UTF-16", utf16, str, []uint64{uint64(lone), 1}},
		{"latin-1 alignment", "unaligned pointer", latin, str, []uint64{1, 1}},
		{"tagged utf-16 too long", "list or string is too long", latin, str, []uint64{0, 1<<32 - 1}},
		{"list alignment", "unaligned pointer", utf8, u64s, []uint64{4, 0}},
		{"list length overflows 32 bits", "list or string is too long", utf8, u64s, []uint64{0, 1 << 29}},
		{"list past the end", "pointer is out of bounds of memory", utf8, u8s, []uint64{1, uint64(end)}},
		{"no memory", "the function has no memory option", utf8.With(Options{}), str, []uint64{0, 0}},
		{"forged handle", "unknown handle index", utf8, NewOwn(rt), []uint64{7}},
		{"handle zero", "unknown handle index", utf8, NewBorrow(rt), []uint64{0}},
	}
	for _, tt := range tests {
		if got := trapped(func() { tt.cx.LiftFlat(tt.typ, tt.flat) }); got != tt.want {
			t.Errorf("%s: trap %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := trapped(func() { utf8.Load(Prim(U32), 2) }); got != "unaligned pointer" {
		t.Errorf("load of a misaligned u32: trap %q", got)
	}
}

// TestReallocTraps: what realloc returns is checked before it is written to.
func TestReallocTraps(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		to         uint64
	}{
		{"unaligned", "realloc returned an unaligned pointer", 4},
		{"at the end", "realloc returned a pointer out of bounds of memory", 1 << 20},
		{"far out", "realloc returned a pointer out of bounds of memory", 1<<32 - 8},
	} {
		evil := HostFunc{Name: "evil", Params: []byte{i32, i32, i32, i32}, Results: []byte{i32},
			Call: func(_ context.Context, _ *Context, stack []uint64) { stack[0] = tt.to }}
		g := start(t, evil)
		o := g.cx.opts
		o.Realloc = g.ExportedFunction("call-evil")
		list := Value{Ref: []Value{{Bits: 1}}}
		if got := trapped(func() { g.cx.With(o).LowerFlat(g.ctx, NewList(Prim(U64)), list, make([]uint64, 2)) }); got != tt.want {
			t.Errorf("%s: trap %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestOverlappingListsAreBounded: a list of lists that all are the same bytes.
func TestOverlappingListsAreBounded(t *testing.T) {
	g := start(t)
	const n = 1 << 12
	b := make([]byte, 0, 8*n)
	for range n {
		b = append(b, 0, 0, 0, 0, 0, 0, 2, 0) // ptr 0, 128 KiB
	}
	at := g.put(b)
	got := trapped(func() { g.cx.LiftFlat(NewList(NewList(Prim(U8))), []uint64{uint64(at), n}) })
	if got != "values lifted are larger than the memory they are in" {
		t.Errorf("trap %q", got)
	}
}

func TestNaNsAreCanonical(t *testing.T) {
	g := start(t)
	if v := g.cx.LiftFlat(Prim(F32), []uint64{0xffc12345}); v.Bits != canonicalNaN32 {
		t.Errorf("f32 NaN lifted as %#x", v.Bits)
	}
	var flat [1]uint64
	g.cx.LowerFlat(g.ctx, Prim(F64), Value{Bits: 0x7ff0000000000001}, flat[:])
	if flat[0] != canonicalNaN64 {
		t.Errorf("f64 NaN lowered as %#x", flat[0])
	}
}

// FuzzLift: whatever is in memory, a lift gives a value or a *Trap.
func FuzzLift(f *testing.F) {
	inner := must(NewVariant(Field{"a", Prim(String)}, Field{"b", NewList(Prim(U16))}, Field{"c", Prim(F64)}))
	typ := must(NewRecord(Field{"l", NewList(inner)}, Field{"o", must(NewOption(Prim(Char32)))}, Field{"h", NewOwn(&ResourceType{Name: "r"})}))
	f.Add([]byte{}, uint32(0), byte(0))
	f.Add([]byte{8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, uint32(0), byte(1))
	f.Add([]byte("\x00\x00\x00\x00\xff\xff\xff\xff"), uint32(0), byte(2))
	g := start(f)
	f.Fuzz(func(t *testing.T, mem []byte, at uint32, encoding byte) {
		cx := g.encoded(Encoding(encoding % 3))
		cx.Instance().lifted = 0
		g.Memory().Write(0, mem[:min(len(mem), 1<<16)])
		trapped(func() { cx.Load(typ, at) })
	})
}
