package wasm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/zeebo/blake3"
)

// sumSuffix marks the file that holds the BLAKE3 sum of a cached file. wazero
// checks its code but not its function offsets, and a damaged offset would be
// jumped to; a file whose sum is missing or wrong is deleted when the cache is
// opened, and compiled again.
const sumSuffix = ".blake3"

// codeCache is wazero's compilation cache with sums beside its files.
//
// The commit point of an entry is the rename of its sum: a crash before it
// leaves a file without a sum, which the next opening deletes.
type codeCache struct {
	dir  string // empty for memory
	log  *slog.Logger
	code wazero.CompilationCache
}

func openCodeCache(dir string, log *slog.Logger) (*codeCache, error) {
	c := &codeCache{dir: dir, log: log}
	if dir == "" {
		c.code = wazero.NewCompilationCache()
		return c, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create code cache: %w", err)
	}
	c.sweep()
	code, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open code cache %s: %w", dir, err)
	}
	c.code = code
	return c, nil
}

func (c *codeCache) close(ctx context.Context) error { return c.code.Close(ctx) }

// sweep deletes files that are not what was written. What cannot be deleted is
// only reported: wazero's own checks remain.
func (c *codeCache) sweep() {
	c.each(func(file string) {
		want, err := os.ReadFile(file + sumSuffix)
		if err == nil {
			var got string
			if got, err = sum(file); err == nil && got == string(want) {
				return
			}
		}
		c.log.Warn("code cache entry is damaged or unfinished; it will be compiled again", "file", file)
		if err := errors.Join(os.Remove(file), removeIfThere(file+sumSuffix)); err != nil {
			c.log.Error("code cache entry cannot be deleted", "file", file, "err", err)
		}
	})
}

// seal writes the sums of files that are new. Failing costs a compilation when
// the cache is next opened, so it is only reported.
func (c *codeCache) seal() {
	c.each(func(file string) {
		if _, err := os.Stat(file + sumSuffix); err == nil {
			return
		}
		s, err := sum(file)
		if err == nil {
			err = writeWhole(file+sumSuffix, s)
		}
		if err != nil {
			c.log.Warn("code cache entry cannot be sealed", "file", file, "err", err)
		}
	})
}

// purge empties the cache.
func (c *codeCache) purge() {
	c.each(func(file string) {
		if err := errors.Join(os.Remove(file), removeIfThere(file+sumSuffix)); err != nil {
			c.log.Error("code cache entry cannot be deleted", "file", file, "err", err)
		}
	})
}

// each calls f with the path of each cached file.
func (c *codeCache) each(f func(file string)) {
	if c.dir == "" {
		return
	}
	err := filepath.WalkDir(c.dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type().IsRegular() && !strings.HasSuffix(file, sumSuffix) && !strings.HasSuffix(file, ".tmp") {
			f(file)
		}
		return nil
	})
	if err != nil {
		c.log.Warn("code cache cannot be read", "dir", c.dir, "err", err)
	}
}

func sum(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	s := blake3.Sum256(data)
	return Hash(s).String(), nil
}

// writeWhole writes file so that it is there whole or not at all.
func writeWhole(file, text string) error {
	tmp, err := os.CreateTemp(filepath.Dir(file), "*.tmp")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(text)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

func removeIfThere(file string) error {
	if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
