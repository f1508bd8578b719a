package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/astrid-go/astrid/api"
)

func (a *App) changes() *cobra.Command {
	var stat, nameOnly bool
	c := &cobra.Command{
		Use:   "changes [PATH...]",
		Short: "show what the agent changed and has not been committed",
		Long: `Shows the change set of this principal as a unified diff against the workspace
as it is now. The workspace itself is untouched until "astrid commit".`,
		RunE: func(c *cobra.Command, paths []string) error {
			var set api.ChangeSet
			q := api.ChangesQuery{Paths: slashed(paths), Diff: !stat && !nameOnly}
			if err := a.request(c.Context(), api.MethodListChanges, q, &set); err != nil {
				return err
			}
			return a.print(set, func(w io.Writer) error {
				switch {
				case nameOnly:
					return changeNames(w, set)
				case stat:
					return changeStat(w, set)
				case len(set.Changes) == 0:
					_, err := fmt.Fprintln(a.Stderr, "no changes in", set.Workspace)
					return err
				}
				_, err := io.WriteString(w, printableText(set.Diff))
				return err
			})
		},
	}
	c.Flags().BoolVar(&stat, "stat", false, "one line a file with the number of changed lines")
	c.Flags().BoolVar(&nameOnly, "name-only", false, "the paths alone")
	c.MarkFlagsMutuallyExclusive("stat", "name-only")
	return c
}

func slashed(paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = filepath.ToSlash(p)
	}
	return out
}

func changeNames(w io.Writer, set api.ChangeSet) error {
	for _, c := range set.Changes {
		if _, err := fmt.Fprintln(w, printable(c.Path)); err != nil {
			return err
		}
	}
	return nil
}

func changeStat(w io.Writer, set api.ChangeSet) error {
	rows := make([][]string, len(set.Changes))
	added, removed := 0, 0
	for i, c := range set.Changes {
		rows[i] = []string{c.Kind, changePath(c), changeSize(c), changeNotes(c)}
		added, removed = added+c.Added, removed+c.Removed
	}
	if err := table(w, []string{"CHANGE", "PATH", "LINES", "NOTE"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d files changed, %d lines added, %d removed\n", len(set.Changes), added, removed)
	return err
}

func changePath(c api.Change) string {
	if c.From != "" {
		return c.From + " → " + c.Path
	}
	return c.Path
}

func changeSize(c api.Change) string {
	if c.Binary {
		return fmt.Sprintf("%d → %d bytes", c.OldSize, c.NewSize)
	}
	return fmt.Sprintf("+%d -%d", c.Added, c.Removed)
}

func changeNotes(c api.Change) string {
	var notes []string
	if c.Conflict {
		notes = append(notes, "conflict: the workspace changed below it")
	}
	if c.OldMode != "" && c.NewMode != "" && c.OldMode != c.NewMode {
		notes = append(notes, "mode "+c.OldMode+" → "+c.NewMode)
	}
	return strings.Join(notes, "; ")
}

func (a *App) commit() *cobra.Command {
	return &cobra.Command{
		Use:   "commit [PATH...]",
		Short: "apply changes to the workspace, all or nothing",
		Long: `Applies the changes of the given paths, or all of them, to the real workspace.
Either every one is applied or none. When the workspace changed below a change,
nothing is applied and the paths in conflict are named.`,
		RunE: func(c *cobra.Command, paths []string) error {
			var done api.Committed
			return a.apply(c.Context(), api.MethodCommitChanges, paths, &done, func() ([]string, string) {
				return done.Paths, "committed"
			})
		},
	}
}

func (a *App) rollback() *cobra.Command {
	return &cobra.Command{
		Use:   "rollback [PATH...]",
		Short: "drop changes that are not committed",
		RunE: func(c *cobra.Command, paths []string) error {
			var done api.RolledBack
			return a.apply(c.Context(), api.MethodRollbackChanges, paths, &done, func() ([]string, string) {
				return done.Paths, "rolled back"
			})
		},
	}
}

func (a *App) apply(ctx context.Context, method string, paths []string, into any, done func() ([]string, string)) error {
	if err := a.request(ctx, method, api.Paths{Paths: slashed(paths)}, into); err != nil {
		return err
	}
	return a.print(into, func(w io.Writer) error {
		list, verb := done()
		if len(list) == 0 {
			_, err := fmt.Fprintln(a.Stderr, "nothing to do: no changes")
			return err
		}
		for _, p := range list {
			if _, err := fmt.Fprintln(w, verb, printable(p)); err != nil {
				return err
			}
		}
		return nil
	})
}
