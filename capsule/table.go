package capsule

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// table reads one TOML table: each method takes one key, checks its type and
// remembers that the key is known; end reports the others. Faults are collected,
// and reading goes on with the zero value.
type table struct {
	problems *problems
	name     string // dotted, for messages; "" at the top
	at       *tree
	values   map[string]any
	known    []string
}

// text is a string and where it stands.
type text struct {
	s  string
	at place
}

func (t *table) path(key string) string {
	if t.name == "" {
		return key
	}
	return t.name + "." + key
}

func (t *table) take(key string) (any, *tree, bool) {
	t.known = append(t.known, key)
	v, ok := t.values[key]
	return v, t.at.key(key), ok
}

func (t *table) wrong(at place, key, want string, have any) {
	t.problems.add(at, "%s: want %s, have %s", t.path(key), want, kindOf(have))
}

// text returns a string, with the table's place when it is absent.
func (t *table) text(key string) text {
	v, at, ok := t.take(key)
	if !ok {
		return text{at: t.at.place}
	}
	s, ok := v.(string)
	if !ok {
		t.wrong(at.place, key, "a string", v)
	}
	return text{s: s, at: at.place}
}

// required is text that must not be empty.
func (t *table) required(key string) text {
	got := t.text(key)
	if v, present := t.values[key]; !present {
		t.problems.add(t.at.place, "%s is missing", t.path(key))
	} else if v == "" {
		t.problems.add(got.at, "%s is empty", t.path(key))
	}
	return got
}

func (t *table) boolean(key string) bool {
	v, at, ok := t.take(key)
	b, isBool := v.(bool)
	if ok && !isBool {
		t.wrong(at.place, key, "true or false", v)
	}
	return b
}

// integer returns a number from 0 to limit, or otherwise.
func (t *table) integer(key string, limit int64, otherwise int64) int64 {
	v, at, ok := t.take(key)
	if !ok {
		return otherwise
	}
	n, isInt := v.(int64)
	if !isInt {
		t.wrong(at.place, key, "an integer", v)
		return otherwise
	}
	if n < 0 || n > limit {
		t.problems.add(at.place, "%s: %d is not from 0 to %d", t.path(key), n, limit)
		return otherwise
	}
	return n
}

// texts returns an array of strings.
func (t *table) texts(key string) []text {
	v, at, ok := t.take(key)
	if !ok {
		return nil
	}
	list, isArray := v.([]any)
	if !isArray {
		t.wrong(at.place, key, "an array of strings", v)
		return nil
	}
	var out []text
	for i, v := range list {
		s, isText := v.(string)
		if !isText {
			t.wrong(at.item(i).place, key, "an array of strings", v)
			continue
		}
		out = append(out, text{s: s, at: at.item(i).place})
	}
	return out
}

// strings is texts without places.
func (t *table) strings(key string) []string {
	var out []string
	for _, x := range t.texts(key) {
		out = append(out, x.s)
	}
	return out
}

// sub returns the table under a key; it is false when there is none.
func (t *table) sub(key string) (*table, bool) {
	v, at, ok := t.take(key)
	if !ok {
		return nil, false
	}
	m, isTable := v.(map[string]any)
	if !isTable {
		t.wrong(at.place, key, "a table", v)
		return nil, false
	}
	return &table{problems: t.problems, name: t.path(key), at: at, values: m}, true
}

// subs returns the tables of an array of tables, at most limit of them.
func (t *table) subs(key string, limit int) []*table {
	v, at, ok := t.take(key)
	if !ok {
		return nil
	}
	list, isArray := v.([]any)
	if !isArray {
		t.wrong(at.place, key, "an array of tables, [["+key+"]]", v)
		return nil
	}
	if len(list) > limit {
		t.problems.add(at.place, "%s: %d of them, at most %d are allowed", t.path(key), len(list), limit)
		list = list[:limit]
	}
	var out []*table
	for i, v := range list {
		m, isTable := v.(map[string]any)
		if !isTable {
			t.wrong(at.item(i).place, key, "a table", v)
			continue
		}
		out = append(out, &table{problems: t.problems, name: t.path(key), at: at.item(i), values: m})
	}
	return out
}

// names returns all keys of a table whose keys are names, sorted, and marks them
// known.
func (t *table) names() []string {
	names := slices.Sorted(maps.Keys(t.values))
	t.known = append(t.known, names...)
	return names
}

// end reports the keys that nobody took.
func (t *table) end() {
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		if slices.Contains(t.known, key) {
			continue
		}
		at := t.at.key(key).place
		if near := nearest(key, t.known); near != "" {
			t.problems.add(at, "unknown key %q; did you mean %q?", clip(t.path(key)), t.path(near))
			continue
		}
		t.problems.add(at, "unknown key %q", clip(t.path(key)))
	}
}

// kindOf names the TOML type of a decoded value.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case []any:
		return "an array"
	case map[string]any:
		return "a table"
	case time.Time:
		return "a date"
	}
	return "a local date or time"
}

// maxSuggest bounds the words compared: longer keys are no slips.
const maxSuggest = 64

// nearest returns the known key that a key was most likely meant to be, "" when
// none is close.
func nearest(key string, known []string) string {
	if len(key) > maxSuggest {
		return ""
	}
	best, least := "", len(key)/3+2
	for _, k := range known {
		if d := distance(strings.ToLower(key), k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the single-byte edits between two short words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
