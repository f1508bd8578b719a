package capsule

import (
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// checkSchemaTopic allows a wildcard as the last segment alone.
func checkSchemaTopic(s string) string {
	if wrong := checkTopic(s); wrong != "" {
		return wrong
	}
	if strings.Contains(strings.TrimSuffix(s, ".*"), "*") {
		return "may have a wildcard only as its last segment"
	}
	return ""
}

func (p *parser) commands(t *table) {
	seen := map[string]bool{}
	for _, s := range t.subs("command", maxPerSection) {
		name := s.required("name")
		p.unique(s, name, seen)
		p.manifest.Commands = append(p.manifest.Commands, Command{Name: name.s, Description: s.text("description").s})
		s.end()
	}
}

// unique checks a name that becomes a segment of a topic and is there only once.
func (p *parser) unique(s *table, name text, seen map[string]bool) {
	if name.s == "" {
		return
	}
	if !validWord(name.s) {
		p.problems.add(name.at, "%s: %q has to be 1 to %d of A-Z a-z 0-9 _ -", s.path("name"), clip(name.s), maxNameBytes)
	}
	if seen[name.s] {
		p.problems.add(name.at, "%s: %q stands there twice", s.path("name"), clip(name.s))
	}
	seen[name.s] = true
}

func (p *parser) uplinks(t *table) {
	for _, s := range t.subs("uplink", maxUplinks) {
		u := Uplink{Name: s.required("name").s, Platform: s.required("platform").s}
		profile := s.text("profile")
		if profile.s != "" && !slices.Contains([]string{"chat", "interactive", "notify", "bridge"}, profile.s) {
			p.problems.add(profile.at, `uplink.profile: %q has to be "chat", "interactive", "notify" or "bridge"`, clip(profile.s))
		}
		u.Profile = profile.s
		for _, field := range []struct{ key, value string }{{"name", u.Name}, {"platform", u.Platform}} {
			if len(field.value) > maxNameBytes {
				p.problems.add(s.at.key(field.key).place, "%s: %d bytes, at most %d are allowed", s.path(field.key), len(field.value), maxNameBytes)
			}
		}
		s.end()
		p.notice(s.at.line, false, "[[uplink]]: platforms are not connected by this version")
		p.manifest.Uplinks = append(p.manifest.Uplinks, u)
	}
}

func (p *parser) servers(t *table) {
	for _, s := range t.subs("mcp_server", maxPerSection) {
		server := MCPServer{
			Name: s.required("name").s, Type: s.text("type").s, Command: s.required("command").s,
			Args: s.strings("args"), Line: s.at.line,
		}
		if server.Type != "" && server.Type != "stdio" {
			p.problems.add(s.at.key("type").place, `mcp_server.type: %q is not supported, only "stdio" is`, clip(server.Type))
		}
		s.text("description")
		s.end()
		p.notice(s.at.line, true, "[[mcp_server]]: this version starts no native processes")
		p.manifest.MCPServers = append(p.manifest.MCPServers, server)
	}
}

func (p *parser) documents(t *table, key string) []Document {
	var out []Document
	for _, s := range t.subs(key, maxPerSection) {
		d := Document{Name: s.required("name").s, Description: s.text("description").s}
		d.File = p.file(s, "file", s.text("file"))
		s.end()
		p.notice(s.at.line, false, "[["+key+"]] is not acted upon")
		out = append(out, d)
	}
	return out
}

// interfaces visits each interface of [imports] or [exports], which are written as
// "namespace:interface" or as nested tables.
func (p *parser) interfaces(t *table, key string, visit func(name string, in *table, key string)) {
	s, ok := t.sub(key)
	if !ok {
		return
	}
	for _, name := range s.names() {
		if strings.Contains(name, ":") {
			p.interfaceName(s.at.key(name).place, key, name)
			visit(name, s, name)
			continue
		}
		nested, ok := s.sub(name)
		if !ok {
			continue
		}
		for _, inner := range nested.names() {
			full := name + ":" + inner
			p.interfaceName(nested.at.key(inner).place, key, full)
			visit(full, nested, inner)
		}
	}
}

func (p *parser) interfaceName(at place, section, name string) {
	namespace, iface, _ := strings.Cut(name, ":")
	for _, part := range []string{namespace, iface} {
		if !validName(part) || part[0] < 'a' || part[0] > 'z' {
			p.problems.add(at, "%s: %q has to be namespace:interface, each a letter followed by a-z 0-9 and -", section, clip(name))
			return
		}
	}
}

func (p *parser) imports(t *table) {
	p.interfaces(t, "imports", func(name string, in *table, key string) {
		i := Import{Name: name, Line: in.at.key(key).line}
		var want text
		if _, isText := in.values[key].(string); isText {
			want = in.text(key)
		} else if s, ok := in.sub(key); ok {
			want = s.required("version")
			i.Optional = s.boolean("optional")
			s.end()
		}
		if want.s == "" {
			return // it is reported unless it is an empty string, which means any version
		}
		c, err := semver.NewConstraint(want.s)
		if err != nil {
			p.problems.add(want.at, "imports: %q is no version requirement for %s", clip(want.s), name)
			return
		}
		i.Version = c
		p.manifest.Imports = append(p.manifest.Imports, i)
	})
}

func (p *parser) exports(t *table) {
	p.interfaces(t, "exports", func(name string, in *table, key string) {
		var have text
		if s, isTable := in.values[key].(map[string]any); isTable {
			sub := &table{problems: in.problems, name: in.path(key), at: in.at.key(key), values: s}
			have = sub.required("version")
			sub.end()
		} else {
			have = in.required(key)
		}
		v := p.version(in, key, have)
		p.manifest.Exports = append(p.manifest.Exports, Export{Name: name, Version: v, Line: in.at.key(key).line})
	})
}

func (p *parser) env(t *table) {
	s, ok := t.sub("env")
	if !ok {
		return
	}
	for _, name := range s.names() {
		v, ok := s.sub(name)
		if !ok {
			continue
		}
		if !validWord(name) {
			p.problems.add(v.at.place, "env: %q has to be 1 to %d of A-Z a-z 0-9 _ -", clip(name), maxNameBytes)
		}
		e := EnvVar{
			Name: name, Type: "text", Request: v.text("request").s, Description: v.text("description").s,
			EnumValues: v.strings("enum_values"), Placeholder: v.text("placeholder").s, Line: v.at.line,
		}
		if kind := v.text("type"); kind.s != "" {
			e.Type = kind.s
			if !slices.Contains([]string{"secret", "string", "select", "integer", "array", "text"}, kind.s) {
				p.problems.add(kind.at, "env.%s.type: %q has to be secret, string, select, integer, array or text", name, clip(kind.s))
			}
		}
		e.Default, _, _ = v.take("default")
		if _, ok := v.sub("options_from"); ok {
			p.notice(v.at.key("options_from").line, false, v.path("options_from")+" is not acted upon")
		}
		v.end()
		p.manifest.Env = append(p.manifest.Env, e)
	}
}
