package canon

import (
	"context"
	"strings"
	"testing"
)

type bindCase uint8

func (bindCase) WITCases() []string { return []string{"gone", "new-case"} }

type request struct {
	Path  string
	Limit Option[uint32]
}

// TestBindByName: the guest was compiled against other types.
func TestBindByName(t *testing.T) {
	u32, str := Prim(U32), Prim(String)
	param := func(w *Type) FuncType { return FuncType{Params: []Field{{"r", w}}} }
	result := func(w *Type) FuncType { return FuncType{Result: w} }
	take := Proc1("take", func(context.Context, request) {})
	give := Func0("give", func(context.Context) request { return request{} })
	takeFlags := Proc1("take", func(context.Context, perms) {})
	takeCase := Proc1("take", func(context.Context, bindCase) {})
	for _, tt := range []struct {
		name, want string
		host       HostFunc
		guest      FuncType
	}{
		{"same in another order", "", take, param(must(NewRecord(Field{"limit", must(NewOption(u32))}, Field{"path", str})))},
		{"missing option", "", take, param(must(NewRecord(Field{"path", str})))},
		{"missing field", "does not give the host's field path", take, param(must(NewRecord(Field{"limit", must(NewOption(u32))})))},
		{"unknown field", "guest's field colour", take, param(must(NewRecord(Field{"path", str}, Field{"colour", u32})))},
		{"other type", "host has string, guest has u32", take, param(must(NewRecord(Field{"path", u32})))},
		{"result without a field", "", give, result(must(NewRecord(Field{"path", str})))},
		{"result with an unknown field", "guest's field size", give, result(must(NewRecord(Field{"size", u32})))},
		{"unknown flag", "guest's flag sticky", takeFlags, param(must(NewFlags("read", "sticky")))},
		{"fewer cases", "", takeCase, param(must(NewEnum("new-case")))},
		{"unknown case", "case lost: host does not know it", takeCase, param(must(NewEnum("gone", "lost")))},
		{"other arity", "differ in the number", take, FuncType{}},
	} {
		_, err := tt.host.Bind(tt.guest)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestBoundCodecs: values arrive by name.
func TestBoundCodecs(t *testing.T) {
	var got request
	var bits perms
	take, err := Proc2("take", func(_ context.Context, r request, p perms) { got, bits = r, p }).Bind(FuncType{Params: []Field{
		{"r", must(NewRecord(Field{"limit", must(NewOption(Prim(U32)))}, Field{"path", Prim(String)}))},
		{"p", must(NewFlags("run", "read"))}}})
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, take)
	stack := []uint64{1, 7, uint64(g.put([]byte("p"))), 1, 1}
	take.Call(g.ctx, g.cx, stack)
	if got.Path != "p" || got.Limit != Some(uint32(7)) || bits != 4 {
		t.Errorf("host got %+v, flags %b", got, bits)
	}
}

func TestHostCaseUnknownToGuest(t *testing.T) {
	fail := Func0("fail", func(context.Context) Result[Unit, errorCode] {
		return Err[Unit](errorCode{Case: quota})
	})
	for _, tt := range []struct {
		name, want, trap string
		cases            []Field
	}{
		{"with unknown", "quota", "", []Field{{Name: "not-found"}, {"unknown", Prim(String)}}},
		{"without", "", "host answers with case quota, which the guest does not know", []Field{{Name: "not-found"}}},
	} {
		w := must(NewResult(nil, must(NewVariant(tt.cases...))))
		f, err := fail.Bind(FuncType{Result: w})
		if err != nil {
			t.Fatal(err)
		}
		g := start(t, f)
		to := g.put(make([]byte, w.size))
		if got := trapped(func() { f.Call(g.ctx, g.cx, []uint64{uint64(to)}) }); got != tt.trap {
			t.Errorf("%s: trap %q", tt.name, got)
		}
		if tt.trap != "" {
			continue
		}
		if v := g.cx.Load(w, to).Ref.(Value); v.Bits != 1 || v.Ref != (Value{Ref: tt.want}) {
			t.Errorf("%s: guest got %+v", tt.name, v)
		}
	}
}
