//go:build wasip1

package main

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/astrid-go/astrid/sdk"
	"github.com/astrid-go/astrid/sdk/fs"
)

type readArgs struct {
	Path      string `json:"path"`
	StartLine int    `json:"start_line"`
	EndLine   int    `json:"end_line"`
}

func read(_ *sdk.Call, a readArgs) (string, error) {
	text, err := readText(a.Path)
	if err != nil || (a.StartLine == 0 && a.EndLine == 0) {
		return text, err
	}
	lines := strings.SplitAfter(text, "\n")
	first, last := max(a.StartLine, 1), a.EndLine
	if last == 0 || last > len(lines) {
		last = len(lines)
	}
	if first > last {
		return "", fmt.Errorf("%s has %d lines; lines %d to %d were asked for", a.Path, len(lines), first, a.EndLine)
	}
	return strings.Join(lines[first-1:last], ""), nil
}

// readText refuses what is not text: a model can do nothing with it, and the
// result travels as JSON.
func readText(name string) (string, error) {
	b, err := fs.ReadFile(name)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return "", fmt.Errorf("%s is a binary file of %d bytes", name, len(b))
	}
	return string(b), nil
}

type writeArgs struct {
	Path    string `json:"path"`
	Content string `json:"content"`
}

func write(_ *sdk.Call, a writeArgs) (string, error) {
	if dir := path.Dir(a.Path); dir != "." && dir != "/" {
		if err := fs.MkdirAll(dir); err != nil {
			return "", err
		}
	}
	if err := fs.WriteFile(a.Path, []byte(a.Content)); err != nil {
		return "", err
	}
	return fmt.Sprintf("wrote %d bytes to %s", len(a.Content), a.Path), nil
}

type replaceArgs struct {
	Path       string `json:"path"`
	OldText    string `json:"old_text"`
	NewText    string `json:"new_text"`
	ReplaceAll bool   `json:"replace_all"`
}

func replace(_ *sdk.Call, a replaceArgs) (string, error) {
	text, err := readText(a.Path)
	if err != nil {
		return "", err
	}
	n := strings.Count(text, a.OldText)
	if n == 0 {
		return "", fmt.Errorf("old_text does not occur in %s; nothing was changed", a.Path)
	}
	if n > 1 && !a.ReplaceAll {
		return "", fmt.Errorf("old_text occurs %d times in %s; give more context or set replace_all; nothing was changed", n, a.Path)
	}
	if err := fs.WriteFile(a.Path, []byte(strings.ReplaceAll(text, a.OldText, a.NewText))); err != nil {
		return "", err
	}
	return fmt.Sprintf("replaced %d in %s", n, a.Path), nil
}
