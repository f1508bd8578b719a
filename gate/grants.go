package gate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/astrid-go/astrid/capability"
)

// MaxGrants bounds the grants of one capsule; a manifest beyond it is a mistake or an attack.
const MaxGrants = 4096

// ErrBadGrants is wrapped by Load when the grants of a capsule are not acceptable.
var ErrBadGrants = errors.New("unacceptable grants")

// Grant is one line of a capsule's manifest. The zero value grants nothing.
type Grant struct {
	// Action is one of the action table's, Resource what it may be done to.
	Action   string
	Resource capability.ResourcePattern
	// Source is the place in the manifest, like "Capsule.toml:12".
	Source string
	// Ask makes the gate ask a person at each use that no allowance covers.
	Ask bool
}

// loaded is the identity of one loaded capsule. Two generations exist side by side while one replaces the other.
type loaded struct {
	capsule    string
	generation uint64
}

// table is an immutable snapshot of all grants.
type table struct {
	grants map[loaded]manifest
	newest map[string]uint64
}

// manifest holds the grants of one capsule generation by action.
type manifest map[string]*rules

// rules are the grants for one action, found by the literal beginning of their pattern, so that a decision looks at
// as many buckets as the resource has segments, however many grants there are.
type rules struct {
	byAnchor map[string][]rule
	source   string   // where the first of them is
	patterns []string // a few of them, for denials
}

// rule is one grant with its text for records.
type rule struct {
	pattern capability.ResourcePattern
	ask     bool
	text    string
}

// maxShownPatterns bounds how many patterns a denial lists.
const maxShownPatterns = 4

// Load makes the grants of a capsule generation effective. A generation is loaded once; grants of unknown or
// management actions, and empty patterns, are refused.
func (g *Gate) Load(capsule string, generation uint64, grants []Grant) error {
	if capsule == "" || len(capsule) > maxIDText || len(grants) > MaxGrants {
		return fmt.Errorf("%w: capsule %.64q with %d grants, at most %d", ErrBadGrants, capsule, len(grants), MaxGrants)
	}
	m, err := compile(grants)
	if err != nil {
		return fmt.Errorf("load grants of capsule %s: %w", capsule, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.table.Load()
	key := loaded{capsule, generation}
	if _, ok := old.grants[key]; ok {
		return fmt.Errorf("%w: capsule %s generation %d is loaded already", ErrBadGrants, capsule, generation)
	}
	next := &table{grants: maps.Clone(old.grants), newest: maps.Clone(old.newest)}
	next.grants[key] = m
	next.newest[capsule] = max(next.newest[capsule], generation)
	g.table.Store(next)
	return nil
}

// Unload takes the grants of a capsule generation away. Unloading what is not loaded does nothing.
func (g *Gate) Unload(capsule string, generation uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.table.Load()
	next := &table{grants: maps.Clone(old.grants), newest: maps.Clone(old.newest)}
	delete(next.grants, loaded{capsule, generation})
	delete(next.newest, capsule)
	for key := range next.grants {
		if key.capsule == capsule {
			next.newest[capsule] = max(next.newest[capsule], key.generation)
		}
	}
	g.table.Store(next)
}

// find returns the grants of a generation; generation 0 means the newest.
func (t *table) find(capsule string, generation uint64) (manifest, bool) {
	if generation == 0 {
		generation = t.newest[capsule]
	}
	m, ok := t.grants[loaded{capsule, generation}]
	return m, ok
}

func compile(grants []Grant) (manifest, error) {
	m := make(manifest)
	for _, grant := range grants {
		class, ok := actions[grant.Action]
		if !ok || class.kind != byGrant {
			return nil, fmt.Errorf("%w: %s: action %.64q cannot be granted", ErrBadGrants, grant.Source, grant.Action)
		}
		if grant.Resource.IsZero() {
			return nil, fmt.Errorf("%w: %s: grant of %s without a resource", ErrBadGrants, grant.Source, grant.Action)
		}
		r := m[grant.Action]
		if r == nil {
			r = &rules{byAnchor: make(map[string][]rule), source: grant.Source}
			m[grant.Action] = r
		}
		r.add(grant, class)
	}
	return m, nil
}

func (r *rules) add(grant Grant, class Class) {
	shown := strconv.Quote(grant.Resource.String())
	if len(r.patterns) < maxShownPatterns {
		r.patterns = append(r.patterns, shown)
	} else if len(r.patterns) == maxShownPatterns {
		r.patterns = append(r.patterns, "...")
	}
	anchor := trimAnchor(grant.Resource.Anchor())
	r.byAnchor[anchor] = append(r.byAnchor[anchor], rule{
		pattern: grant.Resource,
		ask:     grant.Ask,
		text:    grant.Source + " " + class.Manifest + " = " + shown,
	})
}

// match returns the rule that covers the resource. One that does not ask is preferred: the author granted it outright.
func (r *rules) match(resource capability.Resource) (found rule, ok bool) {
	text := resource.String()
	root := strings.Index(text, "://") + len("://")
	for end := root; ; end++ {
		if end == len(text) || text[end] == '/' || end == root {
			for _, candidate := range r.byAnchor[text[:end]] {
				if !candidate.pattern.MatchResource(resource) {
					continue
				}
				if !candidate.ask {
					return candidate, true
				}
				found, ok = candidate, true
			}
		}
		if end == len(text) {
			return found, ok
		}
	}
}

// trimAnchor drops the final "/" of "scheme://a/", because "scheme://a/**" covers "scheme://a" too.
func trimAnchor(anchor string) string {
	if strings.HasSuffix(anchor, "://") {
		return anchor
	}
	return strings.TrimSuffix(anchor, "/")
}

// shown lists the patterns of the rules for a denial.
func (r *rules) shown() string { return "[" + strings.Join(slices.Clone(r.patterns), ", ") + "]" }
