package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/astrid-go/astrid/capsules"
	"github.com/astrid-go/astrid/internal/cli"
	"github.com/astrid-go/astrid/kernel"
)

// shutdownTime bounds an orderly end; after it the process ends as it is. The
// stores survive that: what was acknowledged is on disk.
const shutdownTime = 8 * time.Second

func daemonCommand(a *cli.App) *cobra.Command {
	var workspace string
	var ephemeral, verbose bool
	c := &cobra.Command{
		Use:   "daemon",
		Short: "run the daemon in the foreground",
		Long: `Runs the daemon until it is told to stop. The log goes to stderr.

SIGINT, SIGTERM and SIGHUP end it in order; a second signal ends it at once.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			home, err := a.Home()
			if err != nil {
				return err
			}
			level := slog.LevelInfo
			if verbose {
				level = slog.LevelDebug
			}
			log := slog.New(slog.NewTextHandler(a.Stderr, &slog.HandlerOptions{Level: level}))
			cfg := kernel.Config{Home: home, WorkspaceRoot: workspace, Version: a.Version, Logger: log}
			return serve(c.Context(), cfg, ephemeral)
		},
	}
	c.Flags().StringVarP(&workspace, "workspace", "w", a.Dir, "directory that agents work on")
	c.Flags().BoolVar(&ephemeral, "ephemeral", false, "end when the last client has left")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "log more")
	return c
}

// serve runs a kernel from boot to shutdown. Signals are taken from the start,
// so that one during the boot leaves nothing behind.
func serve(ctx context.Context, cfg kernel.Config, ephemeral bool) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stopSignals := onSignal(cancel)
	defer stopSignals()

	k, err := kernel.New(ctx, cfg)
	if err != nil {
		return err
	}
	k.SetEphemeral(ephemeral)
	defer func() {
		reason := k.Reason()
		if cause := context.Cause(ctx); reason == "" && cause != nil {
			reason = cause.Error()
		}
		end, stop := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer stop()
		force := time.AfterFunc(shutdownTime+time.Second, func() { os.Exit(cli.ExitError) })
		defer force.Stop()
		err = errors.Join(err, k.Shutdown(end, reason))
	}()
	if err := prepare(ctx, k); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-k.Done():
	}
	return nil
}

// prepare installs the bundled capsules into a home that has none, and loads
// all there are. A capsule that fails is listed as failed; it does not end the
// daemon.
func prepare(ctx context.Context, k *kernel.Kernel) error {
	if fresh, err := k.HasNoCapsules(); err != nil || fresh {
		if err != nil {
			return err
		}
		for _, name := range bundled() {
			files, err := capsules.Open(name)
			if err != nil {
				return err
			}
			if err := k.InstallCapsule(ctx, files); err != nil {
				return fmt.Errorf("install the bundled capsule %s: %w", name, err)
			}
		}
	}
	err := k.LoadAllCapsules(ctx)
	if ctx.Err() != nil {
		return nil // told to stop while loading: that is no failure
	}
	return err
}

// bundled lists what a new home gets: every capsule of the binary but the one
// that only the demo uses.
func bundled() []string {
	var names []string
	for _, name := range capsules.Names() {
		if name != "demo" {
			names = append(names, name)
		}
	}
	return names
}

// onSignal cancels on the first signal and ends the process on the second. The
// goroutine ends with stop.
func onSignal(cancel context.CancelCauseFunc) (stop func()) {
	got := make(chan os.Signal, 2)
	done := make(chan struct{})
	signal.Notify(got, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case s := <-got:
				if n > 0 {
					os.Exit(130)
				}
				cancel(fmt.Errorf("signal %s", s))
			}
		}
	}()
	return func() {
		signal.Stop(got)
		close(done)
	}
}
