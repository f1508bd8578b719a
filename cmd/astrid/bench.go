package main

import (
	"github.com/spf13/cobra"

	"github.com/astrid-go/astrid/internal/bench"
	"github.com/astrid-go/astrid/internal/cli"
)

func benchCommand(a *cli.App) *cobra.Command {
	cfg := bench.Config{Out: a.Stdout, Executable: a.Executable, Version: a.Version}
	c := &cobra.Command{
		Use:   "bench",
		Short: "measure boot, tool calls and memory of a real daemon",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return bench.Run(c.Context(), cfg) },
	}
	c.Flags().IntVar(&cfg.Rounds, "rounds", 15, "starts of the daemon for each figure")
	c.Flags().IntVar(&cfg.Calls, "calls", 4000, "tool calls for each number of clients")
	return c
}
