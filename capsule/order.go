package capsule

import (
	"fmt"
	"slices"
	"strings"
)

// Order returns capsules in the order in which they are loaded: uplinks first,
// then everything after what it imports, and otherwise as given. A capsule in a
// circle of required imports, or whose required import nobody exports, is a
// failure; it takes along those that need it, and nobody else.
func Order(capsules []Installed) ([]Installed, []Failure) {
	s := sorter{exporters: map[string][]int{}, capsules: capsules, state: make([]standing, len(capsules))}
	for i, c := range capsules {
		for _, e := range c.Manifest.Exports {
			s.exporters[e.Name] = append(s.exporters[e.Name], i)
		}
	}
	for s.dropUnsatisfied() || s.dropCircle() {
	}
	return s.sorted(), s.failures
}

type standing uint8

const (
	waiting standing = iota
	failed
)

type sorter struct {
	capsules  []Installed
	exporters map[string][]int // interface → who exports it in any version
	state     []standing
	failures  []Failure
}

func (s *sorter) fail(i int, reason string) {
	s.state[i] = failed
	s.failures = append(s.failures, Failure{Name: s.name(i), Dir: s.capsules[i].Dir, Reason: reason})
}

func (s *sorter) name(i int) string { return s.capsules[i].Manifest.Name() }

// suppliers returns who satisfies an import, itself included.
func (s *sorter) suppliers(want Import) []int {
	var out []int
	for _, i := range s.exporters[want.Name] {
		if s.state[i] == failed {
			continue
		}
		for _, e := range s.capsules[i].Manifest.Exports {
			if e.Name == want.Name && want.Version.Check(e.Version) {
				out = append(out, i)
				break
			}
		}
	}
	return out
}

// dropUnsatisfied fails the capsules whose required imports nobody exports, and
// reports whether there were any.
func (s *sorter) dropUnsatisfied() bool {
	dropped := false
	for i, c := range s.capsules {
		if s.state[i] == failed {
			continue
		}
		for _, want := range c.Manifest.Imports {
			if !want.Optional && len(s.suppliers(want)) == 0 {
				s.fail(i, fmt.Sprintf("%s:%d: needs %s %s, %s", ManifestFile, want.Line, want.Name, want.Version, s.offer(want.Name)))
				dropped = true
				break
			}
		}
	}
	return dropped
}

// offer says who exports an interface in a way that does not help.
func (s *sorter) offer(name string) string {
	var offers []string
	for _, i := range s.exporters[name] {
		for _, e := range s.capsules[i].Manifest.Exports {
			if e.Name != name {
				continue
			}
			offer := s.name(i) + " exports " + e.Version.String()
			if s.state[i] == failed {
				offer += " but failed"
			}
			offers = append(offers, offer)
		}
	}
	if len(offers) == 0 {
		return "which no capsule exports"
	}
	return strings.Join(offers, ", ")
}

// needs returns whom a capsule is loaded after.
func (s *sorter) needs(i int, optional bool) []int {
	var out []int
	for _, want := range s.capsules[i].Manifest.Imports {
		if want.Optional && !optional {
			continue
		}
		for _, from := range s.suppliers(want) {
			if from != i && !slices.Contains(out, from) {
				out = append(out, from)
			}
		}
	}
	return out
}

// dropCircle fails the capsules of one circle of required imports, and reports
// whether there was one.
func (s *sorter) dropCircle() bool {
	visit := make([]visitState, len(s.capsules))
	for i := range s.capsules {
		if s.state[i] == failed {
			continue
		}
		circle := s.circleFrom(i, visit, nil)
		if circle == nil {
			continue
		}
		path := s.describe(circle)
		for _, member := range circle {
			s.fail(member, "imports go in a circle: "+path)
		}
		return true
	}
	return false
}

type visitState uint8

const (
	unvisited visitState = iota
	onPath
	done
)

// circleFrom searches depth first; path is how i was reached.
func (s *sorter) circleFrom(i int, visit []visitState, path []int) []int {
	switch visit[i] {
	case done:
		return nil
	case onPath:
		return path[slices.Index(path, i):]
	}
	visit[i] = onPath
	path = append(path, i)
	for _, next := range s.needs(i, false) {
		if circle := s.circleFrom(next, visit, path); circle != nil {
			return circle
		}
	}
	visit[i] = done
	return nil
}

func (s *sorter) describe(circle []int) string {
	names := make([]string, 0, len(circle)+1)
	for _, i := range circle {
		names = append(names, s.name(i))
	}
	return strings.Join(append(names, names[0]), " → ")
}

// sorted returns what did not fail: step by step the first capsule, uplinks before
// others, whose imports are all placed. Required imports have no circle any more;
// where an optional one closes a circle, it is not waited for.
func (s *sorter) sorted() []Installed {
	placed := make([]bool, len(s.capsules))
	var out []Installed
	for {
		next := s.first(placed, true)
		if next < 0 {
			next = s.first(placed, false)
		}
		if next < 0 {
			return out
		}
		placed[next] = true
		out = append(out, s.capsules[next])
	}
}

// first returns the first capsule that is ready to be placed, -1 if none is.
func (s *sorter) first(placed []bool, optional bool) int {
	found := -1
	for i, c := range s.capsules {
		if placed[i] || s.state[i] == failed || !s.ready(i, placed, optional) {
			continue
		}
		if c.Manifest.Capabilities.Uplink > 0 {
			return i
		}
		if found < 0 {
			found = i
		}
	}
	return found
}

func (s *sorter) ready(i int, placed []bool, optional bool) bool {
	for _, need := range s.needs(i, optional) {
		if !placed[need] {
			return false
		}
	}
	return true
}
