package audit

import (
	"os"

	"golang.org/x/sys/unix"
)

// dataFile syncs with fdatasync(2), which covers the content and the size but
// saves the journal commit for times.
type dataFile struct{ *os.File }

// Sync retries when a signal interrupts it.
func (f dataFile) Sync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
