package capsule

import (
	"github.com/pelletier/go-toml/v2/unstable"
)

// place is a position in a file; the zero value is the file as a whole.
type place struct{ line, column int }

// tree holds where each key and each element of a document stands. It has the
// shape of the decoded document, so it costs no more than that.
type tree struct {
	place
	keys  map[string]*tree
	items []*tree
}

// key returns the tree below a key; what has no place of its own has that of t.
func (t *tree) key(name string) *tree {
	if sub, ok := t.keys[name]; ok {
		return sub
	}
	return &tree{place: t.place}
}

// item returns the tree of an array's element.
func (t *tree) item(i int) *tree {
	if i < len(t.items) {
		return t.items[i]
	}
	return &tree{place: t.place}
}

// enter returns the tree below a key, made if need be. For an array of tables it
// is the last of them, as TOML has it.
func (t *tree) enter(name string, at place) *tree {
	sub, ok := t.keys[name]
	if !ok {
		sub = &tree{place: at}
		if t.keys == nil {
			t.keys = map[string]*tree{}
		}
		t.keys[name] = sub
	}
	if len(sub.items) > 0 {
		return sub.items[len(sub.items)-1]
	}
	return sub
}

// locate makes the tree of a document that is known to be valid TOML.
func locate(data []byte) *tree {
	root := &tree{}
	var p unstable.Parser
	p.Reset(data)
	l := locator{parser: &p}
	table := root
	for p.NextExpression() {
		node := p.Expression()
		switch node.Kind {
		case unstable.Table:
			table = l.walk(root, node.Key(), false)
		case unstable.ArrayTable:
			table = l.walk(root, node.Key(), true)
		case unstable.KeyValue:
			l.keyValue(table, node)
		}
	}
	return root
}

type locator struct{ parser *unstable.Parser }

// walk enters a dotted key; with element its last part is an array of tables, to
// which one is added.
func (l locator) walk(t *tree, keys unstable.Iterator, element bool) *tree {
	for keys.Next() {
		name, at := string(keys.Node().Data), l.at(keys.Node())
		if !element || !keys.IsLast() {
			t = t.enter(name, at)
			continue
		}
		t.enter(name, at)
		array := t.keys[name]
		array.items = append(array.items, &tree{place: at})
		t = array.items[len(array.items)-1]
	}
	return t
}

func (l locator) keyValue(t *tree, node *unstable.Node) {
	l.value(l.walk(t, node.Key(), false), node.Value())
}

func (l locator) value(t *tree, node *unstable.Node) {
	switch node.Kind {
	case unstable.InlineTable:
		for it := node.Children(); it.Next(); {
			l.keyValue(t, it.Node())
		}
	case unstable.Array:
		var items []*tree // not in t while it is filled: enter would take the last of them
		for it := node.Children(); it.Next(); {
			item := &tree{place: t.place}
			if at := l.at(it.Node()); at.line > 0 {
				item.place = at
			}
			l.value(item, it.Node())
			items = append(items, item)
		}
		t.items = items
	}
}

// at is where a node stands, zero for nodes that the parser keeps no range of.
func (l locator) at(node *unstable.Node) place {
	if node.Raw.Length == 0 {
		return place{}
	}
	start := l.parser.Shape(node.Raw).Start
	return place{line: start.Line, column: start.Column}
}
