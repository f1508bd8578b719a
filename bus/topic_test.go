package bus_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/astrid-go/astrid/bus"
)

func TestWildcardRule(t *testing.T) {
	for _, c := range []struct {
		pattern, topic string
		want           bool
	}{
		{"a.b", "a.b", true},
		{"a.b", "a.b.c", false},
		{"a.b", "a", false},
		{"a.*", "a.b", true},
		{"a.*", "a.b.c", true},
		{"a.*", "a", false},
		{"a.*", "b.a", false},
		{"*", "a", true},
		{"*", "a.b", true},
		{"a.*.c", "a.b.c", true},
		{"a.*.c", "a.c", false},
		{"a.*.c", "a.b.b.c", false},
		{"*.b", "a.b", true},
		{"*.b", "b", false},
		{"a.*.*", "a.b", false},
		{"a.*.*", "a.b.c.d", true},
	} {
		if got := pattern(t, c.pattern).Match(topic(t, c.topic)); got != c.want {
			t.Errorf("%s matches %s: %v, want %v", c.pattern, c.topic, got, c.want)
		}
	}
	if (bus.Pattern{}).Match(topic(t, "a")) || pattern(t, "*").Match(bus.Topic{}) {
		t.Error("a zero value matched")
	}
}

func TestTopicGrammar(t *testing.T) {
	long := strings.Repeat("x", bus.MaxTopicBytes)
	for _, good := range []string{"a", "user.v1.prompt", "tool.v1.execute.read_file", "A-b_9", long, "1.2.3.4.5.6.7.8"} {
		if _, err := bus.ParseTopic(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", ".", "a.", ".a", "a..b", "a b", "a.*", "ä", "a/b", "a\x00", long + "x", "1.2.3.4.5.6.7.8.9"} {
		if _, err := bus.ParseTopic(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	for _, bad := range []string{"", "a.**", "a*", "*a", "a.*.", "1.2.3.4.5.6.7.8.*"} {
		if _, err := bus.ParsePattern(bad); err == nil {
			t.Errorf("pattern %q was accepted", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a.b.c", "*", "a.*.c", "a..b", "é", strings.Repeat("a.", 9)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		top, err := bus.ParseTopic(s)
		if err == nil && (top.String() != s || top.IsZero() || strings.Contains(s, "*")) {
			t.Errorf("topic %q came out as %q", s, top)
		}
		p, patternErr := bus.ParsePattern(s)
		if patternErr == nil && p.String() != s {
			t.Errorf("pattern %q came out as %q", s, p)
		}
		if err == nil && (patternErr != nil || !p.Match(top)) {
			t.Errorf("topic %q does not match itself", s)
		}
	})
}

// FuzzIndex compares Index and Pattern.Match with the rule written down naively, over patterns and topics spelled by
// the fuzzer from a small alphabet, with half of the patterns pruned again.
func FuzzIndex(f *testing.F) {
	f.Add("a.* *.b a.*.c * a.b.c a.b", "a.b.c")
	f.Add("a.*.* *.* *.*.a b", "b.a.a")
	f.Fuzz(func(t *testing.T, patterns, subject string) {
		top, err := bus.ParseTopic(subject)
		if err != nil {
			return
		}
		var index bus.Index[string]
		var kept, want []string
		for i, s := range strings.Fields(patterns) {
			p, err := bus.ParsePattern(s)
			if err != nil || slices.Contains(kept, s) {
				continue
			}
			*index.Slot(p) = s
			if p.Match(top) != naive(strings.Split(s, "."), strings.Split(subject, ".")) {
				t.Fatalf("%s on %s: Match says %v", s, subject, p.Match(top))
			}
			if i%2 == 1 {
				index.Prune(p)
				continue
			}
			kept = append(kept, s)
			if p.Match(top) {
				want = append(want, s)
			}
		}
		var got []string
		for _, slot := range index.Match(top, nil) {
			got = append(got, *slot)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("index finds %v for %s, want %v", got, subject, want)
		}
	})
}

func naive(pattern, topic []string) bool {
	switch {
	case len(pattern) == 0 || len(topic) == 0:
		return len(pattern) == len(topic)
	case len(pattern) == 1 && pattern[0] == "*":
		return true
	}
	return (pattern[0] == "*" || pattern[0] == topic[0]) && naive(pattern[1:], topic[1:])
}
