package wasm_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/astrid-go/astrid/wasm"
	"github.com/astrid-go/astrid/wasm/canon"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBadFilesAreRefusedInWords(t *testing.T) {
	e := open(t, wasm.Config{MaxModuleBytes: 1 << 20})
	good := villain.encode()
	random := make([]byte, 4096)
	source := rand.NewChaCha8([32]byte{})
	_, _ = source.Read(random)
	for name, c := range map[string]struct {
		wasm []byte
		want error
		says string
	}{
		"empty":         {nil, wasm.ErrInvalid, "empty"},
		"text":          {[]byte("#!/bin/sh"), wasm.ErrInvalid, "not WebAssembly"},
		"short":         {good[:6], wasm.ErrInvalid, "truncated"},
		"version":       {[]byte("\x00asm\x02\x00\x00\x00"), wasm.ErrInvalid, "offset 0x4"},
		"component":     {[]byte("\x00asm\x0d\x00\x01\x00"), wasm.ErrComponent, "component"},
		"truncated":     {good[:len(good)-1], wasm.ErrInvalid, "offset 0x"},
		"random":        {append(good[:8:8], random...), wasm.ErrInvalid, "offset 0x"},
		"too large":     {append(good, make([]byte, 1<<20)...), wasm.ErrTooLarge, "at most 1048576"},
		"fails to type": {guest{funcs: []function{{results: []byte{i32}}}}.encode(), wasm.ErrInvalid, "not enough results"},
	} {
		_, err := e.Compile(t.Context(), c.wasm, hosts())
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %v that says %q", name, err, c.want, c.says)
		}
	}
	for n := range good[200:] { // before that, whole sections make valid modules
		n += 200
		if _, err := e.Compile(t.Context(), good[:n], hosts()); err == nil {
			t.Errorf("the first %d bytes of a module compile", n)
		}
	}
}

