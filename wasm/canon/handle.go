package canon

import (
	"context"
	"reflect"
)

// maxHandles bounds an instance's table: the specification's 2^28-1 would let
// one guest take gigabytes of the host's memory.
const maxHandles = 1 << 20

// ResourceType is the type of a resource. Types are equal if they are the same
// pointer, or stand for the same Go type of a host's resource.
type ResourceType struct {
	Name string
	Impl *Instance // the component instance that defines it; nil if the host does

	// Destroy runs when the last owner drops the resource; it may be nil. A
	// failure of the guest's destructor is a panic.
	Destroy func(ctx context.Context, r *Resource)

	host reflect.Type
}

func (t *ResourceType) is(u *ResourceType) bool {
	return t == u || t.host != nil && t.host == u.host
}

// Resource is what handles refer to.
type Resource struct {
	Type *ResourceType
	Rep  uint32 // of a guest's resource
	Obj  any    // of a host's resource
}

// handle is an entry of a table. res is nil in a free one.
type handle struct {
	res   *Resource
	own   bool
	lends uint32 // calls that this handle is lent to
	scope uint32 // of a borrow: the index of the export call it must not outlive
}

// table is an instance's handles; entry 0 is never used.
type table struct {
	entries []handle
	free    []uint32
}

func (t *table) add(h handle) uint32 {
	if n := len(t.free); n > 0 {
		i := t.free[n-1]
		t.free = t.free[:n-1]
		t.entries[i] = h
		return i
	}
	if len(t.entries) == 0 {
		t.entries = append(t.entries, handle{})
	}
	trapIf(len(t.entries) >= maxHandles, "too many handles")
	t.entries = append(t.entries, h)
	return uint32(len(t.entries) - 1)
}

func (t *table) get(i uint32, rt *ResourceType) *handle {
	trapIf(uint64(i) >= uint64(len(t.entries)) || t.entries[i].res == nil, "unknown handle index")
	h := &t.entries[i]
	if !h.res.Type.is(rt) {
		Fail("handle is a %s, not a %s", h.res.Type.Name, rt.Name)
	}
	return h
}

func (t *table) remove(i uint32) {
	t.entries[i] = handle{}
	t.free = append(t.free, i)
}

// Handles returns how many handles the instance holds.
func (in *Instance) Handles() int { return max(0, len(in.table.entries)-1-len(in.table.free)) }

// liftOwn takes handle i away from the guest.
func (in *Instance) liftOwn(i uint32, rt *ResourceType) *Resource {
	h := in.table.get(i, rt)
	trapIf(!h.own, "cannot transfer a borrow as own")
	trapIf(h.lends != 0, "cannot transfer a resource while it is lent")
	res := h.res
	in.table.remove(i)
	return res
}

// liftBorrow lends handle i to the running host call.
func (in *Instance) liftBorrow(i uint32, rt *ResourceType) *Resource {
	h := in.table.get(i, rt)
	h.lends++
	in.lent = append(in.lent, i)
	return h.res
}

// endLends returns what was lent since there were mark loans.
func (in *Instance) endLends(mark int) {
	if len(in.lent) == mark {
		return
	}
	for _, i := range in.lent[mark:] {
		in.table.entries[i].lends--
	}
	in.lent = in.lent[:mark]
}

// lowerOwn gives res to the guest.
func (in *Instance) lowerOwn(res *Resource) uint32 {
	return in.table.add(handle{res: res, own: true})
}

// lowerBorrow lends res to the guest until the running export call ends. The
// instance that defines the resource gets the representation itself.
func (in *Instance) lowerBorrow(res *Resource) uint32 {
	if res.Type.Impl == in {
		return res.Rep
	}
	if len(in.scopes) == 0 {
		panic("canon: borrow lowered outside of an export call")
	}
	scope := uint32(len(in.scopes) - 1)
	in.scopes[scope]++
	return in.table.add(handle{res: res, scope: scope})
}

// ResourceNew is canon resource.new: a new resource, owned by the guest.
func (in *Instance) ResourceNew(rt *ResourceType, rep uint32) uint32 {
	trapIf(in.stay, "cannot leave component instance")
	return in.table.add(handle{res: &Resource{Type: rt, Rep: rep}, own: true})
}

// ResourceRep is canon resource.rep.
func (in *Instance) ResourceRep(rt *ResourceType, i uint32) uint32 {
	return in.table.get(i, rt).res.Rep
}

// ResourceDrop is canon resource.drop: it ends a borrow, or the resource.
func (in *Instance) ResourceDrop(ctx context.Context, rt *ResourceType, i uint32) {
	trapIf(in.stay, "cannot leave component instance")
	h := *in.table.get(i, rt)
	trapIf(h.lends != 0, "cannot drop a resource while it is lent")
	in.table.remove(i)
	if !h.own {
		in.scopes[h.scope]--
		return
	}
	h.res.destroy(ctx, in)
}

// destroy runs the destructor. The defining instance may drop its own handles
// while it runs; to be entered from elsewhere it must be idle.
func (r *Resource) destroy(ctx context.Context, from *Instance) {
	if impl := r.Type.Impl; impl != nil && impl != from {
		trapIf(impl.inside, "cannot enter component instance")
		impl.inside = true
		defer func() { impl.inside = false }()
	}
	if r.Type.Destroy != nil {
		r.Type.Destroy(ctx, r)
	}
}

// Close drops all handles that the guest owns: for the end of an instance.
// Destructors of host resources run; a guest's do not, nothing of it may run.
func (in *Instance) Close(ctx context.Context) {
	entries := in.table.entries
	in.table = table{}
	for _, h := range entries {
		if h.res != nil && h.own && h.res.Type.Impl == nil && h.res.Type.Destroy != nil {
			h.res.Type.Destroy(ctx, h.res)
		}
	}
}
