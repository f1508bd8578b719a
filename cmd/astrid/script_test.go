package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/astrid-go/astrid/capsules"
)

// TestMain lets scripts run this very program as the command astrid.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"astrid": main})
}

// TestScripts drives the program as a user does. Each script has a home, a
// workspace and an environment of its own.
func TestScripts(t *testing.T) {
	if len(capsules.Names()) == 0 {
		t.Skip("the bundled capsules are not built: run make guests")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
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
	if len(capsules.Names()) == 0 {
		t.Skip("the bundled capsules are not built: run make guests")
	}
	if code := run(context.Background(), []string{"demo"}); code != 0 {
		t.Errorf("astrid demo exits with %d, want 0", code)
	}
}
