package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/astrid-go/astrid/host"
	"github.com/astrid-go/astrid/internal/durable"
	"github.com/astrid-go/astrid/principal"
	"github.com/astrid-go/astrid/vfs"
	"github.com/astrid-go/astrid/wasm"
)

// instantiate starts an instance of a capsule for one principal, with handles on
// that principal's things and nothing else.
func (k *Kernel) instantiate(ctx context.Context, c *loaded, id principal.ID) (_ *live, err error) {
	profile, err := k.directory.Lookup(id)
	if err != nil {
		return nil, err
	}
	view, err := k.overlays.of(id)
	if err != nil {
		return nil, err
	}
	own, err := k.openOwn(id)
	if err != nil {
		return nil, err
	}
	ns, err := k.kv.Namespace(id.String() + ":capsule:" + c.name)
	if err != nil {
		return nil, errors.Join(err, own.close())
	}
	fuel, err := k.cpu.of(id)
	if err != nil {
		return nil, errors.Join(err, own.close())
	}
	h := host.New(host.Config{
		Principal: id, Capsule: c.name, Generation: c.generation, Source: c.source, Gate: k.gate,
		Workspace: view, Home: own.home, Temp: own.temp, KV: ns.WithQuota(int64(profile.Quotas.MaxStorageBytes)),
		Publish: k.fromGuest, Egress: k.egress, Log: k.log,
	}, own.home, own.temp)
	guest, err := c.module.Instantiate(ctx, wasm.InstanceConfig{
		MemoryLimitBytes: profile.Quotas.MaxMemoryBytes, Host: h, CPU: charge(fuel),
		Stdout: logWriter{k.log, c.name}, Stderr: logWriter{k.log, c.name},
	})
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return &live{wasm: guest, host: h}, nil
}

// own is a principal's directories.
type own struct{ home, temp *vfs.Host }

// openOwn opens the directories of a principal, made at first use. Its files are
// apart from what the kernel keeps for it, so that no grant on home:// reaches
// that.
func (k *Kernel) openOwn(id principal.ID) (own, error) {
	files := k.path("home", id.String(), "files")
	temp := k.path("home", id.String(), ".local", "tmp")
	for _, dir := range []string{files, temp} {
		if err := os.MkdirAll(dir, durable.PrivateDir); err != nil {
			return own{}, fmt.Errorf("make the home of %s: %w", id, err)
		}
	}
	home, err := vfs.OpenHost(files)
	if err != nil {
		return own{}, err
	}
	tmp, err := vfs.OpenHost(temp)
	if err != nil {
		return own{}, errors.Join(err, home.Close())
	}
	return own{home, tmp}, nil
}

func (o own) close() error { return errors.Join(o.home.Close(), o.temp.Close()) }
