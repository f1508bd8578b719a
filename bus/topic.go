package bus

import (
	"errors"
	"fmt"
	"strings"
)

const (
	// MaxTopicBytes bounds a topic and a pattern; it is the limit of the capsule ABI.
	MaxTopicBytes = 256
	// MaxSegments bounds the depth of a topic and a pattern, and so the work of a match.
	MaxSegments = 8
)

// ErrTopic is wrapped by every error of ParseTopic and ParsePattern.
var ErrTopic = errors.New("invalid topic")

// Topic names what a message is about: 1 to MaxSegments segments of [A-Za-z0-9_-], joined by dots, at most
// MaxTopicBytes long. The zero value is no topic and cannot be published. Topics are comparable.
type Topic struct{ name string }

// ParseTopic checks a topic from outside.
func ParseTopic(s string) (Topic, error) {
	if err := checkSegments(s, false); err != nil {
		return Topic{}, fmt.Errorf("%w %.*q: %w", ErrTopic, MaxTopicBytes, s, err)
	}
	return Topic{name: s}, nil
}

// String returns the topic as it was parsed; it is empty for the zero value.
func (t Topic) String() string { return t.name }

// IsZero reports whether t is the zero value.
func (t Topic) IsZero() bool { return t.name == "" }

// Pattern selects topics. It is written like a topic in which a segment may be `*`. A `*` stands for exactly one
// segment; as the last segment it stands for one or more. The zero value matches nothing. Patterns are comparable.
type Pattern struct{ text string }

// ParsePattern checks a pattern from outside.
func ParsePattern(s string) (Pattern, error) {
	if err := checkSegments(s, true); err != nil {
		return Pattern{}, fmt.Errorf("%w pattern %.*q: %w", ErrTopic, MaxTopicBytes, s, err)
	}
	return Pattern{text: s}, nil
}

// Exactly returns the pattern that matches t alone.
func Exactly(t Topic) Pattern { return Pattern{text: t.name} }

// String returns the pattern as it was parsed; it is empty for the zero value.
func (p Pattern) String() string { return p.text }

// IsZero reports whether p is the zero value.
func (p Pattern) IsZero() bool { return p.text == "" }

// Match reports whether p selects t.
func (p Pattern) Match(t Topic) bool {
	if p.IsZero() || t.IsZero() {
		return false
	}
	pattern, topic := p.text, t.name
	for {
		want, morePattern, inner := strings.Cut(pattern, ".")
		have, moreTopic, deeper := strings.Cut(topic, ".")
		if want == "*" && !inner {
			return true
		}
		if want != "*" && want != have || inner != deeper {
			return false
		}
		if !inner {
			return true
		}
		pattern, topic = morePattern, moreTopic
	}
}

// checkSegments holds the grammar that topics and patterns share.
func checkSegments(s string, wildcards bool) error {
	if len(s) > MaxTopicBytes {
		return fmt.Errorf("%d bytes, at most %d are allowed", len(s), MaxTopicBytes)
	}
	segments := 0
	for rest, more := s, true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, ".")
		segments++
		if segments > MaxSegments {
			return fmt.Errorf("more than %d segments", MaxSegments)
		}
		if wildcards && segment == "*" {
			continue
		}
		if err := checkSegment(segment); err != nil {
			return fmt.Errorf("segment %d: %w", segments, err)
		}
	}
	return nil
}

func checkSegment(segment string) error {
	if segment == "" {
		return errors.New("empty")
	}
	for i := range len(segment) {
		c := segment[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' {
			continue
		}
		return fmt.Errorf("byte %q is not one of A-Z a-z 0-9 _ -", c)
	}
	return nil
}
