package capsule

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-cmp/cmp"
)

const head = "[package]\nname = \"a\"\nversion = \"1.0.0\"\n" // three lines

func parse(t testing.TB, text string) *Manifest {
	t.Helper()
	m, err := ParseManifest([]byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const whole = `
[package]
name = "notes"
version = "1.2.3-rc.1"
description = "Keeps notes."
authors = ["A <a@example.com>"]
license = "Apache-2.0"
astrid-version = ">= 0.5"

[[component]]
id = "main"
file = "./notes.wasm"
type = "executable"
capabilities = { fs_write = ["home://notes/"], kv = ["cache/*"], net = ["api.example.com:443"], ipc_publish = ["old.v1.x"] }

[capabilities]
uplink = false
net = ["*.Example.org", "[::1]:8080", "10.0.0.1"]
net_connect = ["db:5432"]
fs_read = [".", "src/**", "/tmp/"]
kv = true
identity = ["link"]
allow_prompt_injection = true

[publish]
"notes.v1.saved" = { wit = "@a/wit/notes/saved", version = "1.0" }

[subscribe]
"user.v1.*" = { wit = "opaque", handler = "on_prompt", priority = 7, fanout = true }
"llm.v1.*.delta" = {}

[[interceptor]]
event = "tool.v1.execute.*"
action = "guard"
mode = "guard"

[[tool]]
name = "save"
description_for_llm = "Saves."
mutable = true
input_schema = { type = "object", properties = { text = { type = "string" } }, required = ["text"] }

[[tool]]
name = "load"
input_schema = "schemas/load.json"
input_schema_wit = "notes/load"

[[command]]
name = "notes"
description = "Shows notes."

[[uplink]]
name = "irc"
platform = "irc"
profile = "chat"

[[topic]]
name = "notes.v1.*"
direction = "publish"
schema = "schemas/note.json"

[[skill]]
name = "writing"
file = "writing.md"

[[context]]
name = "style"

[imports]
"astrid:llm" = "^1.0"
[imports.other]
search = { version = "~2.1", optional = true }

[exports]
"notes:store" = "1.0.0"

[env]
API_KEY = { type = "secret", request = "Your key", placeholder = "sk-…" }
MODE = { type = "select", enum_values = ["a", "b"], default = "a", options_from = { http = "https://x" } }
`

func TestAWholeManifest(t *testing.T) {
	m, err := ParseManifest([]byte(whole), Options{
		Files:   fstest.MapFS{"schemas/load.json": {Data: []byte(`{ "type": "object", "maxProperties": 1 }`)}},
		Runtime: semver.MustParse("0.7.0"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if m.Name() != "notes" || m.Package.Version.String() != "1.2.3-rc.1" || m.Components[0] != (Component{"main", "notes.wasm"}) {
		t.Errorf("package %+v, components %+v", m.Package, m.Components)
	}
	check(t, "grants", []Grant{
		{"fs.read", "cwd://**", "Capsule.toml:20"}, {"fs.read", "cwd://src/**", "Capsule.toml:20"}, {"fs.read", "tmp://**", "Capsule.toml:20"},
		{"fs.write", "home://notes/**", "Capsule.toml:14"},
		{"net.http", "net://api.example.com:443", "Capsule.toml:14"}, {"net.http", "net://*.example.org:*", "Capsule.toml:18"},
		{"net.http", "net://[::1]:8080", "Capsule.toml:18"}, {"net.http", "net://10.0.0.1:*", "Capsule.toml:18"},
		{"net.connect", "net://db:5432", "Capsule.toml:19"},
		{"kv.read", "kv://cache/*", "Capsule.toml:14"}, {"kv.read", "kv://**", "Capsule.toml:21"},
		{"kv.write", "kv://cache/*", "Capsule.toml:14"}, {"kv.write", "kv://**", "Capsule.toml:21"},
		{"ipc.publish", "topic://notes/v1/saved", "Capsule.toml:26"},
		{"ipc.subscribe", "topic://llm/v1/*/delta", "Capsule.toml:30"}, {"ipc.subscribe", "topic://user/v1/*/**", "Capsule.toml:29"},
		{"identity.link", "identity://**", "Capsule.toml:22"}, {"identity.resolve", "identity://**", "Capsule.toml:22"},
		{"secret.use", "secret://API_KEY", "Capsule.toml:78"},
	}, m.Grants())
	check(t, "handlers", []Interceptor{
		{Event: "tool.v1.execute.*", Action: "guard", Priority: 100, Mode: ModeGuard, Line: 32},
		{Event: "user.v1.*", Action: "on_prompt", Priority: 7, Mode: ModeHandler, Line: 29},
	}, m.Handlers())
	check(t, "files", []string{"notes.wasm", "schemas/load.json", "schemas/note.json", "writing.md"}, m.Files())
	check(t, "schema of a file", json.RawMessage(`{"type":"object","maxProperties":1}`), m.Tools[1].InputSchema)
	check(t, "commands", []Command{{"notes", "Shows notes."}}, m.Commands)
	check(t, "uplinks", []Uplink{{"irc", "irc", "chat"}}, m.Uplinks)
	check(t, "topics", []TopicSchema{{"notes.v1.*", "publish", "schemas/note.json"}}, m.Topics)
	check(t, "env", []EnvVar{
		{Name: "API_KEY", Type: "secret", Request: "Your key", Placeholder: "sk-…", Line: 78},
		{Name: "MODE", Type: "select", EnumValues: []string{"a", "b"}, Default: "a", Line: 79},
	}, m.Env)
	if i := m.Imports; len(i) != 2 || i[0].Name != "astrid:llm" || i[0].Optional || i[1].Name != "other:search" || !i[1].Optional {
		t.Errorf("imports %+v", i)
	}
	if e := m.Exports; len(e) != 1 || e[0].Name != "notes:store" || e[0].Version.String() != "1.0.0" {
		t.Errorf("exports %+v", e)
	}
}

func check(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestNothingIsIgnoredInSilence(t *testing.T) {
	var got []string
	m, err := ParseManifest([]byte(whole), Options{Files: fstest.MapFS{"schemas/load.json": {Data: []byte(`{"type":"object"}`)}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range m.Unsupported() {
		if n.Fatal {
			t.Errorf("line %d is fatal: %s", n.Line, n.Text)
		}
		got = append(got, n.Text)
	}
	check(t, "notices", []string{
		"ipc_publish is not used because the table [publish] is there",
		"capabilities.net_connect: this version has no such host functions",
		"capabilities.identity: this version has no such host functions",
		"capabilities.allow_prompt_injection is not acted upon",
		`subscribe."user.v1.*".fanout is not acted upon`,
		"tool.input_schema_wit is not acted upon; use input_schema",
		"[[uplink]]: platforms are not connected by this version",
		"[[skill]] is not acted upon",
		"[[context]] is not acted upon",
		"env.MODE.options_from is not acted upon",
	}, got)
}

func TestWhatCannotBeDoneSafelyIsFatalAndNotGranted(t *testing.T) {
	for _, text := range []string{
		"[capabilities]\nhost_process = [\"git\"]", "[capabilities]\nnet_bind = [\"tcp:0.0.0.0:80\"]",
		"[capabilities]\nnet_tcp_bind = [\"127.0.0.1:80\"]", "[[mcp_server]]\nname = \"x\"\ncommand = \"x\"",
	} {
		m := parse(t, head+text)
		if err := m.refused(); err == nil || !strings.HasPrefix(err.Error(), "Capsule.toml:") {
			t.Errorf("%s: refused with %v", text, err)
		}
		if g := m.Grants(); len(g) > 0 {
			t.Errorf("%s: grants %v", text, g)
		}
	}
	m := parse(t, head+"[capabilities]\nuplink = true\nnet_bind = [\"unix:*\"]")
	if err := m.refused(); err != nil || len(m.Unsupported()) != 1 || len(m.Grants()) != 2 {
		t.Errorf("the uplink of a command line: %v, %v, %v", err, m.Unsupported(), m.Grants())
	}
}

func TestOlderTopicLists(t *testing.T) {
	m := parse(t, head+"[capabilities]\nipc_publish = [\"a.v1.x\"]\nipc_subscribe = [\"b.*\"]\n")
	check(t, "publish", []Topic{{Pattern: "a.v1.x", Priority: 100, Line: 5}}, m.Publish)
	check(t, "subscribe", []Topic{{Pattern: "b.*", Priority: 100, Line: 6}}, m.Subscribe)
	m = parse(t, head+"[capabilities]\nipc_publish = [\"a.v1.x\"]\n[publish]\n")
	if len(m.Publish) != 0 {
		t.Errorf("an empty table lets publish %v", m.Publish)
	}
}

func TestAllProblemsAreReportedInOnePass(t *testing.T) {
	_, err := ParseManifest([]byte(`[package]
name = "A b"
versoin = "1.0.0"
version = 3
[capabilities]
net = ["http://x", 4]
fs_raed = ["."]
[[tool]]
nam = "x"
mutable = "yes"
[publish]
"a..b" = { wit = "opaque", handlr = 1 }
[extra]
`), Options{})
	want := `Capsule.toml:2:1: package.name: "A b" has to be 1 to 64 of a-z 0-9 and -
Capsule.toml:3:1: unknown key "package.versoin"; did you mean "package.version"?
Capsule.toml:4:1: package.version: want a string, have an integer
Capsule.toml:6:8: capabilities.net: "http://x" has to be a host with or without a port, not a URL
Capsule.toml:6:20: capabilities.net: want an array of strings, have an integer
Capsule.toml:7:1: unknown key "capabilities.fs_raed"; did you mean "capabilities.fs_read"?
Capsule.toml:8:3: tool.name is missing
Capsule.toml:9:1: unknown key "tool.nam"; did you mean "tool.name"?
Capsule.toml:10:1: tool.mutable: want true or false, have a string
Capsule.toml:12:1: publish: topic "a..b" has an empty segment
Capsule.toml:12:28: unknown key "publish.\"a..b\".handlr"
Capsule.toml:13:2: unknown key "extra"`
	if err == nil || err.Error() != want {
		t.Fatal(cmp.Diff(want, err.Error()))
	}
}

func TestBadManifests(t *testing.T) {
	for _, c := range []struct{ rule, text, want string }{
		{"nothing", "", "the table [package] is missing"},
		{"no TOML", "[package", ":1:8: "},
		{"a key twice", "[package]\nname = \"a\"\nname = \"b\"\n", ":3:1: "},
		{"no name", "[package]\nversion = \"1.0.0\"\n", ":1:2: package.name is missing"},
		{"an empty name", "[package]\nname = \"\"\nversion = \"1.0.0\"\n", ":2:1: package.name is empty"},
		{"a version that is none", "[package]\nname = \"a\"\nversion = \"1.0\"\n", `:3:1: package.version: "1.0" is no semantic version of the form 1.2.3`},
		{"a requirement that is none", head + "astrid-version = \"new\"", `:4:1: package.astrid-version: "new" is no version requirement`},
		{"a table that is a value", "package = 1", ":1:1: package: want a table, have an integer"},
		{"tables that are one", head + "[tool]\nname = \"x\"", ":4:2: tool: want an array of tables, [[tool]], have a table"},
		{"an absolute path", head + "[capabilities]\nfs_read = [\"/etc\"]", ":5:12: capabilities.fs_read: \"/etc\" is absolute"},
		{"a path that climbs", head + "[capabilities]\nfs_write = [\"cwd://../x\"]", "walks the tree"},
		{"a path that climbs in disguise", head + "[capabilities]\nfs_write = [\"cwd://%2e%2e/x\"]", "walks the tree"},
		{"another scheme", head + "[capabilities]\nfs_write = [\"file:///x\"]", "has a scheme that is none of"},
		{"a host with a wildcard inside", head + "[capabilities]\nnet = [\"a.*.com\"]", "is not a valid host name"},
		{"an address in disguise", head + "[capabilities]\nnet = [\"::ffff:127.0.0.1%lo\"]", "has to be a host"},
		{"a port that is none", head + "[capabilities]\nnet = [\"a.com:0\"]", "has a port that is neither"},
		{"a program with a path", head + "[capabilities]\nhost_process = [\"/bin/sh\"]", "has to be the name of a program"},
		{"an identity right that is none", head + "[capabilities]\nidentity = [\"root\"]", `has to be "resolve", "link" or "admin"`},
		{"every topic", head + "[publish]\n\"*\" = {}", "covers every topic"},
		{"nine segments", head + "[publish]\n\"a.b.c.d.e.f.g.h.i\" = {}", "more than 8 segments"},
		{"two pins", head + "[publish]\n\"a.b\" = { tag = \"1\", rev = \"2\" }", "only one of version, tag, rev, branch and path may be there, and tag is"},
		{"a handler of a publication", head + "[publish]\n\"a.b\" = { handler = \"x\" }", `unknown key "publish.\"a.b\".handler"`},
		{"a negative priority", head + "[[interceptor]]\nevent = \"a.b\"\naction = \"x\"\npriority = -1", ":7:1: interceptor.priority: -1 is not from 0 to 4294967295"},
		{"a mode that is none", head + "[[interceptor]]\nevent = \"a.b\"\naction = \"x\"\nmode = \"gaurd\"", ":7:1: interceptor.mode"},
		{"a tool twice", head + "[[tool]]\nname = \"x\"\n[[tool]]\nname = \"x\"", `:7:1: tool.name: "x" stands there twice`},
		{"a tool with a dot", head + "[[tool]]\nname = \"x.result\"", "has to be 1 to 64 of A-Z a-z 0-9 _ -"},
		{"a schema that is none", head + "[[tool]]\nname = \"x\"\ninput_schema = { type = \"object\", required = 3 }", ":6:1: tool.input_schema: schema: /required: "},
		{"a schema of something else", head + "[[tool]]\nname = \"x\"\ninput_schema = { type = \"string\" }", `schema has to be an object with type = "object"`},
		{"a schema that leads outside", head + "[[tool]]\nname = \"x\"\ninput_schema = { type = \"object\", \"$ref\" = \"file:///etc/passwd\" }", "only $ref to"},
		{"a schema outside the capsule", head + "[[tool]]\nname = \"x\"\ninput_schema = \"../x.json\"", "does not name a file inside the capsule"},
		{"a schema that is not there", head + "[[tool]]\nname = \"x\"\ninput_schema = \"x.json\"", "there are no files beside this manifest"},
		{"two components", head + "[[component]]\nfile = \"a\"\n[[component]]\nfile = \"b\"", ":6:3: component: a capsule has at most one"},
		{"a component outside", head + "[[component]]\nfile = \"/a.wasm\"", ":5:1: component.file: \"/a.wasm\" does not name a file inside the capsule"},
		{"an unknown right of a component", head + "[[component]]\nfile = \"a\"\ncapabilities = { fs_raed = [] }", `did you mean "component.capabilities.fs_read"?`},
		{"an uplink that imports", head + "[capabilities]\nuplink = true\n[imports]\n\"a:b\" = \"1\"", "may not import"},
		{"an interface without a namespace", head + "[exports]\nx = \"1.0.0\"", "exports.x: want a table, have a string"},
		{"an interface in capitals", head + "[exports]\n\"A:b\" = \"1.0.0\"", "has to be namespace:interface"},
		{"an export of a range", head + "[exports]\n\"a:b\" = \"^1.0\"", "is no semantic version"},
		{"a topic schema with a wildcard inside", head + "[[topic]]\nname = \"a.*.b\"\ndirection = \"publish\"", "only as its last segment"},
		{"a topic schema twice", head + "[[topic]]\nname = \"a.b\"\ndirection = \"publish\"\n[[topic]]\nname = \"a.b\"\ndirection = \"publish\"", "stands there twice"},
		{"an env type that is none", head + "[env]\nX = { type = \"password\" }", "env.X.type"},
		{"a date", head + "[package.authors]\nx = 1979-05-27", "package.authors: want an array of strings, have a table"},
		{"too large", strings.Repeat("#", MaxManifestBytes+1), "at most 262144 are read"},
		{"too deep", "a = " + strings.Repeat("[", 300) + strings.Repeat("]", 300), "nested deeper than 256 brackets"},
		{"too deep behind strings", "a = " + strings.Repeat("[\"]\", ", 300) + strings.Repeat("]", 300), "nested deeper"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			m, err := ParseManifest([]byte(c.text), Options{})
			if wrong, ok := errors.AsType[*ManifestError](err); !ok || len(wrong.Problems) == 0 || m != nil {
				t.Fatalf("parsed to %+v, %v", m, err)
			}
			if !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "Capsule.toml:") {
				t.Fatalf("says %q, want %q", err, c.want)
			}
		})
	}
}

func TestTheKernelsVersionIsChecked(t *testing.T) {
	text := []byte(head + `astrid-version = "^2.0"`)
	if _, err := ParseManifest(text, Options{Runtime: semver.MustParse("1.9.0")}); err == nil || !strings.Contains(err.Error(), "does not allow this kernel, which is 1.9.0") {
		t.Error(err)
	}
	if _, err := ParseManifest(text, Options{Runtime: semver.MustParse("2.1.0")}); err != nil {
		t.Error(err)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(head))
	f.Add([]byte("a.b.c = [[{}]]\n[[x]]\n[x.y]\n"))
	f.Add([]byte("x = '''a\n'''\n\"\" = 1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data, Options{})
		if err != nil {
			if wrong, ok := errors.AsType[*ManifestError](err); !ok || len(wrong.Problems) == 0 {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if !validName(m.Name()) || m.Package.Version == nil {
			t.Fatalf("accepted package %+v", m.Package)
		}
		for _, g := range m.Grants() {
			if _, err := checked(g.Resource); err != nil || g.Source == "Capsule.toml:0" {
				t.Fatalf("grant %+v: %v", g, err)
			}
		}
		c, _ := NewCatalogue(1, []*Manifest{m})
		if _, err := c.JSON(); err != nil {
			t.Fatal(err)
		}
	})
}
