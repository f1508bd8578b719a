package main

import (
	"io/fs"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/astrid-go/astrid/capsules"
	"github.com/astrid-go/astrid/internal/cli"
	"github.com/astrid-go/astrid/internal/demo"
)

func demoCommand(a *cli.App) *cobra.Command {
	var keep bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "run the main job from end to end and check every step",
		Long: `Boots a kernel in a temporary home on a copy of a small workspace and drives it
over its socket: list tools, read, edit, review, escape attempts, approvals,
commit and rollback, audit. Touches nothing else, needs no network.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return demo.Run(c.Context(), demo.Config{
				Out: a.Stdout, Version: a.Version, Keep: keep,
				Log:      slog.New(slog.NewTextHandler(a.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
				Capsules: func(name string) (fs.FS, error) { return capsules.Open(name) },
			})
		},
	}
	c.Flags().BoolVar(&keep, "keep", false, "leave the temporary home and workspace in place")
	return c
}
