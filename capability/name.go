package capability

import (
	"errors"
	"fmt"
	"strings"

	"github.com/astrid-go/astrid/principal"
)

// ErrInvalid is wrapped by every parse error of this package.
var ErrInvalid = errors.New("invalid capability")

// Name is the exact name of one management capability, like "agent:create". The zero value is no capability.
type Name struct{ text string }

// Pattern covers names: a lone "*" all of them, a trailing "*" one or more segments, an inner "*" exactly one. The
// zero value covers none.
type Pattern struct{ text string }

// ParseName reads segments of [A-Za-z0-9_-]+ joined by ":", at most 256 bytes, without wildcards.
func ParseName(s string) (Name, error) {
	if strings.Contains(s, "*") {
		return Name{}, fmt.Errorf("%w: name %q holds a wildcard", ErrInvalid, s)
	}
	if err := principal.CheckPattern(s); err != nil {
		return Name{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return Name{text: s}, nil
}

// ParsePattern reads a name in which any segment may be "*".
func ParsePattern(s string) (Pattern, error) {
	if err := principal.CheckPattern(s); err != nil {
		return Pattern{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return Pattern{text: s}, nil
}

// String returns the text the name was parsed from.
func (n Name) String() string { return n.text }

// IsZero reports whether the name is the zero value.
func (n Name) IsZero() bool { return n.text == "" }

// String returns the text the pattern was parsed from.
func (p Pattern) String() string { return p.text }

// Match reports whether the pattern covers the name.
func (p Pattern) Match(n Name) bool {
	if p.text == "" || n.text == "" {
		return false
	}
	pattern, name := p.text, n.text
	for {
		want, restWant, moreWant := strings.Cut(pattern, ":")
		got, restGot, moreGot := strings.Cut(name, ":")
		if want == "*" && !moreWant {
			return true
		}
		if want != "*" && want != got {
			return false
		}
		if !moreWant || !moreGot {
			return moreWant == moreGot
		}
		pattern, name = restWant, restGot
	}
}
