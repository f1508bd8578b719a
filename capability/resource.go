package capability

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxResourceBytes is the longest resource and the longest pattern. It bounds the cost of one match.
const MaxResourceBytes = 1 << 10

// Resource is a canonical resource text: "scheme://segment/segment". The zero value is matched by nothing.
type Resource struct{ text string }

// ParseResource accepts a canonical text only: a scheme of [a-z0-9+.-] that begins with a letter, "://", and segments
// joined by "/", none of them empty but a first one ("file:///x"), none "." or ".." or an encoded form of these, no
// encoded separator, control character or backslash, in NFC. "scheme://" alone is the root of the scheme.
func ParseResource(s string) (Resource, error) {
	if err := checkCanonical(s); err != nil {
		return Resource{}, fmt.Errorf("%w: resource %.80q: %w", ErrInvalid, s, err)
	}
	return Resource{text: s}, nil
}

// String returns the text.
func (r Resource) String() string { return r.text }

func checkCanonical(s string) error {
	if len(s) > MaxResourceBytes {
		return fmt.Errorf("%d bytes, at most %d are allowed", len(s), MaxResourceBytes)
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !validScheme(scheme) {
		return errors.New(`does not begin with a scheme such as "cwd://"`)
	}
	if err := checkText(rest); err != nil {
		return err
	}
	if rest == "" {
		return nil
	}
	first := true
	for segment := range strings.SplitSeq(rest, "/") {
		if segment == "" && (!first || rest == "/") {
			return errors.New("empty segment")
		}
		if isDots(segment) {
			return fmt.Errorf("segment %q walks the tree", segment)
		}
		first = false
	}
	return nil
}

func validScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '+' || c == '.' || c == '-')) {
			return false
		}
	}
	return s != ""
}

// checkText refuses characters that some later reader would take for structure or that a person would not see.
func checkText(s string) error {
	ascii := true
	for i := range len(s) {
		c := s[i]
		switch {
		case c < 0x20 || c == 0x7f:
			return errors.New("control character")
		case c == '\\':
			return errors.New("backslash")
		case c == '%' && hidesSeparator(s[i:]):
			return errors.New("encoded separator")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if ascii {
		return nil
	}
	if !utf8.ValidString(s) || !norm.NFC.IsNormalString(s) {
		return errors.New("not valid UTF-8 in NFC")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) }) {
		return errors.New("control character or one that turns the direction of text")
	}
	return nil
}

// hidesSeparator reports whether s begins with an encoded "/", "\" or NUL.
func hidesSeparator(s string) bool {
	if len(s) < 3 {
		return false
	}
	switch strings.ToLower(s[1:3]) {
	case "2f", "5c", "00":
		return true
	}
	return false
}

// isDots reports whether a segment is "." or "..", plain or percent-encoded.
func isDots(segment string) bool {
	dots := 0
	for segment != "" {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= 3 && strings.EqualFold(segment[:3], "%2e"):
			segment = segment[3:]
		default:
			return false
		}
		dots++
	}
	return dots == 1 || dots == 2
}
