package principal

import (
	"errors"
	"fmt"
)

// MaxIDBytes is the longest principal name. It keeps names usable as file names and bus key parts.
const MaxIDBytes = 64

// ErrInvalidID is wrapped by every error of Parse.
var ErrInvalidID = errors.New("invalid principal name")

// ID names a principal: 1 to 64 of [A-Za-z0-9_-]. The zero value is nobody and has no rights anywhere.
// IDs are comparable and may be used as map keys.
type ID struct{ name string }

// Parse checks a name from outside and returns its ID, or an error that wraps ErrInvalidID and names the fault.
func Parse(s string) (ID, error) {
	if err := checkName(s); err != nil {
		return ID{}, fmt.Errorf("%w: %w", ErrInvalidID, err)
	}
	return ID{name: s}, nil
}

// Default is the local operator, the principal of a single-user installation. The name alone carries no rights:
// they come from the profile file that the first boot writes.
func Default() ID { return ID{name: "default"} }

// Anonymous is the reserved principal of connections that proved nothing but the session token. It has no profile
// and cannot be given one.
func Anonymous() ID { return ID{name: "anonymous"} }

// String returns the name; it is empty for the zero value.
func (id ID) String() string { return id.name }

// IsZero reports whether the ID names nobody.
func (id ID) IsZero() bool { return id.name == "" }

// MarshalText writes the name. The zero value is refused, so that nobody is never written down as somebody.
func (id ID) MarshalText() ([]byte, error) {
	if id.IsZero() {
		return nil, fmt.Errorf("%w: empty", ErrInvalidID)
	}
	return []byte(id.name), nil
}

// UnmarshalText parses a name as Parse does.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// checkName holds the grammar that principal and group names share.
func checkName(s string) error {
	if s == "" {
		return errors.New("empty")
	}
	if len(s) > MaxIDBytes {
		return fmt.Errorf("%d bytes, at most %d are allowed", len(s), MaxIDBytes)
	}
	for i, r := range s {
		if r >= 0x80 || !isNameByte(byte(r)) {
			return fmt.Errorf("character %q at byte %d; allowed are A-Z a-z 0-9 _ -", r, i)
		}
	}
	return nil
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
