//go:build wasip1

package main

import (
	"fmt"
	"path"
	"strings"

	"github.com/astrid-go/astrid/sdk"
	"github.com/astrid-go/astrid/sdk/fs"
)

type pathArgs struct {
	Path string `json:"path"`
}

func list(_ *sdk.Call, a pathArgs) (string, error) {
	dir := orRoot(a.Path)
	names, err := fs.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, name := range names {
		out.WriteString(name)
		if s, err := fs.Lstat(join(dir, name)); err == nil && s.Kind == fs.Directory {
			out.WriteByte('/')
		}
		out.WriteByte('\n')
	}
	return out.String(), nil
}

func create(_ *sdk.Call, a pathArgs) (string, error) {
	if err := fs.MkdirAll(a.Path); err != nil {
		return "", err
	}
	return "created " + a.Path, nil
}

type removeArgs struct {
	Path      string `json:"path"`
	Recursive bool   `json:"recursive"`
}

func remove(_ *sdk.Call, a removeArgs) (string, error) {
	if !a.Recursive {
		if err := fs.Unlink(a.Path); err != nil {
			return "", err
		}
		return "deleted " + a.Path, nil
	}
	s, err := fs.Lstat(a.Path)
	if err != nil {
		return "", err
	}
	if s.Kind != fs.Directory {
		return remove(nil, removeArgs{Path: a.Path})
	}
	n, err := fs.RemoveAll(a.Path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("deleted %s, %d entries", a.Path, n), nil
}

type moveArgs struct {
	Source      string `json:"source"`
	Destination string `json:"destination"`
	Overwrite   bool   `json:"overwrite"`
}

func move(_ *sdk.Call, a moveArgs) (string, error) {
	taken, err := fs.Exists(a.Destination)
	if err != nil {
		return "", err
	}
	if taken && !a.Overwrite {
		return "", fmt.Errorf("%s exists; set overwrite to replace it; nothing was moved", a.Destination)
	}
	if dir := path.Dir(a.Destination); dir != "." && dir != "/" {
		if err := fs.MkdirAll(dir); err != nil {
			return "", err
		}
	}
	if err := fs.Rename(a.Source, a.Destination); err != nil {
		return "", err
	}
	return "moved " + a.Source + " to " + a.Destination, nil
}

func orRoot(p string) string {
	if p == "" {
		return "."
	}
	return p
}

// join is path.Join without cleaning: a scheme's two slashes must stay.
func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return strings.TrimSuffix(dir, "/") + "/" + name
}
