// Command astrid is the whole product: the command line, the daemon and the
// demo. See `astrid --help`.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/astrid-go/astrid/internal/cli"
)

// version is set by the linker.
var version = "development"

func main() {
	os.Exit(run(context.Background(), os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "astrid: find the working directory:", err)
		return cli.ExitError
	}
	exe, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "astrid: find the program:", err)
		return cli.ExitError
	}
	app := &cli.App{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv,
		Dir: dir, Version: version, Executable: exe,
		Extra: func(a *cli.App) []*cobra.Command {
			return []*cobra.Command{daemonCommand(a), demoCommand(a), benchCommand(a)}
		},
	}
	return app.Run(ctx, args)
}
