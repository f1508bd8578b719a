// Package vfs is the file systems that capsules see: trees behind handles, in
// which a name can only lead to what is inside.
//
// The model:
//
//   - a [Name] is a parsed relative path; no operation takes a string, and none
//     joins a host path;
//   - [FS] is what the fs host functions need; [Host] is a directory of the
//     machine, held by an [os.Root]; package overlay puts a copy-on-write layer
//     over one;
//   - every error is a [*PathError] with a code of astrid:fs and no host path.
//
// Ownership: who opens a file system closes it. Methods are safe for concurrent
// use; what two writers of one file leave is one of the two contents.
//
// Only regular files, directories and symbolic links exist here: opening a
// device, socket or named pipe is refused, without waiting for its other end.
// Links are followed while they stay inside. Entries that no Name can be of, such
// as ones that are not in NFC or unfinished files of this package, are not listed
// and not reachable.
//
// Not promised: an order between concurrent operations, and protection of the
// workspace from programs outside that have their own access to it.
//
// To test code that uses a file system, open a Host in t.TempDir.
package vfs

import (
	"io/fs"
	"time"
)

// MaxFileBytes bounds a file that is read or written as a whole.
const MaxFileBytes = 10 << 20

// MaxEntries bounds a directory that is listed as a whole.
const MaxEntries = 4096

// Info describes a file.
type Info struct {
	Size     int64
	Mode     fs.FileMode // type and permissions
	Modified time.Time
}

// IsDir reports whether it is a directory.
func (i Info) IsDir() bool { return i.Mode.IsDir() }

// IsLink reports whether it is a symbolic link.
func (i Info) IsLink() bool { return i.Mode&fs.ModeSymlink != 0 }

// FS is a tree of files. Every error is a *PathError.
type FS interface {
	// Stat describes what a name leads to, Lstat what stands there.
	Stat(Name) (Info, error)
	Lstat(Name) (Info, error)
	// ReadFile returns a whole file of at most MaxFileBytes.
	ReadFile(Name) ([]byte, error)
	// ReadDir returns the sorted names in a directory; one with more than
	// MaxEntries is CodeTooLarge.
	ReadDir(Name) ([]string, error)
	// WriteFile creates a file with mode 0644 or replaces the content of one, in
	// one step; Append adds to its end. Both write what a link leads to.
	WriteFile(Name, []byte) error
	Append(Name, []byte) error
	// Mkdir makes one directory, MkdirAll also those above it. Neither makes what
	// a link leads to.
	Mkdir(Name) error
	MkdirAll(Name) error
	// Remove removes a file, a link or an empty directory; RemoveAll also what
	// is below, never through a link, and returns how many entries went.
	Remove(Name) error
	RemoveAll(Name) (int, error)
	// Rename moves a file, a link or a directory. A file or link in its place is
	// replaced by another file or link; everything else in its place is
	// CodeExists.
	Rename(from, to Name) error
	// Resolve returns the name, without links, that an operation on a name acts
	// upon: what a link at its end leads to, too, if last is set. What it names
	// need not exist.
	Resolve(n Name, last bool) (Name, error)
	// ReadLink returns the target of a link, as it is written.
	ReadLink(Name) (string, error)
}
