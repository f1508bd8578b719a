// Package demo runs the main job from end to end, the way a user would: it
// boots a kernel in a temporary home on a copy of a small workspace, connects
// to its socket, and drives it with nothing but requests that any client can
// make.
//
// Each step checks what it did. A step that did not behave ends the run with an
// error, so that the demo is also the broadest test there is. Nothing outside
// the temporary directory is touched.
package demo

import (
	"context"
	"crypto/ed25519"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/kernel"
)

//go:embed workspace
var sample embed.FS

// Config is what a run needs from the program.
type Config struct {
	// Out receives the transcript.
	Out io.Writer
	// Log receives the kernel's log.
	Log *slog.Logger
	// Version is sent in the handshake.
	Version string
	// Capsules opens the bundled capsules that are installed into the home.
	Capsules func(name string) (fs.FS, error)
	// CacheDir keeps compiled code from one run to the next; by default each run
	// compiles anew.
	CacheDir string
	// Keep leaves the temporary directory in place and prints its name.
	Keep bool
}

// run is the state that steps share.
type run struct {
	Config
	dir       string // temporary directory
	home      string
	workspace string
	kernel    *kernel.Kernel
	client    *api.Client
	steps     transcript
}

// Run runs all steps and returns the first error.
func Run(ctx context.Context, cfg Config) (err error) {
	dir, err := os.MkdirTemp("", "astrid-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo: %w", err)
	}
	r := &run{
		Config: cfg, dir: dir,
		home:      filepath.Join(dir, "home"),
		workspace: filepath.Join(dir, "workspace"),
		steps:     transcript{out: cfg.Out, began: time.Now()},
	}
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	for _, s := range r.script() {
		if err := r.steps.do(ctx, s); err != nil {
			return err
		}
	}
	fmt.Fprintf(cfg.Out, "\nAll %d steps behaved, in %d ms.\n", r.steps.n, time.Since(r.steps.began).Milliseconds())
	return nil
}

func (r *run) script() []step {
	return []step{
		{"boot a kernel on a copy of a small workspace", r.boot},
		{"load two capsules, compiled from Go to WebAssembly", r.load},
		{"list the tools, from the manifests", r.listTools},
		{"read a file and grep the workspace", r.read},
		{"edit one file, create one, delete one", r.edit},
		{"show the change set; the workspace is untouched", r.review},
		{"try to escape, six ways", r.escape},
		{"ask before a sensitive action: once, then for the session", r.approve},
		{"commit one change and roll back the others", r.decide},
		{"verify the audit log, then a copy with one byte flipped", r.verify},
	}
}

func (r *run) boot(ctx context.Context) (string, error) {
	if err := copyTree(sample, "workspace", r.workspace); err != nil {
		return "", err
	}
	secret := filepath.Join(r.dir, "secret.txt")
	if err := os.WriteFile(secret, []byte("nobody may read this\n"), 0o600); err != nil {
		return "", err
	}
	if err := os.Symlink(secret, filepath.Join(r.workspace, "way-out")); err != nil {
		return "", err
	}
	k, err := kernel.New(ctx, kernel.Config{
		Home: r.home, WorkspaceRoot: r.workspace, Version: r.Version, Logger: r.Log, CacheDir: r.CacheDir,
	})
	if err != nil {
		return "", err
	}
	r.kernel = k
	if r.client, err = r.dial(ctx); err != nil {
		return "", err
	}
	var s api.Status
	if err := r.client.Request(ctx, api.MethodGetStatus, nil, &s); err != nil {
		return "", err
	}
	return fmt.Sprintf("the socket answers; %d capsules are loaded yet", len(s.LoadedCapsules)), nil
}

// dial connects as the local operator, with the key that the kernel made.
func (r *run) dial(ctx context.Context) (*api.Client, error) {
	seed, err := os.ReadFile(filepath.Join(r.home, "keys", "default.key"))
	if err != nil {
		return nil, err
	}
	return api.Dial(ctx, api.Config{
		SocketPath: filepath.Join(r.home, "run", "system.sock"),
		TokenPath:  filepath.Join(r.home, "run", "system.token"),
		Principal:  "default",
		Signer:     ed25519.NewKeyFromSeed(seed),
		Version:    r.Version,
	})
}

func (r *run) load(ctx context.Context) (string, error) {
	for _, name := range []string{"fs", "demo"} {
		files, err := r.Capsules(name)
		if err != nil {
			return "", err
		}
		if err := r.kernel.InstallCapsule(ctx, files); err != nil {
			return "", err
		}
	}
	if err := r.kernel.LoadAllCapsules(ctx); err != nil {
		return "", err
	}
	var s api.Status
	if err := r.client.Request(ctx, api.MethodGetStatus, nil, &s); err != nil {
		return "", err
	}
	shown := ""
	for _, c := range s.Capsules {
		if c.State != "ready" {
			return shown, fmt.Errorf("capsule %s is %s: %s", c.Name, c.State, c.Reason)
		}
		shown += fmt.Sprintf("%s %s is %s\n", c.Name, c.Version, c.State)
	}
	return shown, nil
}

func (r *run) close(ctx context.Context) error {
	var errs []error
	if r.client != nil {
		errs = append(errs, r.client.Close())
	}
	if r.kernel != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		errs = append(errs, r.kernel.Shutdown(ctx, "demo is over"))
	}
	if r.Keep {
		fmt.Fprintln(r.Out, "kept", r.dir)
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, os.RemoveAll(r.dir))...)
}

func copyTree(from fs.FS, root, to string) error {
	sub, err := fs.Sub(from, root)
	if err != nil {
		return err
	}
	if err := os.CopyFS(to, sub); err != nil {
		return fmt.Errorf("copy the sample workspace: %w", err)
	}
	return nil
}
