package astrid_test

import (
	"go/build"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/astrid-go/astrid"

// mayImport says which packages of ours a package may import. It is the
// architecture: an import that is not here is a design question, and the answer
// is never to add the line first.
//
// Order: leaves, identity and capability, resources, approval and audit, gate,
// host and dispatch, kernel, front doors, programs.
var mayImport = map[string][]string{
	"api":              {},
	"internal/durable": {},
	"principal":        {},
	"wasm/canon":       {},
	"wasm/meter":       {},

	"audit":               {"internal/durable"},
	"bus":                 {"principal"},
	"capability":          {"principal"},
	"capsule":             {"capability", "internal/durable"},
	"kv":                  {"internal/durable"},
	"vfs":                 {"internal/durable"},
	"vfs/overlay":         {"internal/durable", "vfs"},
	"vfs/vfstest":         {"vfs"},
	"wasm":                {"wasm/canon", "wasm/component", "wasm/component/wasi", "wasm/meter"},
	"wasm/component":      {"wasm/canon"},
	"wasm/component/wasi": {"wasm/canon", "wasm/component"},

	"approval": {"kv", "principal"},
	"gate":     {"approval", "audit", "capability", "principal"},

	"dispatch": {"bus", "principal"},
	"host":     {"approval", "bus", "capability", "capsule", "gate", "kv", "principal", "vfs", "wasm", "wasm/canon"},

	"kernel": {
		"api", "approval", "audit", "bus", "capability", "capsule", "dispatch", "gate", "host",
		"internal/durable", "kv", "principal", "uplink", "vfs", "vfs/overlay", "wasm", "wasm/canon",
	},
	"uplink": {"api", "bus", "principal"},

	"capsules":       {},
	"internal/bench": {"api"},
	"internal/cli":   {"api", "audit"},
	"internal/demo":  {"api", "audit", "kernel"},
	"cmd/astrid":     {"capsules", "internal/bench", "internal/cli", "internal/demo", "kernel"},
}

// fenced says which packages alone may import something dangerous or large.
// Tests are free: they start processes and forge memory.
var fenced = map[string][]string{
	"unsafe":                        {"wasm/canon"},
	"os/exec":                       {"internal/bench", "internal/cli"},
	"net/http":                      {"host"},
	"C":                             {},
	"plugin":                        {},
	"go.etcd.io/bbolt":              {"kv"},
	"github.com/tetratelabs/wazero": {"wasm", "wasm/canon", "wasm/component"},
	"github.com/spf13/cobra":        {"internal/cli", "cmd/astrid"},
}

func TestImportsFollowTheArchitecture(t *testing.T) {
	for name, pkg := range packages(t) {
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("package %s has no place in the import graph: decide where it stands and add it to mayImport", name)
			continue
		}
		for _, imported := range pkg.Imports {
			if ours, ok := strings.CutPrefix(imported, module+"/"); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s, which the architecture does not allow", name, ours)
			}
			checkFence(t, name, imported)
		}
	}
}

func checkFence(t *testing.T, name, imported string) {
	t.Helper()
	for root, allowed := range fenced {
		inside := imported == root || strings.HasPrefix(imported, root+"/")
		if inside && !slices.Contains(allowed, name) {
			t.Errorf("%s imports %s, which only %v may", name, imported, allowed)
		}
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	for name, pkg := range packages(t) {
		var with []string
		for _, file := range pkg.GoFiles {
			if hasPackageComment(t, filepath.Join(pkg.Dir, file)) {
				with = append(with, file)
			}
		}
		if len(with) != 1 {
			t.Errorf("package %s has %d package comments %v, want one", name, len(with), with)
		}
	}
}

// packages returns the packages of this module, built for this machine, by
// their path inside the module.
func packages(t *testing.T) map[string]*build.Package {
	t.Helper()
	found := map[string]*build.Package{}
	err := filepath.WalkDir(".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if dir != "." && skipped(dir, d.Name()) {
			return filepath.SkipDir
		}
		pkg, err := build.ImportDir(dir, 0)
		if err != nil || len(pkg.GoFiles) == 0 {
			return nil // no Go files for this machine
		}
		found[path.Clean(filepath.ToSlash(dir))] = pkg
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("found only %d packages; the walk is broken", len(found))
	}
	return found
}

// skipped reports whether dir is no package of this module: hidden, test data,
// or a module of its own.
func skipped(dir, name string) bool {
	if strings.HasPrefix(name, ".") || name == "testdata" || name == "build" || name == "bin" {
		return true
	}
	return slices.Contains([]string{"sdk", "tools", "capsules/fs", "capsules/demo"}, filepath.ToSlash(dir))
}
