package capsule

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/zeebo/blake3"

	"github.com/astrid-go/astrid/internal/durable"
)

// MaxWasmBytes bounds a wasm file.
const MaxWasmBytes = 64 << 20

// HashBytes is the length of a Hash.
const HashBytes = 32

// Hash is the BLAKE3 hash of a wasm file. The zero value names no file.
type Hash [HashBytes]byte

// Sum returns the hash of data.
func Sum(data []byte) Hash { return blake3.Sum256(data) }

// ParseHash reads 64 lower-case hex digits.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if n, err := hex.Decode(h[:], []byte(s[:min(len(s), 2*HashBytes)])); err != nil || n != HashBytes || h.String() != s {
		return Hash{}, fmt.Errorf("hash %q has to be %d lower-case hex digits", clip(s), 2*HashBytes)
	}
	return h, nil
}

// String writes 64 hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h names no file.
func (h Hash) IsZero() bool { return h == Hash{} }

// ErrNotStored is wrapped by Get when there is no file of that hash.
var ErrNotStored = errors.New("not in the content store")

// CorruptError says that a stored file is not what its name says.
type CorruptError struct {
	Path       string
	Want, Have Hash
}

// Error tells the operator what to do.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s has hash %s: delete it and install the capsule again", e.Path, e.Have)
}

// Store keeps wasm files by their hash in one directory, as {hash}.wasm. A file is
// written once and never changed. It is safe for concurrent use. Close it.
type Store struct{ dir *durable.Dir }

// OpenStore opens the store in an existing directory.
func OpenStore(dir string) (*Store, error) {
	d, err := durable.OpenDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open the content store: %w", err)
	}
	return &Store{dir: d}, nil
}

// Close releases the directory. It is safe twice.
func (s *Store) Close() error { return s.dir.Close() }

func storedName(h Hash) string { return h.String() + ".wasm" }

// Put stores a file and returns its hash; storing it again does nothing, unless
// what is stored is damaged, which is mended. The commit point is that of
// [durable.Dir.Replace]: after a crash the file is there whole or not at all.
func (s *Store) Put(wasm []byte) (Hash, error) {
	if len(wasm) > MaxWasmBytes {
		return Hash{}, fmt.Errorf("store a wasm file: %d bytes, at most %d are allowed", len(wasm), MaxWasmBytes)
	}
	h := Sum(wasm)
	_, err := s.Get(h)
	if err == nil {
		return h, nil
	}
	_, corrupt := errors.AsType[*CorruptError](err)
	if !corrupt && !errors.Is(err, ErrNotStored) {
		return Hash{}, err
	}
	if err := s.dir.Replace(storedName(h), wasm, durable.Private); err != nil {
		return Hash{}, fmt.Errorf("store a wasm file: %w", err)
	}
	return h, nil
}

// Get returns a stored file after hashing it. The error wraps ErrNotStored or is a
// *CorruptError; a symlink is refused.
func (s *Store) Get(h Hash) ([]byte, error) {
	name := storedName(h)
	wasm, err := readRegular(s.dir.Root(), name, MaxWasmBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("wasm file %s: %w", h, ErrNotStored)
	}
	if err != nil {
		return nil, fmt.Errorf("read the content store: %w", err)
	}
	if have := Sum(wasm); have != h {
		return nil, &CorruptError{Path: s.dir.Root().Name() + "/" + name, Want: h, Have: have}
	}
	return wasm, nil
}

// readRegular reads a regular file of a rooted directory that is reached without
// a final symlink. Nothing else is opened: a pipe would block, a device may act.
func readRegular(root *os.Root, name string, limit int64) ([]byte, error) {
	before, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file but %s", name, before.Mode().Type())
	}
	if before.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are allowed", name, before.Size(), limit)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	after, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(before, after) {
		return nil, fmt.Errorf("%s was replaced while it was opened", name)
	}
	data := make([]byte, before.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("%s changed while it was read: %w", name, err)
	}
	return data, nil
}
