package kernel

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/capsule"
	"github.com/astrid-go/astrid/internal/durable"
	"github.com/astrid-go/astrid/principal"
)

// maxInstallFile bounds each file of a capsule.
const maxInstallFile = capsule.MaxWasmBytes

// HasNoCapsules reports whether nothing was ever installed into the home.
func (k *Kernel) HasNoCapsules() (bool, error) {
	entries, err := os.ReadDir(k.installDir())
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), unfinished) {
			return false, nil
		}
	}
	return err == nil, err
}

// unfinished marks an installation that did not reach its commit point.
const unfinished = ".installing-"

// InstallCapsule copies a capsule, its manifest and the files that it names, into
// the home. [Kernel.LoadAllCapsules] loads it. A capsule of that name that is
// installed already is an *api.Error with the code conflict.
//
// The commit point is the rename of the finished directory: a crash before it
// leaves a hidden directory that is never loaded, and that the next installation
// removes.
func (k *Kernel) InstallCapsule(ctx context.Context, files fs.FS) error {
	_, err := k.install(ctx, files)
	return err
}

func (k *Kernel) install(_ context.Context, files fs.FS) (*capsule.Manifest, error) {
	version, err := semver.NewVersion(capsuleVersion)
	if err != nil {
		return nil, err
	}
	m, err := capsule.ReadManifest(files, version)
	if err != nil {
		return nil, err
	}
	k.loading.Lock()
	defer k.loading.Unlock()
	if err := durable.MkdirAll(k.installDir(), durable.PrivateDir); err != nil {
		return nil, err
	}
	dir, err := durable.OpenDir(k.installDir())
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if err := sweep(dir.Root()); err != nil {
		return nil, err
	}
	if _, err := dir.Root().Lstat(m.Name()); err == nil {
		return nil, &api.Error{Code: api.CodeConflict, Message: fmt.Sprintf("capsule %s is installed already", m.Name()),
			Hint: "remove " + filepath.Join(k.installDir(), m.Name()) + " and restart first"}
	}
	temp := unfinished + rand.Text()
	if err := k.fill(dir, temp, files, m); err != nil {
		return nil, errors.Join(fmt.Errorf("install capsule %s: %w", m.Name(), err), dir.Root().RemoveAll(temp))
	}
	if err := dir.Root().Rename(temp, m.Name()); err != nil {
		return nil, fmt.Errorf("install capsule %s: %w", m.Name(), err)
	}
	return m, dir.Sync()
}

// sweep removes what installations that were cut short left.
func sweep(root *os.Root) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unfinished) {
			if err := root.RemoveAll(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// fill makes the capsule's directory: the files, and the hash that the wasm file
// must have from now on.
func (k *Kernel) fill(dir *durable.Dir, temp string, files fs.FS, m *capsule.Manifest) error {
	if err := dir.Mkdir(temp, durable.PrivateDir); err != nil {
		return err
	}
	root, err := dir.Root().OpenRoot(temp)
	if err != nil {
		return err
	}
	into := durable.FromRoot(root)
	defer into.Close()
	var hash capsule.Hash
	for _, name := range append([]string{capsule.ManifestFile}, m.Files()...) {
		data, err := readBounded(files, name)
		if err != nil {
			return err
		}
		if len(m.Components) > 0 && name == m.Components[0].File {
			if hash, err = k.store.Put(data); err != nil {
				return err
			}
		}
		if err := place(into, name, data); err != nil {
			return err
		}
	}
	if hash.IsZero() {
		return nil
	}
	meta, err := json.Marshal(map[string]string{"wasm_hash": hash.String()})
	if err != nil {
		return err
	}
	return into.Replace("meta.json", meta, durable.Private)
}

func readBounded(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxInstallFile+1))
	if err == nil && len(data) > maxInstallFile {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxInstallFile)
	}
	return data, err
}

// place writes a file into a directory of the capsule, made if need be.
func place(dir *durable.Dir, name string, data []byte) error {
	sub, base := filepath.Split(filepath.FromSlash(name))
	if sub == "" {
		return dir.Replace(base, data, durable.Private)
	}
	if err := dir.Root().MkdirAll(sub, durable.PrivateDir); err != nil {
		return err
	}
	root, err := dir.Root().OpenRoot(sub)
	if err != nil {
		return err
	}
	d := durable.FromRoot(root)
	return errors.Join(d.Replace(base, data, durable.Private), d.Close())
}

// reloadCapsules loads what is installed and does not serve: new capsules, and
// failed ones once more.
func reloadCapsules(ctx context.Context, k *Kernel, _ principal.ID, _ api.Empty) (map[string]string, error) {
	return map[string]string{"status": "reloaded"}, k.LoadAllCapsules(ctx)
}

func installCapsule(ctx context.Context, k *Kernel, _ principal.ID, p api.InstallParams) (api.InstalledCapsule, error) {
	if p.Workspace || !filepath.IsAbs(p.Source) {
		return api.InstalledCapsule{}, &api.Error{Code: api.CodeUnsupported, Message: "install: only from an absolute path into the home"}
	}
	root, err := os.OpenRoot(p.Source)
	if err != nil {
		return api.InstalledCapsule{}, err
	}
	defer root.Close()
	m, err := k.install(ctx, root.FS())
	if err != nil {
		return api.InstalledCapsule{}, err
	}
	if err := k.LoadAllCapsules(ctx); err != nil {
		return api.InstalledCapsule{}, err
	}
	e, _ := k.registry.Get(m.Name())
	if e.State != capsule.Ready {
		return api.InstalledCapsule{}, &api.Error{Code: api.CodeError, Message: fmt.Sprintf("capsule %s is installed and %s: %s", m.Name(), e.State, e.Reason)}
	}
	return api.InstalledCapsule{Name: m.Name(), Version: e.Version()}, nil
}
