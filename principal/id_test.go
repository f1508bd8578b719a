package principal

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		rule, in string
		ok       bool
	}{
		{"letters, digits, _ and - are a name", "Alice_2-b", true},
		{"64 bytes are allowed", strings.Repeat("a", 64), true},
		{"65 bytes are not", strings.Repeat("a", 65), false},
		{"empty is nobody", "", false},
		{"no dots, so no path steps", "..", false},
		{"no separator", "a/b", false},
		{"no colon, which the auth message uses", "a:b", false},
		{"no letter that only looks like ASCII", "аlice", false},
		{"no control character", "a\n", false},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			id, err := Parse(tc.in)
			if (err == nil) != tc.ok {
				t.Fatalf("Parse(%q) = %v", tc.in, err)
			}
			if !tc.ok && (!errors.Is(err, ErrInvalidID) || !id.IsZero()) {
				t.Errorf("Parse(%q) = %v, %v; want nobody and ErrInvalidID", tc.in, id, err)
			}
		})
	}
}

func TestNobodyIsNeverWritten(t *testing.T) {
	if text, err := json.Marshal(ID{}); err == nil {
		t.Errorf("the zero ID was written as %s", text)
	}
	id := Default()
	if err := json.Unmarshal([]byte(`"no/body"`), &id); err == nil || id != Default() {
		t.Errorf("a bad name was taken over: %v, %v", id, err)
	}
}

func TestCheckPattern(t *testing.T) {
	for _, good := range []string{"*", "self:*", "a:*:c", "system:status", strings.Repeat("a", MaxPatternBytes)} {
		if err := CheckPattern(good); err != nil {
			t.Errorf("%.40q refused: %v", good, err)
		}
	}
	for _, bad := range []string{"", ":", "a:", ":a", "a::b", "**", "a:**", "a*", "a b", "é", strings.Repeat("a", MaxPatternBytes+1)} {
		if CheckPattern(bad) == nil {
			t.Errorf("%.40q accepted", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"default", "", "a/b", "..", "\x00", strings.Repeat("x", 65)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := Parse(s)
		if err != nil {
			return
		}
		if id.String() != s || s == "" || len(s) > MaxIDBytes || strings.ContainsAny(s, "/.:\\ \x00\n") {
			t.Fatalf("%q became %q", s, id)
		}
	})
}
