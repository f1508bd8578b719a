package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/astrid-go/astrid/api"
)

// The daemon answers within this time or start gives up and shows its log. The
// socket is there before any capsule is compiled, so the time is for slow
// disks and for a long audit log, not for compilers.
const startTimeout = time.Minute

// stopTimeout is longer than the daemon's own deadline for shutting down.
const stopTimeout = 20 * time.Second

func (a *App) start() *cobra.Command {
	var workspace string
	c := &cobra.Command{
		Use:   "start",
		Short: "start the daemon for a workspace",
		Long: `Starts the daemon in the background and waits until it has loaded its capsules.
On a new home this also makes the keys and the profile of the local operator and
installs the capsules that are in this binary.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.launch(c.Context(), workspace); err != nil {
				return err
			}
			if err := a.awaitReady(c.Context()); err != nil {
				return err
			}
			return a.showStatus(c.Context())
		},
	}
	c.Flags().StringVarP(&workspace, "workspace", "w", a.Dir, "directory that agents work on")
	return c
}

// launch starts the daemon as a process of its own session and waits until it
// answers on the socket.
func (a *App) launch(ctx context.Context, workspace string) error {
	home, err := a.Home()
	if err != nil {
		return err
	}
	if client, err := a.dial(ctx); err == nil {
		client.Close()
		return fmt.Errorf("a daemon is already running for home %s; `astrid stop` ends it", home)
	}
	log, err := openLog(home)
	if err != nil {
		return err
	}
	defer log.Close()
	began, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("start the daemon: %w", err)
	}
	p := exec.Command(a.Executable, "daemon", "--home", home, "--workspace", workspace)
	p.Stdout, p.Stderr = log, log
	p.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := p.Start(); err != nil {
		return fmt.Errorf("start the daemon: %w", err)
	}
	if err := a.await(ctx, p); err != nil {
		return fmt.Errorf("%w; its log says: %s", err, tail(log, began))
	}
	return nil
}

// await polls the socket until it answers. The goroutine that reaps the child
// ends with it, or with this process.
func (a *App) await(ctx context.Context, p *exec.Cmd) error {
	died := make(chan error, 1)
	go func() { died <- p.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if client, err := a.dial(ctx); err == nil {
			return client.Close()
		}
		select {
		case err := <-died:
			return fmt.Errorf("the daemon ended at once: %w", orExit(err))
		case <-ctx.Done():
			p.Process.Kill()
			return fmt.Errorf("%w: the daemon did not answer within %s", ctx.Err(), startTimeout)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// awaitReady waits until the capsules are loaded, and says so when that takes a
// while: the first time they are compiled.
func (a *App) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	for said, began := false, time.Now(); ; {
		var s api.Status
		if err := client.Request(ctx, api.MethodGetStatus, nil, &s); err != nil || s.Ready {
			return err
		}
		if !said && time.Since(began) > 300*time.Millisecond {
			said = true
			fmt.Fprintln(a.Stderr, "compiling capsules, the first time takes a few seconds")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: the daemon answers, its capsules are not loaded", ctx.Err())
		case <-time.After(pollReady): // each look is a record of the audit log
		}
	}
}

// pollReady is how often awaitReady looks.
const pollReady = 50 * time.Millisecond

func orExit(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

func openLog(home string) (*os.File, error) {
	dir := filepath.Join(home, "log")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the log directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "daemon.log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the daemon's log: %w", err)
	}
	return f, nil
}

// tail returns what the daemon wrote since it was started, at most the last
// 4 KiB.
func tail(log *os.File, from int64) string {
	if end, err := log.Seek(0, io.SeekEnd); err == nil && end-from > 4096 {
		from = end - 4096
	}
	b, err := io.ReadAll(io.NewSectionReader(log, from, 4096))
	if err != nil {
		return "(its log cannot be read: " + err.Error() + ")"
	}
	return strings.TrimRight(string(b), "\n")
}

func (a *App) stop() *cobra.Command {
	return &cobra.Command{
		Use: "stop", Short: "stop the daemon and wait until it is gone", Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), stopTimeout)
			defer cancel()
			var status api.Status
			if err := a.request(ctx, api.MethodGetStatus, nil, &status); err != nil {
				return err
			}
			if err := a.request(ctx, api.MethodShutdown, api.ShutdownParams{Reason: "stop"}, nil); err != nil {
				return err
			}
			if err := gone(ctx, status.PID); err != nil {
				return err
			}
			return a.print(map[string]any{"stopped": status.PID}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "stopped daemon %d\n", status.PID)
				return err
			})
		},
	}
}

// gone waits until the process has ended: a reply is not yet an end.
func gone(ctx context.Context, pid int) error {
	for {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: daemon %d acknowledged the stop but still runs", ctx.Err(), pid)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (a *App) status() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "show the daemon and its capsules", Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return a.showStatus(c.Context()) },
	}
}

func (a *App) showStatus(ctx context.Context) error {
	var s api.Status
	if err := a.request(ctx, api.MethodGetStatus, nil, &s); err != nil {
		return err
	}
	return a.print(s, func(w io.Writer) error {
		fmt.Fprintf(w, "daemon %d, version %s, up %s\n", s.PID, s.Version, time.Duration(s.UptimeSecs)*time.Second)
		fmt.Fprintf(w, "workspace  %s\nhome       %s\naudit key  %s\n", s.Workspace, s.Home, s.AuditKey)
		fmt.Fprintf(w, "clients    %d\n", s.ConnectedClients)
		if len(s.Capsules) == 0 {
			return nil
		}
		return showCapsules(w, s.Capsules)
	})
}
