package capability

import (
	"fmt"
	"strconv"

	"github.com/astrid-go/astrid/principal"
)

// Reason says which step of Check decided. The zero value is Missing, a denial.
type Reason uint8

// The reasons, in the order in which they are weighed for a denial, then the two ways to be allowed.
const (
	// Missing: nothing the principal has covers the name.
	Missing Reason = iota
	// Unknown: nobody asked, or nothing was asked for.
	Unknown
	// Disabled: the profile is switched off.
	Disabled
	// Revoked: a revoke of the profile covers the name, or cannot be read and might.
	Revoked
	// Granted: a grant of the profile covers the name.
	Granted
	// ByGroup: a capability of one of the profile's groups covers the name.
	ByGroup
)

// String returns the reason in words.
func (r Reason) String() string {
	switch r {
	case Unknown:
		return "unknown principal"
	case Disabled:
		return "principal disabled"
	case Revoked:
		return "capability revoked"
	case Granted:
		return "granted"
	case ByGroup:
		return "granted by group"
	default:
		return "missing capability"
	}
}

// Decision is the outcome of Check. The zero value denies.
type Decision struct {
	// Allowed is the answer; Reason the step that gave it.
	Allowed bool
	Reason  Reason
	// Rule names the file and entry, or the group, that decided.
	Rule string
}

// Check decides whether the principal has the wanted capability: a disabled profile has none; a revoke beats every
// grant; a direct grant beats groups; an unknown group contributes nothing. A grant that does not parse grants
// nothing; a revoke that does not parse revokes everything, because what it meant to forbid is not known.
func Check(id principal.ID, p principal.Profile, g principal.Groups, want Name) Decision {
	if id.IsZero() || id == principal.Anonymous() || want.IsZero() {
		return Decision{Reason: Unknown, Rule: "no principal, or no capability named: no rights"}
	}
	if !p.Enabled {
		return Decision{Reason: Disabled, Rule: source(id, p) + ": enabled = false"}
	}
	for i, text := range p.Revokes {
		pattern, err := ParsePattern(text)
		if err != nil || pattern.Match(want) {
			return Decision{Reason: Revoked, Rule: entry(id, p, "revokes", i, text)}
		}
	}
	for i, text := range p.Grants {
		if covers(text, want) {
			return Decision{Allowed: true, Reason: Granted, Rule: entry(id, p, "grants", i, text)}
		}
	}
	if d := checkGroups(p, g, want); d.Allowed {
		return d
	}
	return Decision{Reason: Missing, Rule: fmt.Sprintf("no grant and no group of %s covers %s", source(id, p), want)}
}

func checkGroups(p principal.Profile, g principal.Groups, want Name) Decision {
	for _, name := range p.Groups {
		group, ok := g.Get(name)
		if !ok {
			continue
		}
		for _, text := range group.Capabilities() {
			if covers(text, want) {
				return Decision{Allowed: true, Reason: ByGroup, Rule: groupRule(group, text)}
			}
		}
	}
	return Decision{}
}

func covers(text string, want Name) bool {
	pattern, err := ParsePattern(text)
	return err == nil && pattern.Match(want)
}

func groupRule(group principal.Group, text string) string {
	from := "builtin"
	if group.Source != "" {
		from = group.Source
	}
	return "group " + group.Name + " (" + from + ") has " + strconv.Quote(text)
}

func entry(id principal.ID, p principal.Profile, key string, index int, text string) string {
	return source(id, p) + ": " + key + "[" + strconv.Itoa(index) + "] = " + strconv.Quote(text)
}

func source(id principal.ID, p principal.Profile) string {
	if p.Source != "" {
		return p.Source
	}
	return "profile of " + id.String()
}
