package vfs

import (
	"crypto/rand"
	"strings"
)

// tempPrefix marks unfinished files of this package.
const tempPrefix = ".astrid-new-"

// TempName returns the name of a new unfinished file.
func TempName() string { return tempPrefix + rand.Text() }

// IsTemp reports whether a directory entry is an unfinished file of this
// package, which a crash may leave and nobody should see.
func IsTemp(entry string) bool { return strings.HasPrefix(entry, tempPrefix) }
