package canon

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
)

type fileErr uint8

const (
	notFound fileErr = iota
	quota
	unknown
)

func (fileErr) WITCases() []string { return []string{"not-found", "quota", "unknown"} }

type errorCode struct {
	Case fileErr `wit:",case"`
	Text string  `wit:"unknown"`
}

type perms uint8

func (perms) WITFlags() []string { return []string{"read", "write", "run"} }

type stat struct {
	Size     uint64
	Modified Option[int64]
	Perm     perms
	FinalURL string
	Mark     Char
	Tags     []string
	Ratio    float32
	Pair     Tuple2[bool, int16]
	Why      errorCode
	Body     []byte
}

var sample = stat{
	Size: 1 << 40, Modified: Some(int64(-5)), Perm: 5, FinalURL: "http://é", Mark: '☃', Tags: []string{"a", "", "b"},
	Ratio: 1.5, Pair: Tuple2[bool, int16]{true, -7}, Why: errorCode{unknown, "why"}, Body: []byte{1, 2, 3},
}

type file struct {
	name    string
	dropped int
}

func (*file) WITResource() string    { return "file" }
func (f *file) Drop(context.Context) { f.dropped++ }

// TestRoundTripThroughGuest calls a guest, which calls the host, with values of
// every kind, spilled both ways.
func TestRoundTripThroughGuest(t *testing.T) {
	var got stat
	echo := Func1("echo", func(_ context.Context, s stat) uint32 { got = s; return 9 })
	give := Func2("give", func(_ context.Context, a string, b []byte) Result[stat, errorCode] {
		if a != "päth" || len(b) != 2 {
			return Err[stat](errorCode{Case: quota})
		}
		return Ok[stat, errorCode](sample)
	})
	g := start(t, echo, give)
	n, err := NewExport1[stat, uint32]("call-echo").Call(g.ctx, g, sample)
	if err != nil || n != 9 || !reflect.DeepEqual(got, sample) {
		t.Errorf("guest passed %+v, %v, %v", got, n, err)
	}
	// The host's result goes where the guest says; read it as the guest would.
	path, data := g.put([]byte("päth")), g.put([]byte{1, 2})
	to := g.put(make([]byte, give.Type.Result.size))
	stack := []uint64{uint64(path), 5, uint64(data), 2, uint64(to)}
	if err := g.ExportedFunction("call-give").CallWithStack(g.ctx, stack); err != nil {
		t.Fatal(err)
	}
	v := g.cx.Load(give.Type.Result, to)
	rec, ok := v.Ref.(Value)
	if v.Bits != 0 || !ok || rec.Ref.([]Value)[3].Ref != sample.FinalURL {
		t.Errorf("guest received %+v", v)
	}
}

// TestCodecsAgreeWithValues: typed codecs and dynamic values have one layout.
func TestCodecsAgreeWithValues(t *testing.T) {
	g := start(t)
	typ, err := TypeOf(reflect.TypeFor[stat]())
	if err != nil {
		t.Fatal(err)
	}
	c, err := compile(reflect.TypeFor[stat](), typ, typ, toHost)
	if err != nil {
		t.Fatal(err)
	}
	at := g.put(make([]byte, typ.size+8))
	c.store(g.ctx, g.cx, at, pointer(&sample))
	v := g.cx.Load(typ, at)
	g.cx.Store(g.ctx, typ, v, at)
	var got stat
	c.load(g.cx, g.cx.view(at, uint64(typ.size), typ.align), pointer(&got))
	if !reflect.DeepEqual(got, sample) {
		t.Errorf("got %+v by way of %+v", got, v)
	}
}

