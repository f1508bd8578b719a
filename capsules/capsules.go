// Package capsules is the userland that is shipped inside the binary: one
// folder for each capsule, with its source, and dist with what make compiled.
//
// The package only carries the files. Installing and running them is the
// kernel's and the command line's business, through the same paths that any
// other capsule takes.
package capsules

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// dist holds a folder for each capsule that `make guests` has built. In a
// checkout where it has not run, the folder is empty and the program still
// builds; [Open] then says so.
//
//go:embed all:dist
var dist embed.FS

// Names returns the capsules in this binary, sorted; none when the binary was
// built without `make`.
func Names() []string {
	entries, err := dist.ReadDir("dist")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

// Open returns the folder of a bundled capsule: Capsule.toml and its .wasm
// file. The error tells how to build a binary that has it.
func Open(name string) (fs.FS, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("capsule %q is not in this binary: build it with `make build`", name)
	}
	return fs.Sub(dist, path.Join("dist", name))
}
