//go:build linux || darwin

package wasm

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// area is reserved address space, of which a part from the start is in use.
// The zero value is empty.
type area struct {
	space     []byte
	committed uint64 // a multiple of the page size
}

// commit makes the first size bytes usable, within reserve bytes, which must
// be the same each time. Bytes never used before are zero.
func (a *area) commit(size, reserve uint64) ([]byte, error) {
	page := uint64(os.Getpagesize())
	if a.space == nil {
		reserve = max(reserve+page-1, page) &^ (page - 1)
		space, err := unix.Mmap(-1, 0, int(reserve), unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return nil, fmt.Errorf("reserve %d bytes: %w", reserve, err)
		}
		a.space = space
	}
	if need := (size + page - 1) &^ (page - 1); need > a.committed {
		if err := unix.Mprotect(a.space[a.committed:need], unix.PROT_READ|unix.PROT_WRITE); err != nil {
			return nil, fmt.Errorf("commit %d bytes: %w", need-a.committed, err)
		}
		a.committed = need
	}
	return a.space[:size:size], nil
}

func (a *area) release() error {
	if a.space == nil {
		return nil
	}
	space := a.space
	*a = area{}
	return unix.Munmap(space)
}