func TestResources(t *testing.T) {
	f := &file{name: "f"}
	open := Func0("open", func(context.Context) Own[*file] { return Own[*file]{f} })
	name := Func1("name", func(_ context.Context, self Borrow[*file]) uint32 { return uint32(len(self.Value.name)) })
	take := Proc1("take", func(context.Context, Own[*file]) {})
	g := start(t, open, name, take, Drop[*file]())
	call := func(name string, args ...uint64) (uint64, error) {
		stack := append(args, 0)
		err := g.ExportedFunction("call-"+name).CallWithStack(g.ctx, stack)
		return stack[0], err
	}
	h, _ := call("open")
	if n, err := call("name", h); n != 1 || err != nil {
		t.Errorf("method of a borrow: %v, %v", n, err)
	}
	if _, err := call("[resource-drop]file", h); err != nil || f.dropped != 1 {
		t.Errorf("drop: %v, dropped %d times", err, f.dropped)
	}
	var trap *Trap
	if _, err := call("[resource-drop]file", h); !errors.As(err, &trap) || f.dropped != 1 {
		t.Errorf("second drop: %v, dropped %d times", err, f.dropped)
	}
	h, _ = call("open")
	if _, err := call("take", h); err != nil || g.cx.Instance().Handles() != 0 {
		t.Errorf("own passed to the host: %v, %d handles left", err, g.cx.Instance().Handles())
	}
	call("open")
	g.cx.Instance().Close(g.ctx)
	if f.dropped != 2 {
		t.Errorf("dropped %d times after the instance", f.dropped)
	}
}

func TestExportFaults(t *testing.T) {
	drop := Drop[*file]()
	keep := Proc1("keep", func(context.Context, Own[*file]) { panic("not reached") })
	keep.Call = func(context.Context, *Context, []uint64) {}
	badPtr := HostFunc{Name: "text", Results: []byte{i32}, Call: func(_ context.Context, _ *Context, s []uint64) { s[0] = 2 }}
	trap := Proc0("trap", func(context.Context) { Fail("told so") })
	g := start(t, drop, keep, badPtr, trap)
	lend := NewExportProc1[Borrow[*file]]
	fresh := func() *guest { g.cx = g.cx.With(g.cx.opts); g.cx.inst = new(Instance); return g }
	ctx := context.Background()
	for _, tt := range []struct {
		name, want string
		call       func(Callee) error
	}{
		{"borrow is dropped in time", "", func(c Callee) error { return lend("call-[resource-drop]file").Call(ctx, c, Borrow[*file]{&file{}}) }},
		{"borrow outlives its call", "borrow handles still remain", func(c Callee) error { return lend("call-keep").Call(ctx, c, Borrow[*file]{&file{}}) }},
		{"result at a bad address", "unaligned pointer", func(c Callee) error { _, err := NewExport0[string]("call-text").Call(ctx, c); return err }},
		{"host function traps", "told so", func(c Callee) error { return NewExportProc0("call-trap").Call(ctx, c) }},
		{"no such export", "no such export", func(c Callee) error { return NewExportProc0("call-none").Call(ctx, c) }},
		{"other signature", "no such export", func(c Callee) error { return NewExportProc0("call-text").Call(ctx, c) }},
	} {
		err := tt.call(fresh())
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	c := fresh()
	_ = NewExportProc0("call-trap").Call(ctx, c)
	if err := NewExportProc0("call-trap").Call(ctx, c); err == nil || !strings.Contains(err.Error(), "cannot enter") {
		t.Errorf("an instance that trapped is entered: %v", err)
	}
}

func TestLeaveWhileReallocRuns(t *testing.T) {
	nosy := Func4("nosy", func(_ context.Context, _, _, _, _ uint32) uint32 { return 64 })
	g := start(t, nosy)
	o := g.cx.opts
	o.Realloc = g.ExportedFunction("call-nosy")
	defer func() {
		if err, _ := recover().(error); err == nil || !strings.Contains(err.Error(), "cannot leave") {
			t.Errorf("realloc called the host: %v", err)
		}
	}()
	g.cx.With(o).LowerFlat(g.ctx, Prim(String), Value{Ref: "x"}, make([]uint64, 2))
}

func TestScalarCallDoesNotAllocate(t *testing.T) {
	g := start(t, Func2("add", func(_ context.Context, a uint32, b int64) int64 { return int64(a) + b }))
	f, stack := g.ExportedFunction("call-add"), make([]uint64, 2)
	n := testing.AllocsPerRun(100, func() {
		stack[0], stack[1] = 2, 3
		if f.CallWithStack(g.ctx, stack) != nil || stack[0] != 5 {
			t.Fatal("2 + 3 is not 5")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestKebab(t *testing.T) {
	for in, want := range map[string]string{"MaxBytes": "max-bytes", "FinalURL": "final-url", "HTTPStatus": "http-status", "A": "a", "F0": "f0"} {
		if got := kebab(in); got != want {
			t.Errorf("kebab(%q) = %q, want %q", in, got, want)
		}
	}
}
