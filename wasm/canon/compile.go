package canon

import (
	"fmt"
	"reflect"
)

// direction says which way values go: what may be missing depends on it.
type direction bool

const (
	toHost  direction = false
	toGuest direction = true
)

// compile makes the codec between Go type t, which stands for host, and the
// guest's type wire. Names are matched by the rule of HostFunc.Bind.
func compile(t reflect.Type, host, wire *Type, dir direction) (codec, error) {
	if host.kind != wire.kind {
		return nil, fmt.Errorf("host has %s, guest has %s", host.kind, wire.kind)
	}
	switch host.kind {
	case String:
		return text{}, nil
	case List:
		return compileList(t, host, wire, dir)
	case Record, Tuple:
		return compileRecord(t, host, wire, dir)
	case Variant, Enum, OptionOf, ResultOf:
		return compileUnion(t, host, wire, dir)
	case Flags:
		return compileFlags(t, host, wire, dir)
	case OwnOf, BorrowOf:
		if !host.resource.is(wire.resource) {
			return nil, fmt.Errorf("guest's resource %s is not the host's %s", wire.resource.Name, host.resource.Name)
		}
		return handleCodec{host, reflect.Zero(t).Interface().(handleType)}, nil
	}
	return number{wire, uint32(t.Size())}, nil
}

func compileList(t reflect.Type, host, wire *Type, dir direction) (codec, error) {
	if host.elem.kind == U8 && wire.elem.kind == U8 {
		return octets{}, nil
	}
	elem, err := compile(t.Elem(), host.elem, wire.elem, dir)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	return &list{elem, wire.elem, t, t.Elem().Size()}, nil
}

func index(fields []Field, name string) int {
	for i, f := range fields {
		if f.Name == name {
			return i
		}
	}
	return -1
}

func compileRecord(t reflect.Type, host, wire *Type, dir direction) (codec, error) {
	if host.kind == Tuple && len(host.fields) != len(wire.fields) {
		return nil, fmt.Errorf("host's tuple has %d fields, guest's %d", len(host.fields), len(wire.fields))
	}
	c, flat := &record{}, 0
	for i, w := range wire.fields {
		h := i
		if host.kind == Record {
			h = index(host.fields, w.Name)
		}
		if h < 0 {
			return nil, fmt.Errorf("host does not know the guest's field %s", w.Name)
		}
		f := t.Field(h)
		sub, err := compile(f.Type, host.fields[h].Type, w.Type, dir)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", w.Name, err)
		}
		n := len(w.Type.flat)
		c.fields = append(c.fields, recordField{sub, f.Offset, wire.offsets[i], w.Type.size, flat, flat + n})
		flat += n
	}
	if host.kind == Record && dir == toHost {
		for _, h := range host.fields {
			if h.Type.kind != OptionOf && index(wire.fields, h.Name) < 0 {
				return nil, fmt.Errorf("guest does not give the host's field %s", h.Name)
			}
		}
	}
	return c, nil
}

// compileFlags makes a codec for flags: the same if labels are in the same
// places, else a permutation.
func compileFlags(t reflect.Type, host, wire *Type, dir direction) (codec, error) {
	c := flagsCodec{number: number{wire, uint32(t.Size())}}
	for bit, w := range wire.fields {
		h := index(host.fields, w.Name)
		if h < 0 && dir == toHost {
			return nil, fmt.Errorf("host does not know the guest's flag %s", w.Name)
		}
		if h >= 0 {
			c.pairs = append(c.pairs, [2]uint8{uint8(bit), uint8(h)})
		}
	}
	return c, nil
}

// goCases returns where t keeps its case and payloads.
func goCases(t reflect.Type, host *Type) (disc number, payload []int, err error) {
	disc = number{size: uint32(t.Size()), wire: Prim(U32)}
	switch host.kind {
	case Enum:
		payload = make([]int, len(host.fields))
		for i := range payload {
			payload[i] = -1
		}
	case OptionOf:
		disc.size, payload = 1, []int{-1, 1}
	case ResultOf:
		disc.size, payload = 1, []int{1, 2}
	case Variant:
		shape, _, err := variantShape(t)
		if err != nil {
			return disc, nil, err
		}
		disc.size, payload = uint32(t.Field(0).Type.Size()), shape.payload
	}
	return disc, payload, nil
}

func compileUnion(t reflect.Type, host, wire *Type, dir direction) (codec, error) {
	disc, fields, err := goCases(t, host)
	if err != nil {
		return nil, err
	}
	c := &union{wire: wire, disc: disc, other: -1}
	for _, h := range host.fields {
		c.names = append(c.names, h.Name)
		c.toWire = append(c.toWire, index(wire.fields, h.Name))
	}
	for i, w := range wire.fields {
		if w.Name == "unknown" && w.Type != nil && w.Type.kind == String {
			c.other = i
		}
		k, err := compileCase(t, host, w, fields, dir)
		if err != nil {
			return nil, fmt.Errorf("case %s: %w", w.Name, err)
		}
		c.toGo = append(c.toGo, k)
	}
	return c, nil
}

func compileCase(t reflect.Type, host *Type, w Field, fields []int, dir direction) (goCase, error) {
	h := index(host.fields, w.Name)
	if h < 0 {
		if dir == toHost {
			return goCase{}, fmt.Errorf("host does not know it")
		}
		return goCase{}, nil // the host never answers with it
	}
	k, hostType := goCase{disc: uint64(h)}, host.fields[h].Type
	if (hostType == nil) != (w.Type == nil) {
		return k, fmt.Errorf("only one of host and guest has a payload")
	}
	if w.Type == nil {
		return k, nil
	}
	f := t.Field(fields[h])
	payload, err := compile(f.Type, hostType, w.Type, dir)
	if err != nil {
		return k, err
	}
	k.payload, k.offset, k.size = payload, f.Offset, w.Type.size
	return k, nil
}
