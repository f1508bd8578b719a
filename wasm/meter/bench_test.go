package meter_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/astrid-go/astrid/wasm/meter"
)

// The workload guest: what tools written in Go do most.
const guestSource = `package main

import (
	"crypto/sha256"
	"encoding/json"
	"sort"
	"strings"
)

func main() {}

type item struct {
	Name string            
	Tags []string
	Size map[string]int
}

//go:wasmexport json
func doJSON(n int32) int32 {
	text := []byte(` + "`" + `{"Name":"a file","Tags":["x","y","z"],"Size":{"a":1,"b":2,"c":3}}` + "`" + `)
	total := 0
	for range n {
		var v item
		if err := json.Unmarshal(text, &v); err != nil {
			panic(err)
		}
		out, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		total += len(out)
	}
	return int32(total)
}

//go:wasmexport hash
func doHash(n int32) int32 {
	buf := make([]byte, 64<<10)
	var sum [32]byte
	for range n {
		sum = sha256.Sum256(buf)
		copy(buf, sum[:])
	}
	return int32(sum[0])<<8 | int32(sum[1])
}

//go:wasmexport sort
func doSort(n int32) int32 {
	v := make([]int, 10000)
	total := 0
	for range n {
		seed := uint32(1)
		for i := range v {
			seed = seed*1664525 + 1013904223
			v[i] = int(seed >> 8)
		}
		sort.Ints(v)
		total += v[0]
	}
	return int32(total)
}

//go:wasmexport grep
func doGrep(n int32) int32 {
	text := strings.Repeat("the quick brown fox jumps over the lazy dog\n", 1000) + "needle\n"
	total := 0
	for range n {
		for line := range strings.Lines(text) {
			if strings.Contains(line, "needle") {
				total++
			}
		}
	}
	return int32(total)
}
`

// buildGuest compiles the workload guest with the installed go tool.
func buildGuest(tb testing.TB) []byte {
	tb.Helper()
	dir := tb.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	write("go.mod", "module guest\n\ngo 1.26\n")
	write("main.go", guestSource)
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-o", "guest.wasm", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Skipf("the go tool cannot build a guest: %v\n%s", err, out)
	}
	wasm, err := os.ReadFile(filepath.Join(dir, "guest.wasm"))
	if err != nil {
		tb.Fatal(err)
	}
	return wasm
}

// quantum is what refill gives in these tests: about a millisecond.
const quantum = 1 << 20

// startGuest instantiates wasm, rewritten if metered is set, and counts fuel.
func startGuest(tb testing.TB, wasm []byte, metered bool, cfg wazero.RuntimeConfig) (api.Module, *int64) {
	tb.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, cfg)
	tb.Cleanup(func() { _ = r.Close(ctx) })
	used := new(int64)
	if metered {
		var err error
		if wasm, err = meter.Rewrite(wasm, meter.Options{}); err != nil {
			tb.Fatal(err)
		}
		instantiateRefill(tb, r, func(left int64) int64 { *used += quantum - left; return quantum })
	}
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	mod, err := r.InstantiateWithConfig(ctx, wasm, wazero.NewModuleConfig().WithStartFunctions("_initialize").WithSysWalltime().WithSysNanotime())
	if err != nil {
		tb.Fatal(err)
	}
	return mod, used
}

// BenchmarkOverhead runs workloads bare, metered, and with wazero's own check.
func BenchmarkOverhead(b *testing.B) {
	wasm := buildGuest(b)
	for _, name := range []string{"json", "hash", "sort", "grep"} {
		for _, mode := range []string{"bare", "metered", "close-on-done"} {
			b.Run(name+"/"+mode, func(b *testing.B) {
				cfg := wazero.NewRuntimeConfigCompiler().WithCloseOnContextDone(mode == "close-on-done")
				mod, used := startGuest(b, wasm, mode == "metered", cfg)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				f := mod.ExportedFunction(name)
				*used = 0
				for b.Loop() {
					if _, err := f.Call(ctx, 20); err != nil {
						b.Fatal(err)
					}
				}
				if *used > 0 {
					b.ReportMetric(float64(*used)/float64(b.Elapsed().Microseconds()), "fuel/µs")
				}
			})
		}
	}
}

func BenchmarkRewrite(b *testing.B) {
	wasm := buildGuest(b)
	b.SetBytes(int64(len(wasm)))
	for b.Loop() {
		if _, err := meter.Rewrite(wasm, meter.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
