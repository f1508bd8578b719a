package component_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/astrid-go/astrid/wasm/component"
)

func TestMalformedBinariesAreRefused(t *testing.T) {
	cases := []struct {
		name, reason string
		wasm         []byte
	}{
		{"nothing", "unexpected end", nil},
		{"a part of the header", "unexpected end", build()[:6]},
		{"another magic", "magic header", []byte("asm\x00\x0d\x00\x01\x00")},
		{"another version", "unknown binary version", []byte("\x00asm\x0c\x00\x01\x00")},
		{"a core module", "unknown binary version", coreModule()},
		{"an unknown section", "malformed section id", build(section(13, nil))},
		{"a section beyond the end", "unexpected end", build([]byte{7, 3, 0})},
		{"a section with something left over", "left over", build(section(7, []byte{1, 0x73, 0x73}))},
		{"an integer of more than 32 bits", "too large", build([]byte{7, 0x81, 0x80, 0x80, 0x80, 0x70, 0})},
		{"more elements than bytes", "unexpected end", build(section(7, []byte{0xbf, 0x84, 0x3d, 0x73}))},
		{"a name that is not UTF-8", "UTF-8", build(section(0, []byte{2, 0xff, 0xfe}))},
		{"an unknown type", "0x62", build(section(7, []byte{1, 0x62}))},
		{"a case that refines", "zero byte required", build(section(7, []byte{1, 0x71, 1, 1, 'c', 0, 1}))},
		{"two results", "number of results", build(section(7, []byte{1, 0x40, 0, 1, 1}))},
		{"an unknown alias", "alias", build(section(6, []byte{1, 0x03, 0x03, 0, 0}))},
		{"an outer alias of a function", "outer alias kind", build(section(6, []byte{1, 0x01, 0x02, 0, 0}))},
		{"an unknown canonical function", "0x7", build(section(8, []byte{1, 0x07}))},
		{"an unknown kind of name", "component name", build(section(10, []byte{1, 0x03, 1, 'a', 1, 0}))},
		{"an unknown declaration", "declaration", build(section(7, []byte{1, 0x41, 1, 0x05, 0x73}))},
		{"a core module with sections out of order", "out of order",
			build(section(1, coreModule(section(1, []byte{0}), section(11, []byte{0}), section(1, []byte{0}))))},
		{"a nested component of another version", "unknown binary version", build(section(4, []byte("\x00asm\x0c\x00\x01\x00")))},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := component.Decode(c.wasm, component.Limits{})
			var malformed *component.DecodeError
			if !errors.As(err, &malformed) || !strings.Contains(malformed.Reason, c.reason) {
				t.Fatalf("error is %v, want a DecodeError with %q", err, c.reason)
			}
		})
	}
}

func TestCustomSectionsAreKeptAndNotValidated(t *testing.T) {
	c, err := component.Decode(build(
		section(0, []byte("\x02hi")),
		section(0, []byte("\x0ecomponent-name\x00\x04\x03abc")),
		section(0, []byte("\x0ecomponent-name\xff\xfe\x01")),
	), component.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.CustomSections(); len(got) != 3 || got[0].Name != "hi" || c.Name() != "abc" {
		t.Fatalf("custom sections are %q, name is %q", got, c.Name())
	}
}

func TestLimitsHold(t *testing.T) {
	nested := build()
	for range 40 {
		nested = build(section(4, nested))
	}
	cases := []struct {
		name, reason string
		wasm         []byte
		limits       component.Limits
	}{
		{"bytes", "at most 8", build(section(7, []byte{0})), component.Limits{Bytes: 8}},
		{"nesting of components", "nest deeper", nested, component.Limits{}},
		{"definitions", "definitions", build(section(7, []byte{2, 0x73, 0x73}), section(7, []byte{2, 0x73, 0x73})), component.Limits{Definitions: 3}},
		{"depth of types", "nests deeper", build(section(7, []byte{3, 0x70, 0x73, 0x70, 0, 0x70, 1})), component.Limits{TypeDepth: 2}},
		{"work on types", "too large", doubling(30), component.Limits{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := component.Decode(c.wasm, c.limits)
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Fatalf("error is %v, want %q", err, c.reason)
			}
		})
	}
}

// doubling has n component types, each of which exports the one before twice:
// 2^n parts in a few hundred bytes. A value of it is then asked to be copied.
func doubling(n int) []byte {
	body := []byte{byte(n), 0x42, 1, 0x04, 0, 1, 'r', 3, 1}
	for i := 1; i < n; i++ {
		body = append(body, 0x42, 3, 0x02, 0x03, 0x02, 1, byte(i-1), 0x04, 0, 1, 'a', 5, 0, 0x04, 0, 1, 'b', 5, 0)
	}
	return build(section(7, body))
}

// Memory that decoding takes is of the order of the input, whatever it says.
func TestDecodingAllocatesNoMoreThanTheInput(t *testing.T) {
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0x0f}
	for _, id := range []byte{2, 3, 5, 6, 7, 8, 10, 11} {
		wasm := build(section(id, append(huge, make([]byte, 1000)...)))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := component.Decode(wasm, component.Limits{}); err == nil {
			t.Fatalf("section %d with 2^32-1 elements is accepted", id)
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("section %d: %d bytes allocated for %d of input", id, took, len(wasm))
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(adder)
	f.Add(doubling(5))
	f.Add(build(section(4, build(section(7, []byte{1, 0x73}))), section(5, []byte{1, 0, 0, 0})))
	f.Add(build(section(7, []byte{2, 0x3f, 0x7f, 0, 0x69, 0}), section(8, []byte{3, 2, 0, 3, 0, 4, 0}), section(11, []byte{1, 0, 1, 'r', 3, 0, 0})))
	f.Add(build(section(3, []byte{1, 0x50, 2, 1, 0x60, 0, 0, 3, 1, 'f', 0, 0}), section(10, []byte{1, 0, 1, 'm', 0, 0x11, 0})))
	f.Fuzz(func(t *testing.T, wasm []byte) {
		c, err := component.Decode(wasm, component.Limits{TypeNodes: 10_000})
		if (c == nil) == (err == nil) {
			t.Fatalf("component %v, error %v", c, err)
		}
	})
}
