//go:build !linux

package audit

import "os"

// dataFile syncs with what the system offers.
type dataFile struct{ *os.File }
