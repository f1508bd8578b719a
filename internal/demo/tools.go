package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/astrid-go/astrid/api"
)

// call uses a tool and returns its content. A tool that reports an error is an
// error here.
func (r *run) call(ctx context.Context, tool string, arguments map[string]any) (string, error) {
	got, err := r.tool(ctx, tool, arguments)
	if err != nil {
		return "", err
	}
	if got.IsError {
		return "", fmt.Errorf("tool %s: %s", tool, got.Content)
	}
	return got.Content, nil
}

func (r *run) tool(ctx context.Context, tool string, arguments map[string]any) (api.ToolResult, error) {
	raw, err := json.Marshal(arguments)
	if err != nil {
		return api.ToolResult{}, err
	}
	return r.client.CallTool(ctx, tool, raw)
}

func (r *run) listTools(ctx context.Context) (string, error) {
	var list api.ToolList
	if err := r.client.Request(ctx, api.MethodListTools, nil, &list); err != nil {
		return "", err
	}
	if len(list.Tools) != 12 {
		return "", fmt.Errorf("the catalogue has %d tools, want 12", len(list.Tools))
	}
	byCapsule := map[string][]string{}
	for _, t := range list.Tools {
		byCapsule[t.Capsule] = append(byCapsule[t.Capsule], t.Name)
	}
	return fmt.Sprintf("generation %d of the catalogue\nfs:   %s\ndemo: %s\n", list.Generation,
		strings.Join(byCapsule["fs"], " "), strings.Join(byCapsule["demo"], " ")), nil
}

func (r *run) read(ctx context.Context) (string, error) {
	text, err := r.call(ctx, "read_file", map[string]any{"path": "src/price.txt"})
	if err != nil {
		return "", err
	}
	if !strings.Contains(text, "melon   = 250") {
		return text, errors.New("read_file did not return the file")
	}
	hits, err := r.call(ctx, "grep_search", map[string]any{"pattern": "TODO"})
	if err != nil {
		return "", err
	}
	if strings.Count(hits, "\n") != 2 {
		return hits, errors.New("grep_search should find two lines")
	}
	return "src/price.txt has " + fmt.Sprint(strings.Count(text, "\n")) + " lines\n" + hits, nil
}

func (r *run) edit(ctx context.Context) (string, error) {
	var shown strings.Builder
	for _, c := range []struct {
		tool string
		args map[string]any
	}{
		{"replace_in_file", map[string]any{
			"path": "src/price.txt", "old_text": "TODO: quince\n", "new_text": "quince  = 60\n",
		}},
		{"write_file", map[string]any{"path": "docs/plan.txt", "content": "Sell more quinces.\n"}},
		{"delete_file", map[string]any{"path": "docs/old-plan.txt"}},
	} {
		text, err := r.call(ctx, c.tool, c.args)
		if err != nil {
			return shown.String(), err
		}
		fmt.Fprintf(&shown, "%s: %s\n", c.tool, text)
	}
	return shown.String(), nil
}

func (r *run) review(ctx context.Context) (string, error) {
	var set api.ChangeSet
	if err := r.client.Request(ctx, api.MethodListChanges, api.ChangesQuery{Diff: true}, &set); err != nil {
		return "", err
	}
	want := map[string]string{"src/price.txt": "modified", "docs/plan.txt": "added", "docs/old-plan.txt": "deleted"}
	for _, c := range set.Changes {
		if want[c.Path] != c.Kind {
			return set.Diff, fmt.Errorf("%s is %s", c.Path, c.Kind)
		}
		delete(want, c.Path)
	}
	if len(want) > 0 {
		return set.Diff, fmt.Errorf("the change set lacks %v", want)
	}
	return set.Diff, r.workspaceIs(map[string]bool{"quince  = 60": false, "Sell more": false, "plan of last year": true})
}

// workspaceIs checks which of some texts stand in the real workspace.
func (r *run) workspaceIs(want map[string]bool) error {
	var all strings.Builder
	for _, name := range []string{"src/price.txt", "docs/plan.txt", "docs/old-plan.txt"} {
		b, err := os.ReadFile(filepath.Join(r.workspace, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		all.Write(b)
	}
	for text, there := range want {
		if strings.Contains(all.String(), text) != there {
			return fmt.Errorf("real workspace: text %q there = %v, want %v", text, !there, there)
		}
	}
	return nil
}

func (r *run) escape(ctx context.Context) (string, error) {
	var shown strings.Builder
	for _, attempt := range []struct {
		what, tool string
		args       map[string]any
		code       string
	}{
		{"a path with ../", "read_file", map[string]any{"path": "../secret.txt"}, "boundary_escape"},
		{"an absolute path", "read_file", map[string]any{"path": "/etc/passwd"}, "boundary_escape"},
		{"a symlink that leads out", "read_file", map[string]any{"path": "way-out"}, "boundary_escape"},
		{"a path outside the grants", "write_note", map[string]any{"path": "src/price.txt", "text": "x"}, "not_granted"},
		{"an undeclared topic", "publish_note", map[string]any{"topic": "agent.v1.response", "text": "x"}, "not_granted"},
		{"an undeclared host", "fetch_url", map[string]any{"url": "https://example.com/"}, "not_granted"},
	} {
		d, err := r.denied(ctx, attempt.tool, attempt.args)
		if err != nil {
			return shown.String(), fmt.Errorf("%s: %w", attempt.what, err)
		}
		fmt.Fprintf(&shown, "%s: %s\n  %s\n", attempt.what, d.Code, d.Rule)
		if d.Code != attempt.code {
			return shown.String(), fmt.Errorf("%s: denied with %s, want %s", attempt.what, d.Code, attempt.code)
		}
	}
	return shown.String(), nil
}

// denied makes a call that must be denied and returns the denial on record.
func (r *run) denied(ctx context.Context, tool string, arguments map[string]any) (api.Denial, error) {
	got, err := r.tool(ctx, tool, arguments)
	if err != nil {
		return api.Denial{}, err
	}
	if !got.IsError {
		return api.Denial{}, fmt.Errorf("it worked: %s", got.Content)
	}
	var why api.Explanation
	if err := r.client.Request(ctx, api.MethodExplain, api.ExplainQuery{Call: got.CallID}, &why); err != nil {
		return api.Denial{}, err
	}
	if len(why.Denials) == 0 || why.Denials[0].Rule == "" {
		return api.Denial{}, fmt.Errorf("no denial with a rule is on record for call %s (%s)", got.CallID, got.Content)
	}
	return why.Denials[0], nil
}
