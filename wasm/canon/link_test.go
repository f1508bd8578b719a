package canon

import (
	"context"
	"testing"
)

// TestCallBetweenInstances passes a string and a borrow from one guest to
// another, which answers with a string, in different encodings.
func TestCallBetweenInstances(t *testing.T) {
	rt := &ResourceType{Name: "r"}
	ft := FuncType{Params: []Field{{"s", Prim(String)}, {"r", NewBorrow(rt)}}, Result: Prim(String)}
	var callee, caller *guest
	var inside Context
	flat := ft.FlattenLift()
	echo := HostFunc{Name: "echo", Params: flat.Params, Results: flat.Results,
		Call: func(ctx context.Context, cx *Context, s []uint64) {
			inside = *cx
			cx.Instance().ResourceDrop(ctx, rt, uint32(s[2]))
			at := callee.cx.alloc(ctx, 8, 4)
			cx.put(at, 4, s[0])
			cx.put(at+4, 4, s[1])
			s[0] = uint64(at)
		}}
	posted := uint64(0)
	post := HostFunc{Name: "post", Params: flat.Results, Call: func(_ context.Context, cx *Context, s []uint64) {
		posted = s[0]
		if !cx.inst.stay {
			t.Error("post-return may leave")
		}
	}}
	callee = start(t, echo, post)
	lifted := LiftFunc(ft, callee.encoded(UTF16), callee.ExportedFunction("call-echo"), callee.ExportedFunction("call-post"))
	caller = start(t)
	lower := LowerFunc(ft, caller.cx, lifted)

	mine := caller.cx.Instance().ResourceNew(rt, 5)
	text, to := caller.put([]byte("å𝄞")), caller.put(make([]byte, 8))
	lower(caller.ctx, []uint64{uint64(text), 6, uint64(mine), uint64(to)})
	if got := caller.cx.Load(ft.Result, to); got.Ref != "å𝄞" {
		t.Errorf("answer %q", got.Ref)
	}
	if inside.inst != callee.cx.inst || posted == 0 {
		t.Errorf("the callee ran with the wrong context, or without post-return (%d)", posted)
	}
	if n := callee.cx.inst.Handles(); n != 0 || caller.cx.inst.table.entries[mine].lends != 0 {
		t.Errorf("%d handles left in the callee, or still lent in the caller", n)
	}
	callee.cx.inst.inside = true
	if got := trapped(func() { lower(caller.ctx, []uint64{uint64(text), 6, uint64(mine), uint64(to)}) }); got != "cannot enter component instance" {
		t.Errorf("call of a running instance: trap %q", got)
	}
}
