package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/astrid-go/astrid/api"
)

func (a *App) tool() *cobra.Command {
	return group("tool", "list and call the tools of loaded capsules", a.toolList(), a.toolCall())
}

func (a *App) toolList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "list the tools that may be called", Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var list api.ToolList
			if err := a.request(c.Context(), api.MethodListTools, nil, &list); err != nil {
				return err
			}
			return a.print(list, func(w io.Writer) error {
				rows := make([][]string, len(list.Tools))
				for i, t := range list.Tools {
					effect := "reads"
					if t.Mutable {
						effect = "changes"
					}
					rows[i] = []string{t.Name, t.Capsule, effect, firstSentence(t.Description)}
				}
				return table(w, []string{"TOOL", "CAPSULE", "EFFECT", "DESCRIPTION"}, rows)
			})
		},
	}
}

func firstSentence(s string) string {
	if i := strings.Index(s, ". "); i >= 0 {
		return s[:i+1]
	}
	return s
}

// toolOutcome is what `tool call -o json` prints. The fields are stable.
type toolOutcome struct {
	Call    string       `json:"call"`
	Tool    string       `json:"tool"`
	Content string       `json:"content"`
	IsError bool         `json:"is_error"`
	Denials []api.Denial `json:"denials,omitempty"`
	TookMS  float64      `json:"took_ms"`
}

func (a *App) toolCall() *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "call NAME [JSON]",
		Short: "call a tool and print its content",
		Long: `Calls a tool with a JSON object of arguments; "-" reads it from stdin.

The content goes to stdout. When the tool reports an error, the content goes to
stderr and the exit code is 1, or 3 when something the tool did was denied; the
rule that denied is then printed as well.`,
		Example: `  astrid tool call read_file '{"path":"README.md"}'`,
		Args:    args(cobra.RangeArgs(1, 2)),

		ValidArgsFunction: a.completeTool,
		RunE: func(c *cobra.Command, given []string) error {
			arguments, err := a.toolArguments(given[1:])
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			return a.callTool(ctx, given[0], arguments)
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", 5*time.Minute, "how long to wait, approvals included")
	return c
}

// completeTool offers the names of tools to a shell; without a daemon there are
// none.
func (a *App) completeTool(c *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	var list api.ToolList
	if len(given) > 0 || a.request(c.Context(), api.MethodListTools, nil, &list) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, t := range list.Tools {
		names = append(names, t.Name+"\t"+firstSentence(printable(t.Description)))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *App) toolArguments(given []string) (json.RawMessage, error) {
	if len(given) == 0 {
		return json.RawMessage("{}"), nil
	}
	text := []byte(given[0])
	if given[0] == "-" {
		b, err := io.ReadAll(io.LimitReader(a.Stdin, 1<<20+1))
		if err != nil {
			return nil, fmt.Errorf("read arguments from stdin: %w", err)
		}
		if len(b) > 1<<20 {
			return nil, usageError{errors.New("arguments on stdin are larger than 1 MiB")}
		}
		text = b
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, usageError{fmt.Errorf("arguments must be a JSON object: %w", err)}
	}
	return text, nil
}

func (a *App) callTool(ctx context.Context, name string, arguments json.RawMessage) error {
	client, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	began := time.Now()
	r, err := client.CallTool(ctx, name, arguments)
	if err != nil {
		return err
	}
	out := toolOutcome{Call: r.CallID, Tool: name, Content: r.Content, IsError: r.IsError}
	out.TookMS = float64(time.Since(began).Microseconds()) / 1000
	if out.IsError {
		var why api.Explanation
		if err := client.Request(ctx, api.MethodExplain, api.ExplainQuery{Call: r.CallID}, &why); err == nil {
			out.Denials = why.Denials
		}
	}
	return a.showOutcome(out)
}

func (a *App) showOutcome(out toolOutcome) error {
	err := a.print(out, func(w io.Writer) error {
		if out.IsError {
			w = a.Stderr
			fmt.Fprint(w, "astrid: ", out.Tool, ": ")
		}
		content := printableText(out.Content)
		if !strings.HasSuffix(content, "\n") {
			content += "\n"
		}
		_, err := io.WriteString(w, content)
		for _, d := range out.Denials {
			a.describeDenial(a.Stderr, d)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case len(out.Denials) > 0:
		return exitError(ExitDenied)
	case out.IsError:
		return exitError(ExitError)
	}
	return nil
}

func (a *App) describeDenial(w io.Writer, d api.Denial) {
	fmt.Fprintf(w, "denied (%s) %s on %s\n", printable(d.Code), printable(d.Action), printable(d.Resource))
	fmt.Fprintf(w, "  rule: %s\n", printable(d.Rule))
	if d.Unlock != "" {
		fmt.Fprintf(w, "  unlock: %s\n", printable(d.Unlock))
	}
	fmt.Fprintf(w, "  id: %s\n", printable(d.ID))
}

func (a *App) why() *cobra.Command {
	return &cobra.Command{
		Use:   "why ID",
		Short: "explain a denial: the rule that decided and what would have allowed it",
		Long:  "Explains a denial by its id, or all denials of a call by the call's id.",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			var why api.Explanation
			if err := a.request(c.Context(), api.MethodExplain, api.ExplainQuery{ID: given[0]}, &why); err != nil {
				return err
			}
			return a.print(why, func(w io.Writer) error {
				for _, d := range why.Denials {
					a.describeDenial(w, d)
				}
				return nil
			})
		},
	}
}
