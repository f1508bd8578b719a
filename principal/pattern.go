package principal

import (
	"errors"
	"fmt"
	"strings"
)

// MaxPatternBytes is the longest capability name or pattern.
const MaxPatternBytes = 256

// CheckPattern reports whether s is a capability pattern: segments joined by ":", each [A-Za-z0-9_-]+ or "*", at most
// MaxPatternBytes. The grammar is here because profiles and groups store patterns; package capability gives them
// meaning.
func CheckPattern(s string) error {
	if s == "" {
		return errors.New("empty capability pattern")
	}
	if len(s) > MaxPatternBytes {
		return fmt.Errorf("capability pattern of %d bytes, at most %d are allowed", len(s), MaxPatternBytes)
	}
	for segment := range strings.SplitSeq(s, ":") {
		if err := checkSegment(segment); err != nil {
			return fmt.Errorf("capability pattern %q: %w", s, err)
		}
	}
	return nil
}

func checkSegment(segment string) error {
	switch segment {
	case "":
		return errors.New("empty segment")
	case "*":
		return nil
	case "**":
		return errors.New(`"**" is reserved; a trailing "*" already covers all that follows`)
	}
	for i, r := range segment {
		if r >= 0x80 || !isNameByte(byte(r)) {
			return fmt.Errorf("character %q in segment %q; allowed are A-Z a-z 0-9 _ - or a lone *", r, segment[:i]+string(r))
		}
	}
	return nil
}
