package capability

import (
	"errors"
	"fmt"
	"strings"
)

// literalMark begins the text of a pattern whose wildcards are ordinary characters. It is no scheme, so that the form
// survives being written down and read again.
const literalMark = "literal:"

// ResourcePattern covers resources. "*" inside a segment stands for any run of characters of that segment, "**" as a
// whole segment for any number of segments, also none; everything else, "?" and brackets too, stands for itself. The
// zero value covers nothing.
type ResourcePattern struct {
	text     string   // as parsed, with its mark
	anchor   string   // the literal beginning: up to the first segment with a wildcard
	segments []string // of the whole pattern after the scheme, nil for a literal
	scheme   string   // with "://"
}

// ParseResourcePattern reads a pattern, or a literal that begins with "literal:". The text around the wildcards has to
// be canonical as for ParseResource.
func ParseResourcePattern(s string) (ResourcePattern, error) {
	if text, ok := strings.CutPrefix(s, literalMark); ok {
		return LiteralPattern(text)
	}
	if err := checkCanonical(s); err != nil {
		return ResourcePattern{}, fmt.Errorf("%w: pattern %.80q: %w", ErrInvalid, s, err)
	}
	if !strings.Contains(s, "*") {
		return ResourcePattern{text: s, anchor: s}, nil
	}
	scheme, rest, _ := strings.Cut(s, "://")
	p := ResourcePattern{text: s, scheme: scheme + "://", segments: strings.Split(rest, "/")}
	for _, segment := range p.segments {
		if segment != "**" && strings.Contains(segment, "**") {
			return ResourcePattern{}, fmt.Errorf("%w: pattern %.80q: %w", ErrInvalid, s,
				errors.New(`"**" has to be a whole segment`))
		}
	}
	literal := s[:strings.IndexByte(s, '*')]
	p.anchor = literal[:strings.LastIndexByte(literal, '/')+1]
	return p, nil
}

// LiteralPattern returns the pattern that covers exactly one resource, whatever characters it holds.
func LiteralPattern(resource string) (ResourcePattern, error) {
	if err := checkCanonical(resource); err != nil {
		return ResourcePattern{}, fmt.Errorf("%w: literal %.80q: %w", ErrInvalid, resource, err)
	}
	return ResourcePattern{text: literalMark + resource, anchor: resource}, nil
}

// String returns the text, which ParseResourcePattern reads back to the same pattern.
func (p ResourcePattern) String() string { return p.text }

// IsZero reports whether the pattern is the zero value.
func (p ResourcePattern) IsZero() bool { return p.text == "" }

// Anchor returns the literal beginning of the pattern: the whole text of a pattern without wildcards, else all before
// the first segment with one. Every covered resource equals it, begins with it, or (for "a/**") is it without its
// final "/". Indexes over many patterns use it.
func (p ResourcePattern) Anchor() string { return p.anchor }

// Match reports whether the pattern covers the text. A text that is not canonical is covered by nothing.
func (p ResourcePattern) Match(resource string) bool {
	r, err := ParseResource(resource)
	return err == nil && p.MatchResource(r)
}

// MatchResource is Match for a text that is known to be canonical; it does not allocate.
func (p ResourcePattern) MatchResource(r Resource) bool {
	if p.text == "" || r.text == "" {
		return false
	}
	if p.segments == nil {
		return p.anchor == r.text
	}
	rest, ok := strings.CutPrefix(r.text, p.scheme)
	return ok && matchSegments(p.segments, rest)
}

// matchSegments walks both lists once and, on a mismatch, lets the last "**" take one segment more. Only the last one
// can matter: what an earlier one took is matched already, and giving it more only shortens what is left.
func matchSegments(pattern []string, rest string) bool {
	rest, more := rest, rest != ""
	at, retryAt := 0, -1
	retryRest, retryMore := "", false
	for more || at < len(pattern) {
		if at < len(pattern) && pattern[at] == "**" {
			retryAt, retryRest, retryMore = at, rest, more
			at++
			continue
		}
		if more && at < len(pattern) {
			segment, tail, found := strings.Cut(rest, "/")
			if matchSegment(pattern[at], segment) {
				at, rest, more = at+1, tail, found
				continue
			}
		}
		if retryAt < 0 || !retryMore {
			return false
		}
		_, retryRest, retryMore = strings.Cut(retryRest, "/")
		at, rest, more = retryAt+1, retryRest, retryMore
	}
	return true
}

// matchSegment matches one segment; "*" takes any run of bytes, the last one more on a mismatch. A lone "*" needs one
// byte, so that it never stands for an empty first segment.
func matchSegment(pattern, segment string) bool {
	if pattern == "*" {
		return segment != ""
	}
	at, pos, star, retry := 0, 0, -1, 0
	for pos < len(segment) {
		switch {
		case at < len(pattern) && pattern[at] == '*':
			star, retry = at, pos
			at++
		case at < len(pattern) && pattern[at] == segment[pos]:
			at++
			pos++
		case star >= 0:
			retry++
			at, pos = star+1, retry
		default:
			return false
		}
	}
	for at < len(pattern) && pattern[at] == '*' {
		at++
	}
	return at == len(pattern)
}
