//go:build wasip1

// Package fs reads and writes the files that the capsule's manifest grants
// (astrid:fs).
//
// A path is relative or begins with cwd:// (both mean the workspace), home://
// (the principal's home) or /tmp/ (the principal's temporary files). What a
// capsule writes in the workspace goes to an overlay, which a person reviews,
// commits or rolls back; reads see the overlay.
package fs

import (
	"unsafe"

	"github.com/astrid-go/astrid/sdk/internal/abi"
)

var codes = []string{
	"not-found", "access", "capability-denied", "boundary-escape", "invalid-path", "would-block",
	"is-directory", "not-directory", "not-empty", "too-large", "quota", "cross-vfs",
	"already-exists", "closed", "unknown",
}

// Kind is what a path names.
type Kind uint8

// The kinds of astrid:fs.
const (
	Unknown Kind = iota
	Regular
	Directory
	Symlink
	BlockDevice
	CharacterDevice
	FIFO
	Socket
)

// Stat describes a file.
type Stat struct {
	Size uint64
	Kind Kind
	Mode uint32
	// Modified is in seconds since 1970, 0 when unknown.
	Modified int64
}

//go:wasmimport astrid:fs/host@1.0.0 read-file
func readFile(path string, ret unsafe.Pointer)

//go:wasmimport astrid:fs/host@1.0.0 write-file
func writeFile(path string, at, length uint32, ret unsafe.Pointer)

//go:wasmimport astrid:fs/host@1.0.0 fs-append
func appendFile(path string, at, length uint32, ret unsafe.Pointer)

//go:wasmimport astrid:fs/host@1.0.0 fs-exists
func exists(path string, ret unsafe.Pointer)

//go:wasmimport astrid:fs/host@1.0.0 fs-mkdir-all
func mkdirAll(path string, ret unsafe.Pointer)

//go:wasmimport astrid:fs/host@1.0.0 fs-readdir
func readdir(path string, ret unsafe.Pointer)

//go:wasmimport astrid:fs/host@1.0.0 fs-stat
func stat(path string, ret unsafe.Pointer)

//go:wasmimport astrid:fs/host@1.0.0 fs-stat-symlink
func lstat(path string, ret unsafe.Pointer)

//go:wasmimport astrid:fs/host@1.0.0 fs-unlink
func unlink(path string, ret unsafe.Pointer)

//go:wasmimport astrid:fs/host@1.0.0 fs-rename
func rename(src, dst string, ret unsafe.Pointer)

//go:wasmimport astrid:fs/host@1.0.0 fs-remove-dir-all
func removeAll(path string, ret unsafe.Pointer)

// ReadFile returns the content of a file of at most 10 MB.
func ReadFile(path string) ([]byte, error) {
	var r abi.Result
	readFile(path, r.Area())
	if err := r.Failed(4, "read", path, codes); err != nil {
		return nil, err
	}
	return r.Bytes(4), nil
}

// WriteFile replaces or creates a file with at most 10 MB of content.
func WriteFile(path string, content []byte) error {
	var r abi.Result
	writeFile(path, abi.Pointer(content), uint32(len(content)), r.Area())
	return r.Failed(4, "write", path, codes)
}

// Append adds content to the end of a file, which it creates when missing.
func Append(path string, content []byte) error {
	var r abi.Result
	appendFile(path, abi.Pointer(content), uint32(len(content)), r.Area())
	return r.Failed(4, "append", path, codes)
}

// Exists reports whether path names something.
func Exists(path string) (bool, error) {
	var r abi.Result
	exists(path, r.Area())
	if err := r.Failed(4, "look up", path, codes); err != nil {
		return false, err
	}
	return r.U8(4) == 1, nil
}

// MkdirAll makes a directory and those above it.
func MkdirAll(path string) error {
	var r abi.Result
	mkdirAll(path, r.Area())
	return r.Failed(4, "make directory", path, codes)
}

// ReadDir returns the names in a directory, sorted, at most 4096.
func ReadDir(path string) ([]string, error) {
	var r abi.Result
	readdir(path, r.Area())
	if err := r.Failed(4, "list", path, codes); err != nil {
		return nil, err
	}
	return r.Strings(4), nil
}

// StatFile describes what path names, following links.
func StatFile(path string) (Stat, error) { return describe(path, stat) }

// Lstat describes what path names without following a link at its end.
func Lstat(path string) (Stat, error) { return describe(path, lstat) }

func describe(path string, f func(string, unsafe.Pointer)) (Stat, error) {
	var r abi.Result
	f(path, r.Area())
	if err := r.Failed(8, "stat", path, codes); err != nil {
		return Stat{}, err
	}
	s := Stat{Size: r.U64(8), Kind: Kind(r.U8(16)), Mode: r.U32(20)}
	if r.U8(24) == 1 {
		s.Modified = int64(r.U64(32))
	}
	return s, nil
}

// Unlink removes a file, a link or an empty directory.
func Unlink(path string) error {
	var r abi.Result
	unlink(path, r.Area())
	return r.Failed(4, "remove", path, codes)
}

// Rename moves a file or directory within one scheme.
func Rename(src, dst string) error {
	var r abi.Result
	rename(src, dst, r.Area())
	return r.Failed(4, "move", src+" to "+dst, codes)
}

// RemoveAll removes a directory and what is in it, never following a link, and
// returns how many entries were removed.
func RemoveAll(path string) (uint64, error) {
	var r abi.Result
	removeAll(path, r.Area())
	if err := r.Failed(8, "remove", path, codes); err != nil {
		return 0, err
	}
	return r.U64(8), nil
}
