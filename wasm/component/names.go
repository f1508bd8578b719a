package component

import (
	"cmp"
	"fmt"
	"strings"
)

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// checkLabel checks that s is in kebab case: fragments of lower-case letters
// and digits, or of upper-case ones, the first of which begins with a letter.
func checkLabel(s string) error { return checkKebab(s, true) }

func checkKebab(s string, acronyms bool) error {
	for i, fragment := range strings.Split(s, "-") {
		lower, upper := false, false
		for j := range len(fragment) {
			c := fragment[j]
			lower, upper = lower || isLower(c), upper || isUpper(c)
			if !isLower(c) && !isUpper(c) && !isDigit(c) {
				return fmt.Errorf("%s is not in kebab case", quote(s))
			}
		}
		if fragment == "" || i == 0 && isDigit(fragment[0]) || lower && upper || upper && !acronyms {
			return fmt.Errorf("%s is not in kebab case", quote(s))
		}
	}
	return nil
}

// nameKind says what is special about an import's or export's name.
type nameKind uint8

const (
	plain nameKind = iota
	constructor
	method
	static
	interfaceName
)

var annotations = map[string]nameKind{"[constructor]": constructor, "[method]": method, "[static]": static}

// externName is a parsed name of an import or export.
type externName struct {
	text     string
	kind     nameKind
	resource string // the label before the dot, or of the constructor
	version  string // of an interface, if it has one

	implements bool // it has the attribute, which is for instances
}

// canonical returns what must be unique among the names of a scope.
func (n externName) canonical() string {
	s, at := n.text, ""
	if n.kind == interfaceName {
		if i := strings.IndexByte(s, '@'); i >= 0 {
			s, at = s[:i], s[i:]
		}
	}
	if n.kind == method || n.kind == static {
		s = s[strings.IndexByte(s, ']')+1:]
	}
	s = strings.ToLower(strings.ReplaceAll(s, "-", ""))
	if before, after, ok := strings.Cut(s, "."); ok && before == after {
		s = before
	}
	return s + at
}

// parseName parses the name of an import or export.
func parseName(s string) (externName, error) {
	n := externName{text: s}
	if strings.HasPrefix(s, "[") {
		return n, n.parseAnnotated(s)
	}
	if strings.Contains(s, ":") {
		n.kind = interfaceName
		return n, n.parseInterface(s)
	}
	return n, checkLabel(s)
}

func (n *externName) parseAnnotated(s string) error {
	end := strings.IndexByte(s, ']') + 1
	kind, ok := annotations[s[:end]]
	if !ok {
		return fmt.Errorf("%s is not a valid extern name: unknown annotation", quote(s))
	}
	n.kind, n.resource = kind, s[end:]
	if kind == constructor {
		return checkLabel(n.resource)
	}
	resource, field, dotted := strings.Cut(n.resource, ".")
	if !dotted {
		return fmt.Errorf("%s is not a valid extern name: failed to find `.` character", quote(s))
	}
	n.resource = resource
	return cmp.Or(checkLabel(resource), checkLabel(field))
}

// parseInterface parses namespace:package/interface@version.
func (n *externName) parseInterface(s string) error {
	rest, version, versioned := strings.Cut(s, "@")
	namespace, rest, _ := strings.Cut(rest, ":")
	pkg, projection, ok := strings.Cut(rest, "/")
	if !ok {
		return fmt.Errorf("%s is not a valid extern name: expected `/` after package name", quote(s))
	}
	for _, err := range []error{checkKebab(namespace, false), checkKebab(pkg, false), checkLabel(projection)} {
		if err != nil {
			return fmt.Errorf("%s is not a valid extern name: %w", quote(s), err)
		}
	}
	n.version = version
	if versioned && version == "" {
		return fmt.Errorf("%s is not a valid extern name: empty version", quote(s))
	}
	return nil
}

// checkVersion checks the version together with the suffix that stands in the
// attributes of the name.
func (n externName) checkVersion(suffix string, hasSuffix bool) error {
	if !hasSuffix {
		if n.version == "" {
			return nil
		}
		_, err := parseVersion(n.version)
		return err
	}
	if !isCanonical(n.version) {
		return fmt.Errorf("%s is not valid with a version suffix", quote(n.text))
	}
	_, err := parseVersion(n.version + suffix)
	return err
}

// nameSet holds the names of a scope that must be strongly unique.
type nameSet map[string]string

// add adds a name, unless it conflicts with one that is there.
func (s nameSet) add(canonical, name, what string) error {
	if previous, ok := s[canonical]; ok {
		return fmt.Errorf("%s name %s conflicts with previous name %s", what, quote(name), quote(previous))
	}
	s[canonical] = name
	return nil
}
