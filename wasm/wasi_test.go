package wasm_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/astrid-go/astrid/wasm"
)

const goGuest = `package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"time"
)

func main() {}

//go:wasmexport look
func look() int32 {
	fmt.Println("args", len(os.Args), "env", len(os.Environ()))
	if _, err := os.ReadDir("/"); err == nil {
		fmt.Println("files!")
	}
	if _, err := os.ReadFile("/etc/passwd"); err == nil {
		fmt.Println("files!")
	}
	fmt.Fprintln(os.Stderr, "to stderr")
	start := time.Now()
	time.Sleep(time.Millisecond)
	if time.Since(start) < time.Millisecond || start.Year() < 2020 {
		fmt.Println("no clock!")
	}
	buf := make([]byte, 16)
	if n, err := rand.Read(buf); n != 16 || err != nil {
		fmt.Println("no randomness!")
	}
	return 42
}

//go:wasmexport sleep
func sleep() { time.Sleep(time.Hour) }

//go:wasmexport eat
func eat() {
	var all [][]byte
	for {
		all = append(all, make([]byte, 1<<20))
	}
}
`

// buildGo compiles a guest with the installed go tool.
func buildGo(tb testing.TB, source string) []byte {
	tb.Helper()
	dir := tb.TempDir()
	for name, text := range map[string]string{"go.mod": "module guest\n\ngo 1.26\n", "main.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", "guest.wasm", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Skipf("the go tool cannot build a guest: %v\n%s", err, out)
	}
	wasm, err := os.ReadFile(filepath.Join(dir, "guest.wasm"))
	if err != nil {
		tb.Fatal(err)
	}
	return wasm
}

func TestGoGuestFindsAnEmptyWorld(t *testing.T) {
	m, err := open(t, wasm.Config{}).Compile(t.Context(), buildGo(t, goGuest), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("look", func(t *testing.T) {
		var stdout, stderr bytes.Buffer
		i := start(t, m, wasm.InstanceConfig{Stdout: &stdout, Stderr: &stderr})
		stack := []uint64{0}
		if err := i.CallRaw(t.Context(), "look", stack); err != nil || stack[0] != 42 {
			t.Fatalf("look = %d, %v", stack[0], err)
		}
		if got := stdout.String() + stderr.String(); got != "args 1 env 0\nto stderr\n" {
			t.Errorf("guest said %q", got)
		}
	})
	t.Run("sleep ends with the call", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		err := start(t, m, wasm.InstanceConfig{}).CallRaw(ctx, "sleep", nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
	})
	t.Run("memory ends at the limit", func(t *testing.T) {
		var stderr bytes.Buffer
		i := start(t, m, wasm.InstanceConfig{MemoryLimitBytes: 16 << 20, Stderr: &stderr})
		err := i.CallRaw(t.Context(), "eat", nil)
		var fault *wasm.GuestFault
		if !errors.As(err, &fault) || !strings.Contains(stderr.String(), "out of memory") {
			t.Errorf("got %v, guest said %q", err, stderr.String())
		}
	})
}
