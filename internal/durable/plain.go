package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace is Dir.Replace for a path that is ours, never one from a guest.
func Replace(path string, data []byte, mode fs.FileMode) error {
	return in(path, func(d *Dir, name string) error { return d.Replace(name, data, mode) })
}

// Create is Dir.Create for a path that is ours, never one from a guest.
func Create(path string, data []byte, mode fs.FileMode) error {
	return in(path, func(d *Dir, name string) error { return d.Create(name, data, mode) })
}

// Mkdir is Dir.Mkdir for a path that is ours, never one from a guest.
func Mkdir(path string, mode fs.FileMode) error {
	return in(path, func(d *Dir, name string) error { return d.Mkdir(name, mode) })
}

// MkdirAll makes path and the parents that are missing, each with mode. What
// exists already keeps its mode.
func MkdirAll(path string, mode fs.FileMode) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("make directory %s: a file is in the way", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := filepath.Dir(path); parent != path {
		if err := MkdirAll(parent, mode); err != nil {
			return err
		}
	}
	if err := Mkdir(path, mode); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func in(path string, do func(*Dir, string) error) error {
	d, err := OpenDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(do(d, filepath.Base(path)), d.Close())
}
