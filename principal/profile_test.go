package principal

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const aKey = "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

func TestProfileSurvivesEncoding(t *testing.T) {
	p := NewProfile("agent", "ops")
	p.Enabled = false
	p.Grants, p.Revokes, p.Capsules = []string{"system:status", "self:*"}, []string{"agent:*"}, []string{"fs", "*"}
	p.Auth = Auth{Methods: []string{"keypair"}, PublicKeys: []string{aKey}}
	p.Network.Egress = []string{"api.example.com:443", "*.example.org", "[::1]:80"}
	p.Process.Allow = []string{`odd "name" \ ü`}
	p.Quotas.MaxInFlightCalls = 7
	back, err := ParseProfile("p.toml", p.Encode())
	if err != nil {
		t.Fatalf("%v in\n%s", err, p.Encode())
	}
	p.Source = "p.toml"
	if diff := cmp.Diff(p, back); diff != "" {
		t.Errorf("-written +read\n%s", diff)
	}
}

func TestAbsentKeysTakeDefaultsThatGrantNothing(t *testing.T) {
	p, err := ParseProfile("p.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := NewProfile()
	want.Source = "p.toml"
	if diff := cmp.Diff(want, p); diff != "" || len(p.Groups)+len(p.Grants)+len(p.Capsules) != 0 {
		t.Errorf("an empty file gives\n%s", diff)
	}
	if (Profile{}).Enabled || (Profile{}).Quotas != (Quotas{}) {
		t.Error("the zero profile is good for something")
	}
}

func TestProfileErrorsNameTheirPlace(t *testing.T) {
	for _, tc := range []struct{ rule, text, want string }{
		{"unknown key", "enabled = true\ngrant = []\n", `p.toml:2:1: unknown key "grant"; did you mean "grants"?`},
		{"unknown key in a table", "[quotas]\nmax_memory = 1\n", `p.toml:2:1: unknown key "quotas.max_memory"`},
		{"unknown table", "[quota]\nmax_memory_bytes = 1\n", `did you mean "quotas"?`},
		{"string for a number", "[quotas]\nmax_timeout_secs = \"9\"\n", "p.toml:2:20: "},
		{"number for a string", "groups = [1]\n", "p.toml:1:11: "},
		{"string for a bool", "enabled = \"true\"\n", "p.toml:1:11: "},
		{"negative number", "[quotas]\nmax_timeout_secs = -1\n", "p.toml:2:20: "},
		{"duplicate key", "enabled = true\nenabled = false\n", "p.toml:2:1: "},
		{"not TOML", "enabled = \n", "p.toml:1:"},
		{"quota too big", "[quotas]\nmax_timeout_secs = 86401\n", "p.toml:2:1: quotas.max_timeout_secs: 86401 is outside 1 to 86400"},
		{"quota by dotted key", "quotas.max_background_processes = 257\n", "p.toml:1:1: quotas.max_background_processes"},
		{"bad grant, by element", "grants = [\"a\",\n  \"a::b\"]\n", `p.toml:2:3: grants[1]: capability pattern "a::b": empty segment`},
		{"bad revoke", "revokes = [\"**\"]\n", "p.toml:1:12: revokes[0]"},
		{"bad group name", "groups = [\"a b\"]\n", "p.toml:1:11: groups[0]"},
		{"bad capsule name", "capsules = [\"../x\"]\n", "p.toml:1:13: capsules[0]"},
		{"bad method", "[auth]\nmethods = [\"password\"]\n", "p.toml:2:12: auth.methods[0]"},
		{"short key", "[auth]\npublic_keys = [\"ed25519:00\"]\n", "p.toml:2:16: auth.public_keys[0]"},
		{"bad host", "[network]\negress = [\"a/b\"]\n", "p.toml:2:11: network.egress[0]"},
		{"control character in a program", "[process]\nallow = [\"a\\u0007\"]\n", "p.toml:2:10: process.allow[0]"},
		{"version zero", "profile_version = 0\n", "p.toml:1:1: profile_version"},
		{"newer version, before its new keys", "new = 1\nprofile_version = 2\n", "p.toml:2:1: profile_version: version 2 is newer than this program reads (1); upgrade astrid"},
		{"too big", "#" + strings.Repeat("x", MaxFileBytes), "p.toml: "},
		{"too many entries", "groups = [" + strings.Repeat(`"a",`, maxEntries+1) + "]\n", "p.toml:1:1: groups: 1025 entries"},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			p, err := ParseProfile("p.toml", []byte(tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %s", err, tc.want)
			}
			if _, ok := errors.AsType[*FileError](err); !ok {
				t.Errorf("%T is no *FileError", err)
			}
			if p.Enabled {
				t.Error("a refused profile is enabled")
			}
		})
	}
}

func TestGroups(t *testing.T) {
	g, err := ParseGroups("groups.toml", []byte("[groups.ops]\ncapabilities = [\"system:*\"]\ndescription = \"run it\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"admin", "agent", "ops", "restricted"}, g.Names()); diff != "" {
		t.Error(diff)
	}
	ops, _ := g.Get("ops")
	for i, c := range ops.Capabilities() {
		if i != 0 || c != "system:*" || ops.Source != "groups.toml" {
			t.Errorf("ops[%d] = %q from %q", i, c, ops.Source)
		}
	}
	for _, tc := range []struct{ rule, text, want string }{
		{"a builtin stays as it is", "[groups.agent]\ncapabilities = [\"*\"]\nunsafe_admin = true\n", "groups.toml:1:2: groups.agent: is a builtin"},
		{"everything needs consent", "[groups.x]\ncapabilities = [\"a\", \"*\"]\n", "groups.toml:2:22: groups.x.capabilities[1]"},
		{"unknown key", "[groups.x]\ncapability = []\n", `did you mean "groups.<name>.capabilities"?`},
		{"bad name", "[groups.\"a b\"]\n", "group name"},
		{"bad pattern", "[groups.x]\ncapabilities = [\"a:\"]\n", "groups.toml:2:17: "},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			if _, err := ParseGroups("groups.toml", []byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
	if _, err := ParseGroups("g", []byte("[groups.root]\ncapabilities = [\"*\"]\nunsafe_admin = true\n")); err != nil {
		t.Errorf("with consent: %v", err)
	}
}

func FuzzParseProfile(f *testing.F) {
	f.Add(NewProfile("admin").Encode())
	f.Add([]byte("[auth]\npublic_keys = [\"" + aKey + "\"]\n"))
	f.Add([]byte("quotas = {max_timeout_secs = 0}\ngroups = [\"a b\"]"))
	f.Add([]byte("profile_version = 9"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseProfile("p.toml", data)
		if err != nil {
			return
		}
		back, err := ParseProfile("p.toml", p.Encode())
		if err != nil || !cmp.Equal(normal(p), normal(back)) {
			t.Fatalf("read back: %v\n%s", err, cmp.Diff(normal(p), normal(back)))
		}
	})
}

// normal makes absent and empty lists alike; they mean the same.
func normal(p Profile) Profile {
	for _, list := range []*[]string{&p.Groups, &p.Grants, &p.Revokes, &p.Capsules, &p.Auth.Methods, &p.Auth.PublicKeys,
		&p.Network.Egress, &p.Process.Allow} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	return p
}

func FuzzParseGroups(f *testing.F) {
	f.Add([]byte("[groups.ops]\ncapabilities = [\"system:*\"]\n"))
	f.Add([]byte("[groups]\nx = {capabilities = [\"*\"]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := ParseGroups("g", data)
		if err != nil {
			return
		}
		for _, name := range g.Names() {
			group, _ := g.Get(name)
			for _, c := range group.Capabilities() {
				if CheckPattern(c) != nil || c == "*" && !group.UnsafeAdmin {
					t.Fatalf("group %q holds %q", name, c)
				}
			}
		}
	})
}
