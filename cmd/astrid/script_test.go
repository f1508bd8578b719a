package main

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/astrid-go/astrid/capsules"
	"github.com/astrid-go/astrid/internal/demo"
)

// TestMain lets scripts run this very program as the command astrid.
func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){"astrid": main})
}

// tidy removes the compiled code after the last test.
type tidy struct{ *testing.M }

// Run runs the tests.
func (m tidy) Run() int {
	code := m.M.Run()
	if cache, err := compile(); err == nil {
		os.RemoveAll(cache)
	}
	return code
}

// TestScripts drives the program as a user does. Each script has a home, a
// workspace and an environment of its own.
func TestScripts(t *testing.T) {
	if len(capsules.Names()) == 0 {
		t.Skip("the bundled capsules are not built: run make guests")
	}
	cache := compiled(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			if err := warm(e, cache); err != nil {
				return err
			}
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("ASTRID_HOME", filepath.Join(e.WorkDir, "h"))
			e.Setenv("DEMO_CAPSULE", filepath.Join(e.WorkDir, "demo-capsule"))
			files, err := capsules.Open("demo")
			if err != nil {
				return err
			}
			return os.CopyFS(e.Getenv("DEMO_CAPSULE"), files)
		},
	})
}

func TestDemoBehaves(t *testing.T) {
	compiled(t)
}

// compiled runs the demo, which compiles every bundled capsule, and returns
// where the code is: under the race detector that takes most of a minute, so it
// is done once.
func compiled(t *testing.T) (cache string) {
	t.Helper()
	if len(capsules.Names()) == 0 {
		t.Skip("the bundled capsules are not built: run make guests")
	}
	cache, err := compile()
	if err != nil {
		t.Fatalf("astrid demo: %v", err)
	}
	return cache
}

var compile = sync.OnceValues(func() (string, error) {
	cache, err := os.MkdirTemp("", "astrid-test-cache-")
	if err != nil {
		return "", err
	}
	return cache, demo.Run(context.Background(), demo.Config{
		Out: io.Discard, Log: slog.New(slog.DiscardHandler), CacheDir: cache,
		Capsules: func(name string) (fs.FS, error) { return capsules.Open(name) },
	})
})

// warm gives a script's home the compiled code.
func warm(e *testscript.Env, cache string) error {
	home := filepath.Join(e.WorkDir, "h")
	for _, dir := range []string{home, filepath.Join(home, "var")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	into := filepath.Join(home, "var", "cache")
	if err := os.CopyFS(into, os.DirFS(cache)); err != nil {
		return err
	}
	return os.Chmod(into, 0o700)
}
