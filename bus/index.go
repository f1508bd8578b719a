package bus

import "strings"

// Index is a trie from patterns to values of type V. A match costs at most two steps per topic segment and wildcard
// branch, however many patterns do not match. The zero value is empty and ready. An Index needs a lock of its owner:
// Slot and Prune write, Match reads.
type Index[V any] struct{ root node[V] }

type node[V any] struct {
	children map[string]*node[V]
	star     *node[V] // an inner `*`: exactly one segment
	here     *V       // patterns that end here
	rest     *V       // patterns that end here with `*`: one or more further segments
}

// Slot returns the place of p's value, a zero V if it is new. It stays valid until Prune empties it.
func (x *Index[V]) Slot(p Pattern) *V {
	n := &x.root
	for rest, more := p.text, true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, ".")
		if segment == "*" && !more {
			return orNew(&n.rest)
		}
		n = n.child(segment)
	}
	return orNew(&n.here)
}

// Prune forgets p's value and the branches that held nothing else.
func (x *Index[V]) Prune(p Pattern) { x.root.prune(p.text) }

// Match appends the slots of the patterns that select t to found and returns it, in an order that depends on t and the
// patterns alone.
func (x *Index[V]) Match(t Topic, found []*V) []*V {
	if t.IsZero() {
		return found
	}
	return x.root.match(t.name, true, found)
}

func (n *node[V]) match(topic string, more bool, found []*V) []*V {
	if !more {
		if n.here != nil {
			found = append(found, n.here)
		}
		return found
	}
	if n.rest != nil {
		found = append(found, n.rest)
	}
	segment, topic, more := strings.Cut(topic, ".")
	if child := n.children[segment]; child != nil {
		found = child.match(topic, more, found)
	}
	if n.star != nil {
		found = n.star.match(topic, more, found)
	}
	return found
}

func (n *node[V]) child(segment string) *node[V] {
	if segment == "*" {
		return orNew(&n.star)
	}
	child := n.children[segment]
	if child == nil {
		if n.children == nil {
			n.children = map[string]*node[V]{}
		}
		child = &node[V]{}
		n.children[segment] = child
	}
	return child
}

// prune removes the value of pattern below n and reports whether n is now empty.
func (n *node[V]) prune(pattern string) bool {
	segment, rest, more := strings.Cut(pattern, ".")
	switch {
	case segment == "*" && !more:
		n.rest = nil
	case segment == "*":
		if n.star != nil && n.star.pruneBelow(rest, more) {
			n.star = nil
		}
	default:
		if child := n.children[segment]; child != nil && child.pruneBelow(rest, more) {
			delete(n.children, segment)
		}
	}
	return n.here == nil && n.rest == nil && n.star == nil && len(n.children) == 0
}

func (n *node[V]) pruneBelow(pattern string, more bool) bool {
	if more {
		return n.prune(pattern)
	}
	n.here = nil
	return n.rest == nil && n.star == nil && len(n.children) == 0
}

func orNew[T any](p **T) *T {
	if *p == nil {
		*p = new(T)
	}
	return *p
}
