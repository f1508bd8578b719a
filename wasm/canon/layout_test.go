package canon

import (
	"strings"
	"testing"

	"github.com/tetratelabs/wazero/api"
)

func must(t *Type, err error) *Type {
	if err != nil {
		panic(err)
	}
	return t
}

func cases(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = strings.Repeat("x", i+1)
	}
	return names
}

// TestLayout has the sizes, alignments and flat types that the specification's
// rules give.
func TestLayout(t *testing.T) {
	u8, u16, u32, u64, fl, db, str := Prim(U8), Prim(U16), Prim(U32), Prim(U64), Prim(F32), Prim(F64), Prim(String)
	wide := make([]string, 257)
	for i := range wide {
		wide[i] = strings.Repeat("y", i)
	}
	rec := must(NewRecord(Field{"a", u8}, Field{"b", u64}, Field{"c", u16}))
	tests := []struct {
		name        string
		typ         *Type
		size, align uint32
		flat        string
	}{
		{"bool", Prim(Bool), 1, 1, "i32"},
		{"char", Prim(Char32), 4, 4, "i32"},
		{"s64", Prim(S64), 8, 8, "i64"},
		{"string", str, 8, 4, "i32 i32"},
		{"list", NewList(u64), 8, 4, "i32 i32"},
		{"record pads fields and its end", rec, 24, 8, "i32 i64 i32"},
		{"tuple", must(NewTuple(u8, u16)), 4, 2, "i32 i32"},
		{"flags of 8", must(NewFlags(cases(8)...)), 1, 1, "i32"},
		{"flags of 9", must(NewFlags(cases(9)...)), 2, 2, "i32"},
		{"flags of 17", must(NewFlags(cases(17)...)), 4, 4, "i32"},
		{"enum of 256", must(NewEnum(wide[:256]...)), 1, 1, "i32"},
		{"enum of 257", must(NewEnum(wide...)), 2, 2, "i32"},
		{"option", must(NewOption(u64)), 16, 8, "i32 i64"},
		{"empty result", must(NewResult(nil, nil)), 1, 1, "i32"},
		{"join i32 f32", must(NewResult(u32, fl)), 8, 4, "i32 i32"},
		{"join f32 f64", must(NewResult(fl, db)), 16, 8, "i32 i64"},
		{"join f32 f32", must(NewResult(fl, fl)), 8, 4, "i32 f32"},
		{"join i64 f64", must(NewResult(u64, db)), 16, 8, "i32 i64"},
		{"join string f32", must(NewResult(str, fl)), 12, 4, "i32 i32 i32"},
		{"own", NewOwn(&ResourceType{}), 4, 4, "i32"},
	}
	for _, tt := range tests {
		var flat []string
		for _, v := range tt.typ.flat {
			flat = append(flat, api.ValueTypeName(v))
		}
		if got := strings.Join(flat, " "); tt.typ.size != tt.size || tt.typ.align != tt.align || got != tt.flat {
			t.Errorf("%s: size %d align %d flat %q, want %d %d %q", tt.name, tt.typ.size, tt.typ.align, got, tt.size, tt.align, tt.flat)
		}
	}
}

func TestFlatteningLimits(t *testing.T) {
	u32 := Prim(U32)
	sixteen := FuncType{Params: make([]Field, 16), Result: Prim(String)}
	for i := range sixteen.Params {
		sixteen.Params[i].Type = u32
	}
	lower, lift := sixteen.FlattenLower(), sixteen.FlattenLift()
	if lower.SpillParams || len(lower.Params) != 17 || len(lower.Results) != 0 {
		t.Errorf("16 parameters and a string lower to %+v", lower)
	}
	if !lift.SpillResult || len(lift.Params) != 16 || len(lift.Results) != 1 {
		t.Errorf("16 parameters and a string lift as %+v", lift)
	}
	more := FuncType{Params: append(sixteen.Params, Field{Type: u32})}
	if f := more.FlattenLower(); !f.SpillParams || len(f.Params) != 1 {
		t.Errorf("17 parameters lower to %+v", f)
	}
}

// TestHostileTypes: types whose parts are shared stay small in the host.
func TestHostileTypes(t *testing.T) {
	typ, depth := Prim(U8), 0
	for ; depth < 64; depth++ {
		next, err := NewTuple(typ, typ)
		if err != nil {
			break
		}
		if typ = next; len(typ.flat) > tooFlat {
			t.Fatalf("%d flat types", len(typ.flat))
		}
	}
	if depth != 27 {
		t.Errorf("a type could be doubled %d times", depth)
	}
	if _, err := NewFlags(cases(33)...); err == nil {
		t.Error("33 flags are allowed")
	}
	if _, err := NewRecord(); err == nil {
		t.Error("an empty record is allowed")
	}
}
