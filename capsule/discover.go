package capsule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/Masterminds/semver/v3"
)

const (
	// maxFound bounds the capsules of one directory.
	maxFound = 256
	// maxMetaBytes bounds meta.json.
	maxMetaBytes = 64 << 10
	// metaFile says where an installed capsule came from.
	metaFile = "meta.json"
)

// Found is what a search found. Every directory that looks like a capsule is in
// one of the lists.
type Found struct {
	// Capsules are in the order of the search: directory by directory, by name.
	Capsules []Installed
	Failures []Failure
}

// Installed is a capsule on disk whose manifest is good.
type Installed struct {
	Manifest *Manifest
	// Dir is its directory.
	Dir string
}

// Failure is a capsule that cannot be loaded, and why.
type Failure struct {
	// Name is the package's if it is known, else that of the directory.
	Name   string
	Dir    string
	Reason string
}

// Discover searches directories in order, each of which may be absent. A capsule
// is a sub-directory with a Capsule.toml, or the directory itself. The first
// capsule of a name wins. One that is bad, or a second one of a name, is among the
// failures and stops nothing else.
func Discover(dirs []string, runtime *semver.Version) Found {
	s := search{runtime: runtime, seen: map[string]string{}}
	for _, dir := range dirs {
		s.directory(dir)
	}
	return s.found
}

type search struct {
	runtime *semver.Version
	seen    map[string]string // name of a package → directory of the first
	found   Found
}

func (s *search) fail(name, dir string, err error) {
	s.found.Failures = append(s.found.Failures, Failure{Name: name, Dir: dir, Reason: explain(err)})
}

// explain says of an error of the file system what to do about it.
func explain(err error) string {
	switch {
	case errors.Is(err, syscall.ELOOP):
		return "is a symlink that leads in a circle: remove it"
	case strings.Contains(err.Error(), "path escapes"):
		return "is or has a symlink that leaves the directory: copy the capsule instead"
	}
	return err.Error()
}

func (s *search) directory(dir string) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		s.fail(filepath.Base(dir), dir, err)
		return
	}
	defer root.Close()
	if _, err := root.Lstat(ManifestFile); err == nil {
		s.capsule(root, dir)
		return
	}
	names, err := list(root)
	if err != nil {
		s.fail(filepath.Base(dir), dir, err)
	}
	for _, name := range names {
		s.entry(root, dir, name)
	}
}

// list returns the names in a directory that are not hidden, sorted, and an error
// if there are too many to take all.
func list(root *os.Root) ([]string, error) {
	f, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(maxFound + 1)
	if len(entries) == 0 {
		if err != nil && !errors.Is(err, fs.ErrNotExist) && err.Error() != "EOF" {
			return nil, err
		}
		return nil, nil
	}
	var names []string
	for _, e := range entries[:min(len(entries), maxFound)] {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	if len(entries) > maxFound {
		return names, fmt.Errorf("holds more than %d entries; the rest is not looked at", maxFound)
	}
	return names, nil
}

// entry looks at one entry: links are followed as long as they stay inside.
func (s *search) entry(root *os.Root, dir, name string) {
	path := filepath.Join(dir, name)
	info, err := root.Stat(name)
	if err != nil {
		s.fail(name, path, err)
		return
	}
	if !info.IsDir() {
		return
	}
	sub, err := root.OpenRoot(name)
	if err != nil {
		s.fail(name, path, err)
		return
	}
	defer sub.Close()
	if _, err := sub.Lstat(ManifestFile); errors.Is(err, fs.ErrNotExist) {
		return
	}
	s.capsule(sub, path)
}

func (s *search) capsule(root *os.Root, dir string) {
	m, err := ReadManifest(root.FS(), s.runtime)
	if err != nil {
		s.fail(filepath.Base(dir), dir, err)
		return
	}
	if first, taken := s.seen[m.Name()]; taken {
		s.fail(m.Name(), dir, fmt.Errorf("the capsule %s of %s was found first", m.Name(), first))
		return
	}
	s.seen[m.Name()] = dir
	if err := m.refused(); err != nil {
		s.fail(m.Name(), dir, err)
		return
	}
	s.found.Capsules = append(s.found.Capsules, Installed{Manifest: m, Dir: dir})
}

// refused returns an error with the fatal notices, nil if there are none.
func (m *Manifest) refused() error {
	var all []error
	for _, n := range m.notices {
		if n.Fatal {
			all = append(all, fmt.Errorf("%s:%d: %s", ManifestFile, n.Line, n.Text))
		}
	}
	return errors.Join(all...)
}

// meta is what this version reads of meta.json, which others write too.
type meta struct {
	WasmHash string `json:"wasm_hash"`
}

// ReadWasm returns the wasm file of a capsule and its hash. If meta.json names a
// hash, the file has it or is refused; if the file itself is not in the
// directory, the store has it. A capsule without components has none: nil and
// the zero hash.
func (i Installed) ReadWasm(store *Store) ([]byte, Hash, error) {
	if len(i.Manifest.Components) == 0 {
		return nil, Hash{}, nil
	}
	root, err := os.OpenRoot(i.Dir)
	if err != nil {
		return nil, Hash{}, fmt.Errorf("open capsule %s: %w", i.Manifest.Name(), err)
	}
	defer root.Close()
	want, err := readMeta(root)
	if err != nil {
		return nil, Hash{}, fmt.Errorf("capsule %s: %w", i.Manifest.Name(), err)
	}
	wasm, err := readRegular(root, i.Manifest.Components[0].File, MaxWasmBytes)
	if errors.Is(err, fs.ErrNotExist) && !want.IsZero() && store != nil {
		wasm, err = store.Get(want)
	}
	if err != nil {
		return nil, Hash{}, fmt.Errorf("read the wasm file of capsule %s: %s: %w", i.Manifest.Name(), explain(err), err)
	}
	have := Sum(wasm)
	if !want.IsZero() && have != want {
		return nil, Hash{}, fmt.Errorf("wasm file of capsule %s has hash %s but meta.json says %s: install it again",
			i.Manifest.Name(), have, want)
	}
	return wasm, have, nil
}

func readMeta(root *os.Root) (Hash, error) {
	data, err := readRegular(root, metaFile, maxMetaBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return Hash{}, nil
	}
	if err != nil {
		return Hash{}, err
	}
	var m meta
	if err := json.Unmarshal(data, &m); err != nil {
		return Hash{}, fmt.Errorf("%s: %w", metaFile, err)
	}
	if m.WasmHash == "" {
		return Hash{}, nil
	}
	h, err := ParseHash(m.WasmHash)
	if err != nil {
		return Hash{}, fmt.Errorf("%s: wasm_hash: %w", metaFile, err)
	}
	return h, nil
}
