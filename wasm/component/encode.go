package component

import (
	"encoding/binary"
	"strconv"
)

// This file writes core modules: ones whose imports are renamed, and tiny ones
// that gather functions, tables, memories and globals of others.

// guestPrefix stands before the names of modules that guests import from. So
// they are never empty, which wazero refuses, and never the name of a host
// module.
const guestPrefix = "~"

// instancePrefix stands before the index of a core instance that a bundle
// imports from.
const instancePrefix = "i"

func appendU32(b []byte, v uint32) []byte { return binary.AppendUvarint(b, uint64(v)) }

func appendName(b []byte, s string) []byte { return append(appendU32(b, uint32(len(s))), s...) }

func appendSection(b []byte, id byte, body []byte) []byte {
	return append(appendU32(append(b, id), uint32(len(body))), body...)
}

// renameImports puts guestPrefix before the module names that a module, which
// readModule has read, imports from.
func renameImports(code []byte) []byte {
	r := &coreReader{reader: &reader{data: code, pos: len(coreHeader), end: len(code), fault: &fault{}}}
	out := append(make([]byte, 0, len(code)+len(code)/64), coreHeader...)
	for r.left() > 0 && !r.failed() {
		id := r.byte()
		size := r.u32()
		start := r.pos
		body := r.bytes(size)
		if id == coreSecImport {
			body = renameSection(&reader{data: code, pos: start, end: start + int(size), fault: &fault{}})
		}
		out = appendSection(out, id, body)
	}
	return out
}

func renameSection(r *reader) []byte {
	n := r.count(r.left())
	out := appendU32(nil, uint32(n))
	skip := &coreReader{reader: r, max: r.left()}
	for range n {
		out = appendName(out, guestPrefix+r.name())
		start := r.pos
		r.name()
		skip.skipItem()
		out = append(out, r.data[start:r.pos]...)
	}
	return out
}

// skipItem passes over the type of an import.
func (r *coreReader) skipItem() {
	switch coreSort(r.byte()) {
	case coreFunc:
		r.u32()
	case coreTable:
		r.table()
	case coreMemory:
		r.memory()
	case coreGlobal:
		r.global()
	}
}

// bundleItem is an export of a bundle.
type bundleItem struct {
	name string
	item coreItem
	from coreSource
}

// origin identifies what an item is, so that it is imported only once.
type origin struct {
	sort         coreSort
	module, name string
}

func (b bundleItem) origin(host string) origin {
	if b.from.site != nil {
		return origin{b.item.sort, host, b.from.site.export()}
	}
	return origin{b.item.sort, instancePrefix + strconv.Itoa(b.from.instance), b.from.name}
}

// encodeBundle returns a module that imports each item from where it is, and
// exports it under its new name.
func encodeBundle(items []bundleItem, host string) []byte {
	var types, imports, exports []byte
	var typeCount uint32
	var space [coreGlobal + 1]uint32
	indices := make(map[origin]uint32, len(items))
	for _, it := range items {
		at := it.origin(host)
		index, known := indices[at]
		if !known {
			index = space[it.item.sort]
			indices[at], space[it.item.sort] = index, index+1
			imports = appendItem(appendName(appendName(imports, at.module), at.name), it.item, typeCount)
			if it.item.sort == coreFunc {
				types = appendSignature(types, *it.item.sig)
				typeCount++
			}
		}
		exports = appendU32(append(appendName(exports, it.name), byte(it.item.sort)), index)
	}
	out := append([]byte(nil), coreHeader...)
	out = appendSection(out, coreSecType, append(appendU32(nil, typeCount), types...))
	out = appendSection(out, coreSecImport, append(appendU32(nil, uint32(len(indices))), imports...))
	return appendSection(out, coreSecExport, append(appendU32(nil, uint32(len(items))), exports...))
}

func appendSignature(b []byte, s signature) []byte {
	b = append(appendU32(append(b, 0x60), uint32(len(s.params))), s.params...)
	return append(appendU32(b, uint32(len(s.results))), s.results...)
}

// appendItem appends the type of an import. A function's has index typ.
func appendItem(b []byte, it coreItem, typ uint32) []byte {
	b = append(b, byte(it.sort))
	switch it.sort {
	case coreFunc:
		return appendU32(b, typ)
	case coreTable:
		return appendLimits(append(b, it.typ), it.limits)
	case coreMemory:
		return appendLimits(b, it.limits)
	}
	if it.mutable {
		return append(b, it.typ, 1)
	}
	return append(b, it.typ, 0)
}

func appendLimits(b []byte, l limits) []byte {
	var flags byte
	if l.bounded {
		flags |= 1
	}
	if l.shared {
		flags |= 2
	}
	b = appendU32(append(b, flags), l.min)
	if l.bounded {
		b = appendU32(b, l.max)
	}
	return b
}
