package component

import "fmt"

// DecodeError says that the bytes are no component.
type DecodeError struct {
	Offset  int    // in bytes from the start of the component
	Section string // the section that Offset is in, such as "type"; "header" before the first
	Reason  string
}

// Error says what is wrong and where.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("offset 0x%x, %s section: malformed: %s", e.Offset, e.Section, e.Reason)
}

// ValidationError says that a component breaks a rule of the specification, or
// one of the Limits, or uses what this package does not support.
type ValidationError struct {
	Offset  int    // in bytes from the start of the component
	Section string // the section that Offset is in
	Reason  string
}

// Error says which rule is broken and where.
func (e *ValidationError) Error() string {
	return fmt.Sprintf("offset 0x%x, %s section: invalid: %s", e.Offset, e.Section, e.Reason)
}

// maxQuoted bounds what a guest's names can put into an error.
const maxQuoted = 200

// quote shortens a name for an error.
func quote(name string) string {
	if len(name) > maxQuoted {
		name = name[:maxQuoted] + "..."
	}
	return fmt.Sprintf("%q", name)
}
