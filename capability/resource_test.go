package capability

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func pattern(t testing.TB, s string) ResourcePattern {
	t.Helper()
	p, err := ParseResourcePattern(s)
	if err != nil {
		t.Fatal(err)
	}
	if p.String() != s {
		t.Fatalf("%q is written as %q", s, p)
	}
	return p
}

func TestResourcePatternMatch(t *testing.T) {
	for _, tc := range []struct {
		rule, pattern, resource string
		want                    bool
	}{
		{"text covers itself", "cwd://src/a.go", "cwd://src/a.go", true},
		{"case matters", "cwd://src/a.go", "cwd://src/A.go", false},
		{"the scheme matters", "cwd://a", "home://a", false},
		{"* stays in its segment", "cwd://src/*", "cwd://src/a/b", false},
		{"* covers a segment", "cwd://src/*", "cwd://src/a", true},
		{"* covers no missing segment", "cwd://src/*", "cwd://src", false},
		{"* inside a segment", "cwd://src/*.go", "cwd://src/main.go", true},
		{"* inside a segment may be empty", "cwd://a*b", "cwd://ab", true},
		{"more than one *", "cwd://*a*b*", "cwd://xaxbx", true},
		{"* in the authority", "https://*.example.com/**", "https://api.example.com/v1/x", true},
		{"* in the authority does not reach the path", "https://*.example.com/**", "https://evil.org/x.example.com/y", false},
		{"** covers the tree", "cwd://src/**", "cwd://src/a/b/c", true},
		{"** covers the tree's root", "cwd://src/**", "cwd://src", true},
		{"** covers no sibling that begins alike", "cwd://src/**", "cwd://src2/a", false},
		{"** covers the scheme's root", "cwd://**", "cwd://", true},
		{"** covers all of a scheme", "cwd://**", "cwd://a/b", true},
		{"** in the middle, none", "cwd://a/**/z", "cwd://a/z", true},
		{"** in the middle, many", "cwd://a/**/z", "cwd://a/b/z/c/z", true},
		{"** in the middle needs its end", "cwd://a/**/z", "cwd://a/b/c", false},
		{"two of them", "cwd://**/b/**/d", "cwd://a/b/c/b/d", true},
		{"an absolute path", "file:///home/**", "file:///home/u/x", true},
		{"question marks and brackets are text", "cwd://a?[b]{c}", "cwd://a?[b]{c}", true},
		{"question marks stand for nothing else", "cwd://a?", "cwd://ab", false},
		{"a literal * is a *", "literal:cwd://a*", "cwd://a*", true},
		{"a literal * is nothing else", "literal:cwd://a*", "cwd://ab", false},
		{"traversal never matches", "cwd://**", "cwd://a/../b", false},
		{"encoded traversal never matches", "https://h/**", "https://h/%2E%2e/b", false},
		{"half-encoded traversal never matches", "https://h/**", "https://h/.%2e/b", false},
		{"an encoded separator never matches", "https://h/**", "https://h/a%2Fb", false},
		{"an encoded NUL never matches", "https://h/**", "https://h/a%00", false},
		{"a dot segment never matches", "cwd://**", "cwd://./a", false},
		{"an empty segment never matches", "cwd://**", "cwd://a//b", false},
		{"a final slash never matches", "cwd://**", "cwd://a/", false},
		{"a backslash never matches", "cwd://**", `cwd://a\..\b`, false},
		{"a control character never matches", "cwd://**", "cwd://a\x00b", false},
		{"a newline never matches", "cwd://**", "cwd://a\nb", false},
		{"text that turns direction never matches", "cwd://**", "cwd://a\u202eb", false},
		{"a C1 control never matches", "cwd://**", "cwd://a\u0085b", false},
		{"decomposed text never matches", "cwd://**", "cwd://e\u0301", false},
		{"composed text does", "cwd://**", "cwd://\u00e9", true},
		{"invalid UTF-8 never matches", "cwd://**", "cwd://a\xff", false},
		{"no scheme never matches", "cwd://**", "a/b", false},
		{"dots inside a name are no traversal", "cwd://**", "cwd://a..b/...", true},
		{"too long never matches", "cwd://**", "cwd://" + strings.Repeat("a", MaxResourceBytes), false},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			if got := pattern(t, tc.pattern).Match(tc.resource); got != tc.want {
				t.Errorf("%q covers %q: %v", tc.pattern, tc.resource, got)
			}
		})
	}
	if (ResourcePattern{}).Match("cwd://a") || pattern(t, "cwd://**").MatchResource(Resource{}) {
		t.Error("a zero value matches")
	}
}

func TestBadPatternsAreRefused(t *testing.T) {
	for _, bad := range []string{"", "*", "**", "a/b", "://a", "CWD://a", "1a://b", "cwd://a/../b", "cwd://../**", "cwd://a**",
		"cwd://**a/b", "cwd://***", "cwd:///", "cwd://a/", "literal:", "literal:cwd://..", "literal:literal:cwd://a",
		"cwd://" + strings.Repeat("*", MaxResourceBytes)} {
		if p, err := ParseResourcePattern(bad); err == nil || !p.IsZero() {
			t.Errorf("%.40q is a pattern", bad)
		}
	}
}

