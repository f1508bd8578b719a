package canon

import (
	"context"

	"github.com/tetratelabs/wazero/api"
)

// Drop makes the function by which core-module guests drop handles of T:
// "[resource-drop]" and the resource's name. Components have canon
// resource.drop instead.
func Drop[T HostResource]() HostFunc {
	rt := resourceOf[T]()
	return HostFunc{
		Name: "[resource-drop]" + rt.Name, Params: []api.ValueType{i32},
		Type: FuncType{Params: []Field{{Type: NewOwn(rt)}}},
		Call: func(ctx context.Context, cx *Context, stack []uint64) {
			cx.Instance().ResourceDrop(ctx, rt, uint32(stack[0]))
		},
	}
}
