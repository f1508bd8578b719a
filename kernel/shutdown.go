package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/astrid-go/astrid/audit"
	"github.com/astrid-go/astrid/principal"
	"github.com/astrid-go/astrid/uplink"
)

// drain bounds the wait for calls that run when a shutdown begins.
const drain = 3 * time.Second

// Shutdown ends the kernel in order: it tells everybody, lets running calls end
// for a while, unloads capsules in reverse order of loading, closes the stores
// and releases the lock. It is bounded by ctx, safe to call twice, and returns
// the first call's result to every caller.
func (k *Kernel) Shutdown(ctx context.Context, reason string) error {
	k.stopped.Do(func() {
		k.finish(reason)
		k.log.Info("shutting down", "reason", reason)
		body, err := json.Marshal(map[string]string{"reason": reason})
		if err == nil {
			err = k.publish(ctx, "astrid.v1.lifecycle.kernel_shutdown", principal.ID{}, body)
		}
		k.stopErr = errors.Join(err, k.record(ctx, "kernel.shutdown", body), k.release(ctx))
	})
	return k.stopErr
}

// release closes what is open, in the reverse of the boot's order. It is also
// the end of a boot that failed, so every step looks whether there is anything.
func (k *Kernel) release(ctx context.Context) error {
	var errs []error
	try := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	if k.socket != nil {
		try("close the socket", k.socket.Shutdown(ctx))
	}
	if k.dispatcher != nil {
		draining, cancel := context.WithTimeout(ctx, drain)
		if err := k.dispatcher.Close(draining); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			try("stop dispatching", err)
		}
		cancel()
	}
	try("unload capsules", k.unloadAll(ctx))
	if k.stop != nil {
		k.stop()
	}
	if k.bus != nil {
		k.bus.Close()
	}
	k.background.Wait()
	if k.engine != nil {
		try("close the engine", k.engine.Close(context.WithoutCancel(ctx)))
	}
	if k.egress != nil {
		k.egress.Close()
	}
	if k.store != nil {
		try("close the content store", k.store.Close())
	}
	if k.overlays != nil {
		try("close overlays", k.overlays.close())
	}
	if k.workspace != nil {
		try("close the workspace", k.workspace.Close())
	}
	try("close the stores", k.closeStores())
	try("leave the home", k.leaveHome())
	return errors.Join(errs...)
}

func (k *Kernel) closeStores() error {
	var errs []error
	if k.directory != nil {
		errs = append(errs, k.directory.Close())
	}
	if k.kv != nil {
		errs = append(errs, k.kv.Close())
	}
	if k.audit != nil {
		errs = append(errs, k.audit.Close())
	}
	return errors.Join(errs...)
}

// leaveHome removes what only a running kernel has, and gives up the lock last.
func (k *Kernel) leaveHome() error {
	if k.home == nil {
		return nil
	}
	var errs []error
	if k.lock != nil {
		for _, name := range []string{readyFile, pidFile, "run/" + uplink.TokenFile, "run/" + uplink.SocketFile} {
			if err := k.home.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		errs = append(errs, k.lock.Close())
	}
	return errors.Join(append(errs, k.home.Close())...)
}

// record writes a record of the kernel itself, durably.
func (k *Kernel) record(ctx context.Context, kind string, body []byte) error {
	_, err := k.audit.Append(context.WithoutCancel(ctx), audit.Entry{Kind: kind, Body: body}, audit.Synced)
	return err
}

// recordBoot writes that a kernel began, and what a crash before it left.
func (k *Kernel) recordBoot(ctx context.Context) error {
	found := k.audit.Recovered()
	body, err := json.Marshal(struct {
		Version   string `json:"version,omitempty"`
		TornFile  string `json:"torn_file,omitempty"`
		TornBytes int64  `json:"torn_bytes,omitempty"`
		Unsigned  uint64 `json:"unsigned,omitempty"`
	}{k.cfg.Version, found.TornFile, found.TornBytes, found.Unsigned})
	if err != nil {
		return err
	}
	if found != (audit.Recovery{}) {
		k.log.Warn("the last kernel did not end in order", "torn_bytes", found.TornBytes, "unsigned_records", found.Unsigned)
	}
	return k.record(ctx, "kernel.boot", body)
}

// watchedLog ends the kernel when the audit log fails. Nothing can be decided
// any more then, not even a request to shut down, and a kernel that denies
// everything for ever helps nobody: the next start says what is wrong, or works
// again.
type watchedLog struct {
	*audit.Log
	finish func(reason string)
}

// Append writes a record, or asks for the end.
func (l watchedLog) Append(ctx context.Context, e audit.Entry, d audit.Durability) (audit.Ref, error) {
	ref, err := l.Log.Append(ctx, e, d)
	if err != nil && ctx.Err() == nil && !errors.Is(err, audit.ErrEntry) && !errors.Is(err, audit.ErrClosed) {
		l.finish("the audit log cannot be written: " + err.Error())
	}
	return ref, err
}
