package canon

import (
	"fmt"

	"github.com/tetratelabs/wazero/api"
)

// Limits of the canonical ABI.
const (
	MaxFlatParams  = 16        // more parameters than this are passed in memory
	MaxFlatResults = 1         // more results than this are passed in memory
	MaxFlags       = 32        // labels of one flags type
	MaxBytes       = 1<<28 - 1 // of one list, string or type, in a guest's memory
)

// tooFlat is the length at which flattening stops: the value goes through
// memory, and a type whose parts are shared must not grow exponentially.
const tooFlat = MaxFlatParams + 1

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
	f32 = api.ValueTypeF32
	f64 = api.ValueTypeF64
)

// layout is where a type's bytes and flat values are.
type layout struct {
	size, align uint32
	disc        uint32          // size of the discriminant, of a variant
	payload     uint32          // offset of the payload, of a variant
	offsets     []uint32        // of a record's fields
	flat        []api.ValueType // at most tooFlat of them
}

// Size returns the bytes that a value takes in memory.
func (t *Type) Size() uint32 { return t.size }

// Align returns the alignment of a value in memory.
func (t *Type) Align() uint32 { return t.align }

// Flat returns the core types that a value is flattened to, or ok = false if
// they are more than MaxFlatParams. The slice is t's own.
func (t *Type) Flat() (types []api.ValueType, ok bool) { return t.flat, len(t.flat) < tooFlat }

func primLayout(k Kind) layout {
	l := layout{size: 4, align: 4, flat: []api.ValueType{i32}}
	switch k {
	case Bool, S8, U8:
		l.size, l.align = 1, 1
	case S16, U16:
		l.size, l.align = 2, 2
	case S64, U64:
		l = layout{size: 8, align: 8, flat: []api.ValueType{i64}}
	case F32:
		l.flat = []api.ValueType{f32}
	case F64:
		l = layout{size: 8, align: 8, flat: []api.ValueType{f64}}
	case String:
		l = layout{size: 8, align: 4, flat: []api.ValueType{i32, i32}}
	}
	return l
}

func flagsLayout(n int) layout {
	size := uint32(4)
	switch {
	case n <= 8:
		size = 1
	case n <= 16:
		size = 2
	}
	return layout{size: size, align: size, flat: []api.ValueType{i32}}
}

func alignTo(n uint64, align uint32) uint64 {
	a := uint64(align)
	return (n + a - 1) &^ (a - 1)
}

func product(k Kind, fields []Field) (*Type, error) {
	l := layout{align: 1, offsets: make([]uint32, len(fields))}
	var size uint64
	for i, f := range fields {
		if f.Type == nil {
			return nil, fmt.Errorf("%s: field %q has no type", k, f.Name)
		}
		size = alignTo(size, f.Type.align)
		l.offsets[i] = uint32(size)
		size += uint64(f.Type.size)
		if size > MaxBytes {
			return nil, fmt.Errorf("%s is larger than %d bytes", k, MaxBytes)
		}
		l.align = max(l.align, f.Type.align)
		l.flat = append(l.flat, f.Type.flat[:min(len(f.Type.flat), tooFlat-len(l.flat))]...)
	}
	l.size = uint32(alignTo(size, l.align))
	return &Type{kind: k, fields: fields, layout: l}, nil
}

// discSize returns the bytes of the discriminant of n cases.
func discSize(n int) uint32 {
	switch {
	case n <= 1<<8:
		return 1
	case n <= 1<<16:
		return 2
	}
	return 4
}

func sum(k Kind, cases []Field) (*Type, error) {
	l := layout{disc: discSize(len(cases)), flat: []api.ValueType{i32}}
	l.align = l.disc
	var largest uint32
	for _, c := range cases {
		if c.Type == nil {
			continue
		}
		largest = max(largest, c.Type.size)
		l.align = max(l.align, c.Type.align)
		for i, v := range c.Type.flat {
			if i+1 == tooFlat {
				break
			}
			if i+1 == len(l.flat) {
				l.flat = append(l.flat, v)
				continue
			}
			l.flat[i+1] = join(l.flat[i+1], v)
		}
	}
	// The payload starts where the strictest payload may, which a wide
	// discriminant does not change.
	l.payload = uint32(alignTo(uint64(l.disc), payloadAlign(cases)))
	size := alignTo(uint64(l.payload)+uint64(largest), l.align)
	if size > MaxBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes", k, MaxBytes)
	}
	l.size = uint32(size)
	return &Type{kind: k, fields: cases, layout: l}, nil
}

func payloadAlign(cases []Field) uint32 {
	align := uint32(1)
	for _, c := range cases {
		if c.Type != nil {
			align = max(align, c.Type.align)
		}
	}
	return align
}

// join returns the core type that can carry either. Values travel as 64 bits,
// of which a narrow type uses the low half, the rest zero; reading takes the
// low half. So the specification's coercions between the joined type and a
// case's own (reinterpret, extend, wrap) need no code.
func join(a, b api.ValueType) api.ValueType {
	switch {
	case a == b:
		return a
	case a == i32 && b == f32, a == f32 && b == i32:
		return i32
	}
	return i64
}
