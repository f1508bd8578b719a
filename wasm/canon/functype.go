package canon

import "github.com/tetratelabs/wazero/api"

// FuncType is the type of a WIT function.
type FuncType struct {
	Params []Field // in order; names are empty for host functions
	Result *Type   // nil if there is none
}

// FlatFunc is how a function is called in core WebAssembly.
type FlatFunc struct {
	Params, Results []api.ValueType
	SpillParams     bool // parameters are a tuple in memory, whose address is the only parameter
	SpillResult     bool // the result is in memory: see FlattenLower, FlattenLift
}

// FlattenLower returns the signature by which a guest imports a function of
// type ft. The address to put a spilled result at is the last parameter.
func (ft FuncType) FlattenLower() FlatFunc {
	f := ft.flatten()
	if f.SpillResult {
		f.Params = append(f.Params, i32)
		f.Results = nil
	}
	return f
}

// FlattenLift returns the signature by which a guest exports a function of
// type ft. A spilled result's address is the core function's result.
func (ft FuncType) FlattenLift() FlatFunc {
	f := ft.flatten()
	if f.SpillResult {
		f.Results = []api.ValueType{i32}
	}
	return f
}

func (ft FuncType) flatten() FlatFunc {
	var f FlatFunc
	for _, p := range ft.Params {
		if len(f.Params)+len(p.Type.flat) > MaxFlatParams {
			f.Params, f.SpillParams = []api.ValueType{i32}, true
			break
		}
		f.Params = append(f.Params, p.Type.flat...)
	}
	if ft.Result != nil {
		f.SpillResult = len(ft.Result.flat) > MaxFlatResults
		if !f.SpillResult {
			f.Results = append(f.Results, ft.Result.flat...)
		}
	}
	return f
}

// paramsLayout returns where each parameter is in a spilled tuple.
func (ft FuncType) paramsLayout() (offsets []uint32, size uint64, align uint32) {
	align = 1
	for _, p := range ft.Params {
		size = alignTo(size, p.Type.align)
		offsets = append(offsets, uint32(size))
		size += uint64(p.Type.size)
		align = max(align, p.Type.align)
	}
	return offsets, alignTo(size, align), align
}
