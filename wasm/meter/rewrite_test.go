package meter_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/astrid-go/astrid/wasm/meter"
)

// one is a module of one function of type ()->() with the given body, of
// which last is the code before its end, and one i64 global.
func one(last ...byte) []byte {
	body := append(append([]byte{0}, last...), 0x0b)
	wasm := []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00" +
		"\x06\x06\x01\x7e\x01\x42\x00\x0b" + "\x07\x05\x01\x01f\x00\x00")
	wasm = append(wasm, 10, byte(len(body)+2), 1, byte(len(body)))
	return append(wasm, body...)
}

func TestGuestsCannotReachWhatIsAdded(t *testing.T) {
	for name, code := range map[string][]byte{
		"fuel":   {0x42, 0, 0x24, 1},       // global.set 1
		"refill": {0x42, 0, 0x10, 1, 0x1a}, // call 1
		"wrap":   {0x10, 0xff, 0xff, 0xff, 0xff, 0x0f},
		"locals": {0x20, 0, 0x1a},
		"type":   {0x02, 1, 0x0b},
	} {
		var e *meter.Error
		if _, err := meter.Rewrite(one(code...), meter.Options{}); !errors.As(err, &e) || e.Offset < 30 {
			t.Errorf("%s: got %v, want an error with its offset", name, err)
		}
	}
}

func TestUnsupportedFeaturesAreNamed(t *testing.T) {
	for want, code := range map[string][]byte{
		"threads":      {0xfe, 0x03, 0},
		"exceptions":   {0x06, 0x40},
		"tail calls":   {0x12, 0},
		"relaxed SIMD": {0xfd, 0x80, 0x02},
		"garbage":      {0xfb, 0},
	} {
		if _, err := meter.Rewrite(one(code...), meter.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error about %s", err, want)
		}
	}
}

// TestEveryLoopPays counts on the host how often a metered guest asks.
func TestEveryLoopPays(t *testing.T) {
	errEnough := errors.New("enough")
	for name, code := range map[string][]byte{
		"loop":      {0x03, 0x40, 0x0c, 0, 0x0b},
		"nested":    {0x03, 0x40, 0x03, 0x40, 0x0c, 1, 0x0b, 0x0b},
		"recursion": {0x10, 0},
		"after if":  {0x41, 1, 0x04, 0x40, 0x0b, 0x03, 0x40, 0x0c, 0, 0x0b},
	} {
		wasm, err := meter.Rewrite(one(code...), meter.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())
		asked := 0
		instantiateRefill(t, r, func(left int64) int64 {
			if left >= 0 {
				t.Errorf("%s: asked with fuel %d left", name, left)
			}
			if asked++; asked == 10 {
				panic(errEnough)
			}
			return 100
		})
		mod, err := r.Instantiate(ctx, wasm)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mod.ExportedFunction("f").Call(ctx); !errors.Is(err, errEnough) {
			t.Errorf("%s: ended with %v", name, err)
		}
		_ = r.Close(ctx)
	}
}

func TestRewriteIsDeterministicAndLeavesItsInput(t *testing.T) {
	wasm := one(0x03, 0x40, 0x0c, 0, 0x0b)
	before := bytes.Clone(wasm)
	first, err := meter.Rewrite(wasm, meter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	second, _ := meter.Rewrite(wasm, meter.Options{})
	if !bytes.Equal(first, second) || !bytes.Equal(wasm, before) {
		t.Error("two rewrites differ, or the input was changed")
	}
}

func TestEmptyImportModuleIsRenamed(t *testing.T) {
	wasm := []byte("\x00asm\x01\x00\x00\x00\x02\x07\x01\x00\x01g\x03\x7f\x00")
	out, err := meter.Rewrite(wasm, meter.Options{RenameImport: func(m string) string { return "was:" + m }})
	if err != nil {
		t.Fatal(err)
	}
	info, err := meter.Inspect(out)
	if err != nil || len(info.Imports) != 1 || info.Imports[0].Module != "was:" || info.Imports[0].Kind != meter.Global {
		t.Errorf("imports are %+v, %v", info.Imports, err)
	}
}

func TestTablesAreBounded(t *testing.T) {
	huge := []byte("\x00asm\x01\x00\x00\x00\x04\x07\x01\x70\x00\x80\x80\x80\x40") // 128 Mi elements
	huge[9] = byte(len(huge) - 10)
	if _, err := meter.Rewrite(huge, meter.Options{}); err == nil {
		t.Error("a table of 128 Mi elements is accepted")
	}
}

// FuzzRewrite checks that no input makes Rewrite panic, and that what wazero
// accepts is still accepted when rewritten, and what it refuses still refused.
func FuzzRewrite(f *testing.F) {
	f.Add(one(0x03, 0x40, 0x0c, 0, 0x0b))
	f.Add(one(0x41, 0, 0x41, 0, 0x41, 5, 0xfc, 11, 0))
	seeds, _ := filepath.Glob(filepath.Join(specDir(f), "v2", "testdata", "*.0.wasm"))
	for _, s := range seeds {
		if wasm, err := os.ReadFile(s); err == nil && len(wasm) < 2000 {
			f.Add(wasm)
		}
	}
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	f.Cleanup(func() { _ = r.Close(ctx) })
	f.Fuzz(func(t *testing.T, wasm []byte) {
		out, err := meter.Rewrite(wasm, meter.Options{})
		if err != nil {
			return // wazero allocates what some of these ask for
		}
		original, invalid := r.CompileModule(ctx, wasm)
		if invalid == nil {
			defer original.Close(ctx)
		}
		rewritten, broken := r.CompileModule(ctx, out)
		if broken == nil {
			defer rewritten.Close(ctx)
		}
		names := invalid != nil && strings.HasPrefix(invalid.Error(), "section custom") // left out if unreadable
		if (invalid == nil) != (broken == nil) && !names {
			t.Errorf("original: %v; rewritten: %v", invalid, broken)
		}
	})
}
