package canon

import (
	"context"
	"testing"

	"pgregory.net/rapid"
)

// TestHandlesAgainstModel does random things to a table and to a map which has
// the specification's rules in their plainest form.
func TestHandlesAgainstModel(t *testing.T) {
	type entry struct {
		rt         *ResourceType
		rep, lends uint32
		own        bool
	}
	rapid.Check(t, func(t *rapid.T) {
		ctx, destroyed := context.Background(), 0
		dtor := func(context.Context, *Resource) { destroyed++ }
		types := []*ResourceType{{Name: "a", Destroy: dtor}, {Name: "b", Destroy: dtor}}
		in := &Instance{scopes: []uint32{0}}
		model, lent, gone := map[uint32]*entry{}, []uint32{}, 0
		add := func(i uint32, e *entry) {
			if model[i] != nil || i == 0 {
				t.Fatalf("handle %d is taken", i)
			}
			model[i] = e
		}
		pick := func() (uint32, *ResourceType, *entry) {
			i, rt := rapid.Uint32Range(0, 12).Draw(t, "handle"), rapid.SampledFrom(types).Draw(t, "type")
			if e := model[i]; e != nil && e.rt == rt {
				return i, rt, e
			}
			return i, rt, nil
		}
		expect := func(ok bool, do func()) {
			if reason := trapped(do); (reason == "") != ok {
				t.Fatalf("trap %q, want success: %v", reason, ok)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"new": func(t *rapid.T) {
				rt, rep := rapid.SampledFrom(types).Draw(t, "type"), rapid.Uint32().Draw(t, "rep")
				add(in.ResourceNew(rt, rep), &entry{rt: rt, rep: rep, own: true})
			},
			"borrow": func(t *rapid.T) {
				rt := rapid.SampledFrom(types).Draw(t, "type")
				add(in.lowerBorrow(&Resource{Type: rt, Rep: 3}), &entry{rt: rt, rep: 3})
			},
			"drop": func(*rapid.T) {
				i, rt, e := pick()
				expect(e != nil && e.lends == 0, func() { in.ResourceDrop(ctx, rt, i) })
				if e != nil && e.lends == 0 {
					delete(model, i)
					if e.own {
						gone++
					}
				}
			},
			"give": func(*rapid.T) {
				i, rt, e := pick()
				ok := e != nil && e.own && e.lends == 0
				expect(ok, func() { in.liftOwn(i, rt) })
				if ok {
					delete(model, i)
				}
			},
			"lend": func(*rapid.T) {
				i, rt, e := pick()
				expect(e != nil, func() { in.liftBorrow(i, rt) })
				if e != nil {
					e.lends++
					lent = append(lent, i)
				}
			},
			"return": func(t *rapid.T) {
				mark := rapid.IntRange(0, len(lent)).Draw(t, "mark")
				in.endLends(mark)
				for _, i := range lent[mark:] {
					model[i].lends--
				}
				lent = lent[:mark]
			},
			"": func(t *rapid.T) {
				borrows := uint32(0)
				for i, e := range model {
					if got := in.ResourceRep(e.rt, i); got != e.rep {
						t.Fatalf("handle %d stands for %d, want %d", i, got, e.rep)
					}
					if !e.own {
						borrows++
					}
				}
				if in.Handles() != len(model) || in.scopes[0] != borrows || destroyed != gone {
					t.Fatalf("%d handles, %d borrows, %d destroyed; want %d, %d, %d", in.Handles(), in.scopes[0], destroyed, len(model), borrows, gone)
				}
			},
		})
	})
}

func TestHandleLimit(t *testing.T) {
	in := &Instance{table: table{entries: make([]handle, maxHandles)}}
	if got := trapped(func() { in.ResourceNew(&ResourceType{}, 1) }); got != "too many handles" {
		t.Errorf("trap %q", got)
	}
}

// TestDefinerGetsTheRepresentation: a borrow of its own resource costs an
// instance no handle.
func TestDefinerGetsTheRepresentation(t *testing.T) {
	in := new(Instance)
	if got := in.lowerBorrow(&Resource{Type: &ResourceType{Impl: in}, Rep: 77}); got != 77 || in.Handles() != 0 {
		t.Errorf("got %d and %d handles", got, in.Handles())
	}
}

// TestDestructorNeedsAnIdleDefiner: dropping from elsewhere enters the instance
// that defines the resource.
func TestDestructorNeedsAnIdleDefiner(t *testing.T) {
	ctx, definer, user := context.Background(), new(Instance), new(Instance)
	ran := false
	rt := &ResourceType{Name: "r", Impl: definer, Destroy: func(context.Context, *Resource) { ran = definer.inside }}
	definer.inside = true
	i := user.lowerOwn(&Resource{Type: rt})
	if got := trapped(func() { user.ResourceDrop(ctx, rt, i) }); got != "cannot enter component instance" {
		t.Errorf("busy: trap %q", got)
	}
	definer.inside = false
	i = user.lowerOwn(&Resource{Type: rt})
	if got := trapped(func() { user.ResourceDrop(ctx, rt, i) }); got != "" || !ran || definer.inside {
		t.Errorf("idle: trap %q, ran inside: %v, still inside: %v", got, ran, definer.inside)
	}
}
