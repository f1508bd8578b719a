package vfs

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of a name: those of Linux for a whole path, and a depth that no honest
// tree has.
const (
	MaxNameBytes = 4096
	MaxDepth     = 128
)

// Name is a path inside a handle: relative, slash-separated, without "." and
// "..", in NFC, and none of an unfinished file. The zero value is not valid; "." is the handle's own directory.
type Name struct{ text string }

// Root returns the name of the handle's own directory.
func Root() Name { return Name{"."} }

// ParseName reads a path from outside. A path that would leave the handle is
// CodeEscape, one that is no path at all CodeInvalid.
func ParseName(s string) (Name, error) {
	switch {
	case s == "" || s == ".":
		return Root(), nil
	case len(s) > MaxNameBytes:
		return Name{}, fail("parse", strings.ToValidUTF8(s[:64], "?")+"…", CodeInvalid, "path is too long")
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return Name{}, fail("parse", strings.ToValidUTF8(s, "?"), CodeInvalid, "path is not text")
	case !norm.NFC.IsNormalString(s):
		return Name{}, fail("parse", s, CodeInvalid, "path is not in Unicode normal form C")
	case strings.HasPrefix(s, "/"):
		return Name{}, fail("parse", s, CodeEscape, "an absolute path names nothing inside")
	}
	clean := path.Clean(s)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return Name{}, fail("parse", s, CodeEscape, "path leads out")
	}
	if hasDots(s) {
		return Name{}, fail("parse", s, CodeEscape, `path goes up with ".."`)
	}
	if strings.Count(clean, "/") >= MaxDepth {
		return Name{}, fail("parse", s, CodeInvalid, "path is too deep")
	}
	if hasTemp(clean) {
		return Name{}, fail("parse", s, CodeInvalid, "the name is kept for unfinished files")
	}
	return Name{clean}, nil
}

// hasDots reports whether s walks up anywhere: with links in the tree, "a/../b"
// is not "b".
func hasDots(s string) bool {
	for part := range strings.SplitSeq(s, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

// hasTemp reports whether an element is the name of an unfinished file.
func hasTemp(s string) bool {
	for part := range strings.SplitSeq(s, "/") {
		if IsTemp(part) {
			return true
		}
	}
	return false
}

// String returns the path.
func (n Name) String() string { return n.text }

// Display returns the path for people: quoted when it holds what would not be
// seen, or would move the cursor or begin a line of its own.
func (n Name) Display() string { return display(n.text) }

func display(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// IsRoot reports whether n is the handle's own directory.
func (n Name) IsRoot() bool { return n.text == "." }

// Base returns the last element.
func (n Name) Base() string { return path.Base(n.text) }

// Dir returns the name of the directory that n is in; of the root, the root.
func (n Name) Dir() Name { return Name{path.Dir(n.text)} }

// Join returns the name of an entry of n. The entry comes from a directory
// listing or a caller's constant: it holds no slash.
func (n Name) Join(entry string) Name {
	if n.IsRoot() {
		return Name{entry}
	}
	return Name{n.text + "/" + entry}
}

// Under reports whether n is dir or lies below it.
func (n Name) Under(dir Name) bool {
	return dir.IsRoot() || n == dir || strings.HasPrefix(n.text, dir.text+"/")
}

// Parts returns the elements of n, none for the root.
func (n Name) Parts() []string {
	if n.IsRoot() {
		return nil
	}
	return strings.Split(n.text, "/")
}
