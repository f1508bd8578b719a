package vfs

import (
	"path"
	"strings"
)

// MaxLinks bounds the links that one lookup follows; it is Linux's own limit.
const MaxLinks = 40

// Look says what stands at a name without links above it and, of a link, where
// it points.
type Look func(Name) (i Info, target string, err error)

// Follow resolves the links on the way to a name, and at its end when last is
// set, and returns the name of what it leads to. That need not exist. A link
// that leads out, or one too many, is CodeEscape; one to what is no name of this
// package is CodeInvalid.
func Follow(op string, n Name, last bool, look Look) (Name, error) {
	at, rest, links := Root(), n.Parts(), 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if at.IsRoot() {
				return at, fail(op, n.text, CodeEscape, "a link on the path leads out")
			}
			at = at.Dir()
			continue
		}
		at = at.Join(part)
		i, target, err := look(at)
		if err != nil || !i.IsLink() || len(rest) == 0 && !last {
			continue // what is missing ends links; the operation says what it means
		}
		if links++; links > MaxLinks {
			return at, fail(op, n.text, CodeEscape, "too many links on the path")
		}
		if path.IsAbs(target) {
			return at, fail(op, n.text, CodeEscape, "a link on the path leads out")
		}
		at, rest = at.Dir(), append(strings.Split(target, "/"), rest...)
	}
	if links == 0 {
		return at, nil
	}
	return ParseName(at.text) // a link may name what no caller could
}

// Resolve implements FS.
func (h *Host) Resolve(n Name, last bool) (Name, error) {
	return Follow("resolve", n, last, h.look)
}
