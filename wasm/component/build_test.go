package component_test

import "slices"

// The smallest builder that hand-made binaries need: sections of bytes.

func section(id byte, body []byte) []byte {
	out := []byte{id}
	for n := len(body); ; n >>= 7 {
		if n < 0x80 {
			out = append(out, byte(n))
			break
		}
		out = append(out, byte(n)|0x80)
	}
	return append(out, body...)
}

// build makes a component of sections.
func build(sections ...[]byte) []byte {
	return slices.Concat(append([][]byte{{0, 'a', 's', 'm', 0x0d, 0, 1, 0}}, sections...)...)
}

// coreModule makes a core module of sections.
func coreModule(sections ...[]byte) []byte {
	return slices.Concat(append([][]byte{{0, 'a', 's', 'm', 1, 0, 0, 0}}, sections...)...)
}
