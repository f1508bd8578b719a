package cli

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/astrid-go/astrid/api"
)

func (a *App) capsule() *cobra.Command {
	return group("capsule", "install and list capsules", a.capsuleList(), a.capsuleInstall())
}

func (a *App) capsuleList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list installed capsules with their state", Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var s api.Status
			if err := a.request(c.Context(), api.MethodGetStatus, nil, &s); err != nil {
				return err
			}
			return a.print(s.Capsules, func(w io.Writer) error { return showCapsules(w, s.Capsules) })
		},
	}
}

func (a *App) capsuleInstall() *cobra.Command {
	return &cobra.Command{
		Use:   "install DIR",
		Short: "install a capsule from a directory and load it",
		Long: `Copies the capsule in DIR, its Capsule.toml and the files that it names, into the
home and loads it. A capsule of the same name must be removed first.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			dir, err := filepath.Abs(given[0])
			if err != nil {
				return err
			}
			var done api.InstalledCapsule
			if err := a.request(c.Context(), api.MethodInstallCapsule, api.InstallParams{Source: dir}, &done); err != nil {
				return err
			}
			return a.print(done, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "installed %s %s\n", printable(done.Name), printable(done.Version))
				return err
			})
		},
	}
}

func showCapsules(w io.Writer, capsules []api.CapsuleStatus) error {
	rows := make([][]string, len(capsules))
	for i, c := range capsules {
		rows[i] = []string{c.Name, c.Version, c.State, fmt.Sprint(c.Instances), fmt.Sprint(c.Calls), c.Reason}
	}
	return table(w, []string{"CAPSULE", "VERSION", "STATE", "INSTANCES", "CALLS", "REASON"}, rows)
}
