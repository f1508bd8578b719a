//go:build wasip1

package main

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/astrid-go/astrid/sdk"
	"github.com/astrid-go/astrid/sdk/fs"
)

// The bounds keep one search from filling the model's context or the call's
// time; a search that met one says so.
const (
	defaultResults = 200
	maxFiles       = 20_000
	maxFileBytes   = 1 << 20
	maxLineBytes   = 500
	maxDepth       = 64
)

type grepArgs struct {
	Pattern    string `json:"pattern"`
	Path       string `json:"path"`
	Include    string `json:"include"`
	IgnoreCase bool   `json:"ignore_case"`
	MaxResults int    `json:"max_results"`
}

// search is one run of grep_search.
type search struct {
	pattern *regexp.Regexp
	include string
	limit   int

	out     strings.Builder
	results int
	files   int
}

func grep(_ *sdk.Call, a grepArgs) (string, error) {
	expr := a.Pattern
	if a.IgnoreCase {
		expr = "(?i)" + expr
	}
	pattern, err := regexp.Compile(expr)
	if err != nil {
		return "", fmt.Errorf("pattern: %w", err)
	}
	if _, err := path.Match(a.Include, ""); err != nil {
		return "", fmt.Errorf("include %q: %w", a.Include, err)
	}
	s := &search{pattern: pattern, include: a.Include, limit: a.MaxResults}
	if s.limit == 0 {
		s.limit = defaultResults
	}
	root := orRoot(a.Path)
	at, err := fs.StatFile(root)
	if err != nil {
		return "", err
	}
	if err := s.visit(root, at, 0); err != nil {
		return "", err
	}
	return s.report(), nil
}

func (s *search) full() bool { return s.results >= s.limit || s.files >= maxFiles }

func (s *search) visit(name string, at fs.Stat, depth int) error {
	switch {
	case s.full() || depth > maxDepth:
		return nil
	case at.Kind == fs.Regular:
		return s.file(name, at)
	case at.Kind == fs.Directory:
		return s.dir(name, depth)
	}
	return nil
}

func (s *search) dir(dir string, depth int) error {
	names, err := fs.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == ".git" {
			continue
		}
		child := join(dir, name)
		at, err := fs.Lstat(child)
		if err != nil {
			continue // removed meanwhile
		}
		if err := s.visit(child, at, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (s *search) file(name string, at fs.Stat) error {
	if at.Size > maxFileBytes {
		return nil
	}
	if ok, _ := path.Match(s.include, path.Base(name)); s.include != "" && !ok {
		return nil
	}
	s.files++
	text, err := fs.ReadFile(name)
	if err != nil {
		return err
	}
	if bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text) {
		return nil
	}
	s.lines(name, text)
	return nil
}

func (s *search) lines(name string, text []byte) {
	for n := 1; len(text) > 0 && s.results < s.limit; n++ {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		text = rest
		if !s.pattern.Match(line) {
			continue
		}
		if len(line) > maxLineBytes {
			line = append(bytes.ToValidUTF8(line[:maxLineBytes:maxLineBytes], nil), "…"...)
		}
		fmt.Fprintf(&s.out, "%s:%d: %s\n", name, n, line)
		s.results++
	}
}

func (s *search) report() string {
	switch {
	case s.results == 0:
		return "no matches\n"
	case s.results >= s.limit:
		fmt.Fprintf(&s.out, "(stopped at %d results)\n", s.limit)
	case s.files >= maxFiles:
		fmt.Fprintf(&s.out, "(stopped after %d files)\n", maxFiles)
	}
	return s.out.String()
}
