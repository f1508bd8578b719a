// Package bench measures a whole daemon the way its users meet it: as a process
// that is started, and over its socket.
//
// Each run starts real daemons in a temporary home, so the figures include the
// process, the disk and the kernel's audit log, not only the code. It prints
// medians and tails with the machine and the Go version, and asserts nothing:
// figures from different machines, or from one that does other work, are not
// comparable.
package bench

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/astrid-go/astrid/api"
)

// Config is what a run needs.
type Config struct {
	Out io.Writer
	// Executable is the astrid program.
	Executable string
	Version    string
	// Rounds is how often the daemon is started for each boot figure.
	Rounds int
	// Calls is the number of tool calls for each number of clients.
	Calls int
}

// Run prints every figure, or stops at the first error.
func Run(ctx context.Context, cfg Config) error {
	b := &run{Config: cfg}
	var err error
	if b.dir, err = os.MkdirTemp("", "astrid-bench-"); err != nil {
		return fmt.Errorf("make a directory for the benchmark: %w", err)
	}
	defer os.RemoveAll(b.dir)
	b.home, b.workspace = filepath.Join(b.dir, "home"), filepath.Join(b.dir, "workspace")
	if err := os.MkdirAll(b.workspace, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.workspace, "small.txt"), bytes.Repeat([]byte("sixteen letters\n"), 256), 0o600); err != nil {
		return err
	}
	b.line("machine", "%s/%s, %d CPUs, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), cpuModel())
	b.line("go", "%s", runtime.Version())
	for _, measure := range []func(context.Context) error{b.size, b.boots, b.calls, b.memory} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	return nil
}

type run struct {
	Config
	dir, home, workspace string
}

func (b *run) line(name, format string, args ...any) {
	fmt.Fprintf(b.Out, "%-40s %s\n", name, fmt.Sprintf(format, args...))
}

func (b *run) size(context.Context) error {
	info, err := os.Stat(b.Executable)
	if err != nil {
		return err
	}
	b.line("binary", "%.1f MB", float64(info.Size())/1e6)
	return nil
}

// daemon is a running process and the time it took to answer.
type daemon struct {
	cmd      *exec.Cmd
	answered time.Duration
	ready    time.Duration
	client   *api.Client
}

// start runs a daemon and waits until it answers and until its capsules are
// ready.
func (b *run) start(ctx context.Context) (*daemon, error) {
	began := time.Now()
	d := &daemon{cmd: exec.CommandContext(ctx, b.Executable, "daemon", "--home", b.home, "--workspace", b.workspace)}
	log, err := os.Create(filepath.Join(b.dir, "daemon.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.cmd.Stderr = log
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for d.client == nil {
		if d.client, err = b.dial(ctx, "default"); err != nil {
			if ctx.Err() != nil {
				return nil, errors.Join(fmt.Errorf("daemon does not answer: %w", err), d.stop())
			}
			time.Sleep(time.Millisecond)
		}
	}
	d.answered = time.Since(began)
	for {
		var s api.Status
		if err := d.client.Request(ctx, api.MethodGetStatus, nil, &s); err != nil {
			return nil, errors.Join(err, d.stop())
		}
		if s.Ready {
			d.ready = time.Since(began)
			return d, nil
		}
		time.Sleep(time.Millisecond)
	}
}

func (d *daemon) stop() error {
	if d.client != nil {
		d.client.Close()
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return d.cmd.Wait()
}

// dial connects as a principal whose key lies in the home.
func (b *run) dial(ctx context.Context, who string) (*api.Client, error) {
	seed, err := os.ReadFile(filepath.Join(b.home, "keys", who+".key"))
	if err != nil {
		return nil, err
	}
	return api.Dial(ctx, api.Config{
		SocketPath: filepath.Join(b.home, "run", "system.sock"),
		TokenPath:  filepath.Join(b.home, "run", "system.token"),
		Principal:  who, Signer: ed25519.NewKeyFromSeed(seed), Version: b.Version,
	})
}

// boots starts daemons on a fresh home, on one without compiled code, and on a
// warm one.
func (b *run) boots(ctx context.Context) error {
	for _, kind := range []struct {
		name    string
		prepare func() error
		rounds  int
	}{
		{"first boot of a home", func() error { return os.RemoveAll(b.home) }, 1},
		{"boot, cold cache", func() error { return os.RemoveAll(filepath.Join(b.home, "var", "cache")) }, max(b.Rounds/3, 3)},
		{"boot, warm cache", func() error { return nil }, b.Rounds},
	} {
		var answered, ready []time.Duration
		for range kind.rounds {
			if err := kind.prepare(); err != nil {
				return err
			}
			d, err := b.start(ctx)
			if err != nil {
				return err
			}
			answered, ready = append(answered, d.answered), append(ready, d.ready)
			if err := d.stop(); err != nil {
				return fmt.Errorf("stop the daemon: %w", err)
			}
		}
		b.line(kind.name, "socket answers p50 %s  ready p50 %s  (n=%d)", ms(quantile(answered, 0.5)), ms(quantile(ready, 0.5)), kind.rounds)
	}
	return nil
}

func quantile(d []time.Duration, q float64) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[min(int(q*float64(len(d))), len(d)-1)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }
