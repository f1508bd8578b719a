package capability

import (
	"errors"
	"strings"
	"testing"

	"github.com/astrid-go/astrid/principal"
)

func name(t testing.TB, s string) Name {
	t.Helper()
	n, err := ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPatternMatch(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "system:status", true},
		{"system:*", "system:status", true},
		{"system:*", "system:resources:unbounded", true},
		{"system:*", "system", false},
		{"system:*", "systems:status", false},
		{"a:*:c", "a:b:c", true},
		{"a:*:c", "a:b:b:c", false},
		{"a:*:c", "a:c", false},
		{"a:b", "a:b", true},
		{"a:b", "a:b:c", false},
		{"a:b:c", "a:b", false},
		{"self:*", "Self:x", false},
	} {
		p, err := ParsePattern(tc.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match(name(t, tc.name)); got != tc.want {
			t.Errorf("%s covers %s: %v", tc.pattern, tc.name, got)
		}
	}
	if (Pattern{}).Match(name(t, "a")) {
		t.Error("the zero pattern covers something")
	}
	all, _ := ParsePattern("*")
	if all.Match(Name{}) {
		t.Error("the zero name is covered")
	}
	if _, err := ParseName("a:*"); !errors.Is(err, ErrInvalid) {
		t.Errorf("a wildcard is a name: %v", err)
	}
}

func TestCheck(t *testing.T) {
	groups, err := principal.ParseGroups("etc/groups.toml", []byte("[groups.ops]\ncapabilities = [\"system:*\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	profile := func(change func(*principal.Profile)) principal.Profile {
		p := principal.NewProfile()
		p.Source = "etc/p.toml"
		change(&p)
		return p
	}
	none := func(*principal.Profile) {}
	for _, tc := range []struct {
		rule    string
		profile principal.Profile
		reason  Reason
		text    string
	}{
		{"nothing given, nothing allowed", profile(none), Missing, "no grant and no group of etc/p.toml covers system:status"},
		{"a grant allows", profile(func(p *principal.Profile) { p.Grants = []string{"a", "system:*"} }), Granted,
			`etc/p.toml: grants[1] = "system:*"`},
		{"a custom group allows", profile(func(p *principal.Profile) { p.Groups = []string{"ops"} }), ByGroup,
			`group ops (etc/groups.toml) has "system:*"`},
		{"a builtin group allows", profile(func(p *principal.Profile) { p.Groups = []string{"admin"} }), ByGroup, `group admin (builtin) has "*"`},
		{"agent is not admin", profile(func(p *principal.Profile) { p.Groups = []string{"agent"} }), Missing, ""},
		{"an unknown group gives nothing", profile(func(p *principal.Profile) { p.Groups = []string{"root"} }), Missing, ""},
		{"a revoke beats a grant and a group", profile(func(p *principal.Profile) {
			p.Groups, p.Grants, p.Revokes = []string{"admin"}, []string{"*"}, []string{"system:*"}
		}), Revoked, `etc/p.toml: revokes[0] = "system:*"`},
		{"a revoke of something else takes nothing", profile(func(p *principal.Profile) {
			p.Groups, p.Revokes = []string{"admin"}, []string{"agent:*"}
		}), ByGroup, ""},
		{"a revoke that cannot be read revokes", profile(func(p *principal.Profile) {
			p.Groups, p.Revokes = []string{"admin"}, []string{"agent::"}
		}), Revoked, ""},
		{"a grant that cannot be read grants nothing", profile(func(p *principal.Profile) { p.Grants = []string{"**", ""} }), Missing, ""},
		{"a disabled principal has nothing", profile(func(p *principal.Profile) {
			p.Enabled, p.Groups = false, []string{"admin"}
		}), Disabled, "etc/p.toml: enabled = false"},
		{"the zero profile has nothing", principal.Profile{Groups: []string{"admin"}}, Disabled, ""},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			d := Check(principal.Default(), tc.profile, groups, name(t, "system:status"))
			allowed := tc.reason == Granted || tc.reason == ByGroup
			if d.Reason != tc.reason || d.Allowed != allowed || !strings.Contains(d.Rule, tc.text) || d.Rule == "" {
				t.Errorf("got %+v, want %v", d, tc.reason)
			}
		})
	}
	admin := principal.NewProfile("admin")
	for _, id := range []principal.ID{{}, principal.Anonymous()} {
		if d := Check(id, admin, groups, name(t, "a")); d.Allowed || d.Reason != Unknown {
			t.Errorf("%q: %+v", id, d)
		}
	}
	if d := Check(principal.Default(), admin, groups, Name{}); d.Allowed {
		t.Errorf("no name: %+v", d)
	}
}

func FuzzParsePattern(f *testing.F) {
	f.Add("self:*", "self:x")
	f.Add("a:*:c", "a:b:c")
	f.Add("**", ":")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		p, err := ParsePattern(pattern)
		n, nameErr := ParseName(text)
		if err != nil || nameErr != nil {
			return
		}
		if got, want := p.Match(n), referenceName(strings.Split(pattern, ":"), strings.Split(text, ":")); got != want {
			t.Fatalf("%q covers %q: %v, reference says %v", pattern, text, got, want)
		}
	})
}

// referenceName is the definition of the grammar, by recursion.
func referenceName(pattern, name []string) bool {
	if len(pattern) == 1 && pattern[0] == "*" {
		return len(name) > 0
	}
	if len(pattern) == 0 || len(name) == 0 {
		return len(pattern) == len(name)
	}
	return (pattern[0] == "*" || pattern[0] == name[0]) && referenceName(pattern[1:], name[1:])
}