func TestEveryMissingImportIsNamed(t *testing.T) {
	g := guest{imports: []imported{
		{"test:host/calls", "trap", []byte{i32}, []byte{i64}},
		{"test:host/calls", "missing", nil, nil},
		{"test:host/other", "f", nil, nil},
		{"wasi_snapshot_preview1", "fd_teleport", nil, nil},
	}}
	_, err := open(t, wasm.Config{}).Compile(t.Context(), g.encode(), hosts())
	if !errors.Is(err, wasm.ErrImports) {
		t.Fatalf("got %v, want ErrImports", err)
	}
	for _, want := range []string{"(i32) -> (i64)", "() -> ()", `"missing"`, `"test:host/other"`, `"fd_teleport"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
}

func TestTheMeterCannotBeImported(t *testing.T) {
	g := guest{imports: []imported{{"astrid:meter", "refill", []byte{i64}, []byte{i64}}}}
	if _, err := open(t, wasm.Config{}).Compile(t.Context(), g.encode(), nil); err == nil {
		t.Error("a guest imports refill")
	}
}

func TestSameInterfaceNameWithOtherFunctions(t *testing.T) {
	e := open(t, wasm.Config{})
	g := guest{
		imports: []imported{{"test:host/who", "who", nil, []byte{i32}}},
		funcs:   []function{{export: "who", results: []byte{i32}, code: []byte{0x10, 0}}},
	}
	for _, want := range []uint64{1, 2, 3} {
		host := []canon.HostFunc{{Name: "who", Results: []byte{i32},
			Call: func(_ context.Context, _ *canon.Context, stack []uint64) { stack[0] = want }}}
		m, err := e.Compile(t.Context(), g.encode(), []canon.Interface{{Name: "test:host/who", Funcs: host}})
		if err != nil {
			t.Fatal(err)
		}
		stack := []uint64{0}
		if err := start(t, m, wasm.InstanceConfig{}).CallRaw(t.Context(), "who", stack); err != nil || stack[0] != want {
			t.Errorf("guest of host %d reached host %d, %v", want, stack[0], err)
		}
	}
}

func TestCompilationIsSharedAndRemembered(t *testing.T) {
	e := open(t, wasm.Config{})
	modules := make([]*wasm.Module, 8)
	var wg sync.WaitGroup
	for n := range modules {
		wg.Go(func() { modules[n], _ = e.Compile(context.Background(), villain.encode(), hosts()) })
	}
	wg.Wait()
	for _, m := range modules {
		if m == nil || m != modules[0] {
			t.Fatal("the same content was compiled to different modules")
		}
	}
}

// cached returns the files of machine code in dir.
func cached(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasSuffix(file, ".blake3") {
			files = append(files, file)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("no cached code in %s: %v", dir, err)
	}
	return files
}

func TestCachedCodeSurvivesAndDamageIsMended(t *testing.T) {
	dir := t.TempDir()
	use := func() {
		e := open(t, wasm.Config{CacheDir: dir})
		add(t, start(t, compile(t, e, villain), wasm.InstanceConfig{}), 1, 2)
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	use()
	file := cached(t, dir)[0]
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(file)
	use()
	if after, _ := os.Stat(file); !os.SameFile(before, after) {
		t.Error("the second engine compiled again")
	}
	for name, damage := range map[string]func() []byte{
		"empty":     func() []byte { return nil },
		"truncated": func() []byte { return whole[:len(whole)/2] },
		"garbage":   func() []byte { return bytes.Repeat([]byte{0xff}, len(whole)) },
		"offsets": func() []byte { // of functions: wazero does not check these
			b := bytes.Clone(whole)
			for n := 16; n < 80; n++ {
				b[n] ^= 0x55
			}
			return b
		},
	} {
		if err := os.WriteFile(file, damage(), 0o600); err != nil {
			t.Fatal(err)
		}
		use()
		if got, _ := os.ReadFile(file); len(got) != len(whole) {
			t.Errorf("%s: entry was not written anew", name)
		}
	}
}

func TestCodeDamagedWhileOpenIsMended(t *testing.T) {
	dir := t.TempDir()
	first := open(t, wasm.Config{CacheDir: dir})
	second := open(t, wasm.Config{CacheDir: dir})
	compile(t, first, villain)
	if err := os.Truncate(cached(t, dir)[0], 100); err != nil {
		t.Fatal(err)
	}
	add(t, start(t, compile(t, second, villain), wasm.InstanceConfig{}), 3, 4)
}

func TestClosedEngineRefuses(t *testing.T) {
	e := open(t, wasm.Config{})
	m := compile(t, e, villain)
	i := start(t, m, wasm.InstanceConfig{})
	if err := errors.Join(e.Close(t.Context()), e.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Compile(t.Context(), villain.encode(), hosts()); !errors.Is(err, wasm.ErrClosed) {
		t.Errorf("Compile: %v, want ErrClosed", err)
	}
	if err := i.CallRaw(t.Context(), "add", []uint64{1, 2}); !errors.Is(err, wasm.ErrDead) {
		t.Errorf("call: %v, want ErrDead", err)
	}
	if i, err := m.Instantiate(t.Context(), wasm.InstanceConfig{}); err == nil {
		t.Error("a closed engine instantiates", i.Close(t.Context()))
	}
}

func TestThousandInstancesLeaveNothing(t *testing.T) {
	m := compile(t, open(t, wasm.Config{}), villain)
	turn := func() {
		i, err := m.Instantiate(t.Context(), wasm.InstanceConfig{})
		if err != nil {
			t.Fatal(err)
		}
		if err := i.CallRaw(t.Context(), "grow", []uint64{100}); err != nil {
			t.Fatal(err)
		}
		add(t, i, 1, 2)
		if err := i.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	turn()
	before, maps := heap(), mappings(t)
	for range 1000 {
		turn()
	}
	if after := heap(); after > before+4<<20 {
		t.Errorf("heap grew from %d to %d bytes", before, after)
	}
	if after := mappings(t); after > maps+50 {
		t.Errorf("memory mappings grew from %d to %d", maps, after)
	}
}

// mappings counts those of this process, where the system tells.
func mappings(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0
	}
	return bytes.Count(text, []byte("\n"))
}

func TestATrapInTheStartFunctionIsTheGuestsFault(t *testing.T) {
	e, err := wasm.NewEngine(t.Context(), wasm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	// (module (func unreachable) (start 0))
	m, err := e.Compile(t.Context(), []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x08\x01\x00\x0a\x05\x01\x03\x00\x00\x0b"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Instantiate(t.Context(), wasm.InstanceConfig{})
	var fault *wasm.GuestFault
	if !errors.As(err, &fault) || fault.Kind != wasm.FaultTrap || fault.Export != "start" {
		t.Errorf("got %v, want a trap of the guest in start", err)
	}
}
