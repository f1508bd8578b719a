package wasm_test

// A small writer of core modules: enough for guests of a few instructions.

const (
	i32 = 0x7f
	i64 = 0x7e
)

type guest struct {
	imports []imported
	funcs   []function
	memory  []byte // limits; nil for none
}

type imported struct {
	module, name    string
	params, results []byte
}

type function struct {
	export          string
	params, results []byte
	code            []byte // without the last end
}

// encode writes g: type n belongs to import or function n.
func (g guest) encode() []byte {
	var types, imports, funcs, exports, code [][]byte
	for n, f := range g.imports {
		types = append(types, signature(f.params, f.results))
		imports = append(imports, cat(text(f.module), text(f.name), []byte{0, byte(n)}))
	}
	for n, f := range g.funcs {
		index := byte(len(g.imports) + n)
		types = append(types, signature(f.params, f.results))
		funcs = append(funcs, []byte{index})
		if f.export != "" {
			exports = append(exports, cat(text(f.export), []byte{0, index}))
		}
		body := cat([]byte{0}, f.code, []byte{0x0b})
		code = append(code, cat(leb(len(body)), body))
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = append(out, section(1, types)...)
	out = append(out, section(2, imports)...)
	out = append(out, section(3, funcs)...)
	if g.memory != nil {
		out = append(out, section(5, [][]byte{g.memory})...)
		exports = append(exports, cat(text("memory"), []byte{2, 0}))
	}
	out = append(out, section(7, exports)...)
	return append(out, section(10, code)...)
}

func signature(params, results []byte) []byte {
	return cat([]byte{0x60}, leb(len(params)), params, leb(len(results)), results)
}

func section(id byte, items [][]byte) []byte {
	if len(items) == 0 {
		return nil
	}
	body := cat(leb(len(items)), cat(items...))
	return cat([]byte{id}, leb(len(body)), body)
}

func cat(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func text(s string) []byte { return append(leb(len(s)), s...) }

func leb(n int) []byte {
	var out []byte
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}
