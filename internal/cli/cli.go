// Package cli is the command line: one file for each noun, and nothing that a
// program of the user's own could not do through package api.
//
// The model: [New] builds the tree of commands over an [App], which holds the
// streams and the surroundings. A command parses its flags, talks to the
// daemon through the socket, and writes what was asked for to stdout; notices,
// prompts and errors go to stderr. [App.Run] maps the error to an exit code.
//
// The package never touches the daemon's state on disk, with two exceptions:
// it reads the session token and the operator's key to connect, and `audit
// verify --dir` reads a copy of the log without a daemon.
//
// It starts no goroutines of its own. To test a command, run it through
// [App.Run] with buffers for streams.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// App is the surroundings of a command. The zero value has no streams and is
// not usable; all fields but Extra must be set.
type App struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Env looks up an environment variable.
	Env func(string) string
	// Dir is the working directory, the default workspace.
	Dir string
	// Version is shown by version and sent in the handshake.
	Version string
	// Executable is the program to start as a daemon.
	Executable string
	// Extra adds commands that need more than the socket, for example the
	// daemon itself.
	Extra func(*App) []*cobra.Command

	output string // of the flag --output
	home   string // of the flag --home
	who    string // of the flag --principal
}

// Run parses args, runs the command and returns the exit code. An error is
// reported on Stderr, or as a JSON object on Stderr when -o json was given.
func (a *App) Run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	code := exitCode(err)
	if err != nil {
		a.report(err, code)
	}
	return code
}

const rootHelp = `Astrid runs AI agents the way an operating system runs processes: as
WebAssembly capsules without rights of their own, behind a kernel that checks a
grant before each effect and keeps a record that shows tampering.

Results go to stdout and everything else to stderr.

Exit codes: 0 ok, 1 error, 2 usage, 3 denied, 4 not found, 5 unavailable,
6 timeout.

Environment: ASTRID_HOME is the directory of all state, by default ~/.astrid.`

func (a *App) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "astrid",
		Short:         "an operating-system kernel for AI agents",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if a.output != "text" && a.output != "json" {
				return usageError{fmt.Errorf("-o %s: want text or json", a.output)}
			}
			return nil
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&a.output, "output", "o", "text", "format of the result: text or json")
	flags.StringVar(&a.home, "home", "", "home directory (default $ASTRID_HOME or ~/.astrid)")
	flags.StringVar(&a.who, "principal", "", "principal to act as (default $ASTRID_PRINCIPAL or default)")
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(
		a.start(), a.stop(), a.status(),
		a.tool(), a.changes(), a.commit(), a.rollback(),
		a.approval(), a.audit(), a.why(), a.capsule(), a.version(),
	)
	if a.Extra != nil {
		root.AddCommand(a.Extra(a)...)
	}
	return root
}

// args wraps cobra's checks of positional arguments so that a mistake exits as
// one of usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		if err := check(c, given); err != nil {
			return usageError{fmt.Errorf("%s: %w (see %s --help)", c.CommandPath(), err, c.CommandPath())}
		}
		return nil
	}
}

// group makes the command of a noun, which only has verbs below it.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, RunE: func(c *cobra.Command, given []string) error {
		if len(given) > 0 {
			return usageError{fmt.Errorf("%s has no verb %q (see %s --help)", c.CommandPath(), given[0], c.CommandPath())}
		}
		return c.Help()
	}}
	c.AddCommand(verbs...)
	return c
}

func (a *App) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version", Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			return a.print(map[string]string{"version": a.Version}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "astrid", a.Version)
				return err
			})
		},
	}
}

// report writes err for a person, or as one JSON object for a program.
func (a *App) report(err error, code int) {
	var silent exitError
	if errors.As(err, &silent) {
		return
	}
	if strings.HasPrefix(err.Error(), "unknown command") {
		err = fmt.Errorf("%w (see astrid --help)", err)
	}
	a.reportError(err, code)
}