// referenceResource is the definition of matching, by recursion over segments and bytes.
func referenceResource(pattern, resource []string) bool {
	if len(pattern) == 0 {
		return len(resource) == 0
	}
	if pattern[0] == "**" {
		return referenceResource(pattern[1:], resource) || len(resource) > 0 && referenceResource(pattern, resource[1:])
	}
	return len(resource) > 0 && (pattern[0] != "*" || resource[0] != "") &&
		referenceBytes(pattern[0], resource[0]) && referenceResource(pattern[1:], resource[1:])
}

func referenceBytes(pattern, text string) bool {
	if pattern == "" {
		return text == ""
	}
	if pattern[0] == '*' {
		return referenceBytes(pattern[1:], text) || text != "" && referenceBytes(pattern, text[1:])
	}
	return text != "" && pattern[0] == text[0] && referenceBytes(pattern[1:], text[1:])
}

func split(s string) []string {
	_, rest, _ := strings.Cut(s, "://")
	if rest == "" {
		return nil
	}
	return strings.Split(rest, "/")
}

func FuzzResourcePattern(f *testing.F) {
	f.Add("cwd://a/**/b*", "cwd://a/x/bc")
	f.Add("file:///**", "file:///x")
	f.Add("cwd://**/**/*", "cwd://")
	f.Add("literal:cwd://*", "cwd://*")
	f.Fuzz(func(t *testing.T, text, resource string) {
		p, err := ParseResourcePattern(text)
		if err != nil || len(text)+len(resource) > 48 {
			return
		}
		want := false
		if _, err := ParseResource(resource); err == nil {
			if literal, ok := strings.CutPrefix(text, "literal:"); ok {
				want = literal == resource
			} else {
				sameScheme := text[:strings.Index(text, "://")] == resource[:strings.Index(resource, "://")]
				want = sameScheme && referenceResource(split(text), split(resource))
			}
		}
		if got := p.Match(resource); got != want {
			t.Fatalf("%q covers %q: %v, reference says %v", text, resource, got, want)
		}
		if again, err := ParseResourcePattern(p.String()); err != nil || again.Match(resource) != want {
			t.Fatalf("%q changes when it is written down: %v", text, err)
		}
	})
}

// TestNarrowingNeverAdds: text for a wildcard, or a segment more in front of what follows, covers no resource that was
// not covered before.
func TestNarrowingNeverAdds(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "ab", "a*", "*b", "*", "**", "a*b"})
	plain := rapid.SampledFrom([]string{"a", "b", "ab", "aab", "ba"})
	rapid.Check(t, func(t *rapid.T) {
		wide := rapid.SliceOfN(segment, 1, 5).Draw(t, "wide")
		resource := "cwd://" + strings.Join(rapid.SliceOfN(plain, 1, 5).Draw(t, "resource"), "/")
		i := rapid.IntRange(0, len(wide)-1).Draw(t, "at")
		narrow := append([]string{}, wide...)
		switch narrow[i] {
		case "**":
			narrow[i] = rapid.SampledFrom([]string{"*", "a", "a/**", "**/b", "a/*/b"}).Draw(t, "by")
		default:
			narrow[i] = strings.ReplaceAll(narrow[i], "*", rapid.SampledFrom([]string{"a", "b", "ab"}).Draw(t, "by"))
		}
		before := mustPattern(t, wide)
		after := mustPattern(t, narrow)
		if after.Match(resource) && !before.Match(resource) {
			t.Fatalf("%s narrowed to %s gained %s", before, after, resource)
		}
	})
}

func mustPattern(t *rapid.T, segments []string) ResourcePattern {
	p, err := ParseResourcePattern("cwd://" + strings.Join(segments, "/"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAnchorLeadsToThePattern holds the promise that indexes rely on.
func TestAnchorLeadsToThePattern(t *testing.T) {
	for text, want := range map[string]string{
		"cwd://a/b": "cwd://a/b", "cwd://a/b*": "cwd://a/", "cwd://a/**": "cwd://a/", "cwd://*": "cwd://",
		"cwd://**/a": "cwd://", "literal:cwd://*": "cwd://*", "file:///**": "file:///",
	} {
		if got := pattern(t, text).Anchor(); got != want {
			t.Errorf("anchor of %s is %q, want %q", text, got, want)
		}
	}
}

func BenchmarkMatchResource(b *testing.B) {
	r, err := ParseResource("cwd://src/kernel/boot/main.go")
	if err != nil {
		b.Fatal(err)
	}
	for _, text := range []string{"cwd://src/**", "cwd://src/**/*.go", "literal:cwd://src/kernel/boot/main.go"} {
		p := pattern(b, text)
		b.Run(text[:8], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !p.MatchResource(r) {
					b.Fatal("no match")
				}
			}
		})
	}
}

// BenchmarkMatchWorst backtracks through the longest texts that the limits allow.
func BenchmarkMatchWorst(b *testing.B) {
	p := pattern(b, "cwd://"+strings.Repeat("*a", 500)+"b")
	r, err := ParseResource("cwd://" + strings.Repeat("a", 1000))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.MatchResource(r)
	}
}
