package capsule

import "math"

// topics reads the tables [publish] and [subscribe], or the older lists among the
// top level's own capabilities.
func (p *parser) topics(t, own *table) {
	m := p.manifest
	publish, hasPublish := t.sub("publish")
	subscribe, hasSubscribe := t.sub("subscribe")
	if hasPublish {
		m.Publish = append(m.Publish, p.topicTable(publish, false)...)
	}
	if hasSubscribe {
		m.Subscribe = append(m.Subscribe, p.topicTable(subscribe, true)...)
	}
	if own != nil {
		p.legacyTopics(own)
	}
	m.Publish = p.chosen(hasPublish, m.Publish, "ipc_publish", "[publish]")
	m.Subscribe = p.chosen(hasSubscribe, m.Subscribe, "ipc_subscribe", "[subscribe]")
}

// chosen drops what the older lists said when there is a table, and says so.
func (p *parser) chosen(hasTable bool, all []Topic, key, tableName string) []Topic {
	if !hasTable {
		return all
	}
	var kept []Topic
	for _, t := range all {
		if t.WIT != legacyWIT {
			kept = append(kept, t)
			continue
		}
		p.notice(t.Line, false, key+" is not used because the table "+tableName+" is there")
	}
	return kept
}

// legacyWIT marks a topic of an older list while the manifest is read. It cannot
// be the name of a type.
const legacyWIT = "\x00legacy"

// legacyTopics reads ipc_publish and ipc_subscribe.
func (p *parser) legacyTopics(caps *table) {
	for _, list := range []struct {
		key  string
		into *[]Topic
	}{
		{"ipc_publish", &p.manifest.Publish},
		{"ipc_subscribe", &p.manifest.Subscribe},
	} {
		for _, e := range p.entries(caps, list.key, checkTopic) {
			*list.into = append(*list.into, Topic{Pattern: e.Text, WIT: legacyWIT, Priority: DefaultPriority, Line: e.Line})
		}
	}
}

func checkTopic(s string) string {
	if _, err := topicPattern(s); err != nil {
		return err.Error()
	}
	return ""
}

func (p *parser) topicTable(t *table, subscribing bool) []Topic {
	var out []Topic
	names := t.names()
	if len(names) > maxEntries {
		p.problems.add(t.at.place, "%s: %d topics, at most %d are allowed", t.name, len(names), maxEntries)
		return nil
	}
	for _, pattern := range names {
		s, ok := t.sub(pattern)
		if !ok {
			continue
		}
		s.name = t.name + `."` + clip(pattern) + `"`
		if _, err := topicPattern(pattern); err != nil {
			p.problems.add(s.at.place, "%s: topic %q %s", t.name, clip(pattern), err)
		}
		topic := Topic{Pattern: pattern, WIT: s.text("wit").s, Line: s.at.line, Priority: DefaultPriority}
		p.pins(s)
		if subscribing {
			topic.Handler = s.text("handler").s
			topic.Priority = uint32(s.integer("priority", math.MaxUint32, DefaultPriority))
		}
		if _, ok := s.values["fanout"]; ok {
			s.take("fanout")
			p.notice(s.at.key("fanout").line, false, s.path("fanout")+" is not acted upon")
		}
		s.end()
		out = append(out, topic)
	}
	return out
}

// pins reads what fixes the version of a type: at most one of them.
func (p *parser) pins(s *table) {
	found := ""
	for _, key := range []string{"version", "tag", "rev", "branch", "path"} {
		if s.text(key).s == "" {
			continue
		}
		if found != "" {
			p.problems.add(s.at.key(key).place, "%s: only one of version, tag, rev, branch and path may be there, and %s is", s.path(key), found)
		}
		found = key
	}
}

func (p *parser) interceptors(t *table) {
	for _, s := range t.subs("interceptor", maxPerSection) {
		event, action := s.required("event"), s.required("action")
		if wrong := checkTopic(event.s); event.s != "" && wrong != "" {
			p.problems.add(event.at, "interceptor.event: %q %s", clip(event.s), wrong)
		}
		i := Interceptor{Event: event.s, Action: action.s, Mode: ModeHandler, Line: s.at.line}
		i.Priority = uint32(s.integer("priority", math.MaxUint32, DefaultPriority))
		switch mode := s.text("mode"); mode.s {
		case "":
		case ModeHandler, ModeGuard, ModeObserver:
			i.Mode = mode.s
		default:
			p.problems.add(mode.at, "interceptor.mode: %q has to be %q, %q or %q", clip(mode.s), ModeHandler, ModeGuard, ModeObserver)
		}
		s.end()
		p.manifest.Interceptors = append(p.manifest.Interceptors, i)
	}
}

// topicSchemas reads [[topic]].
func (p *parser) topicSchemas(t *table) {
	seen := map[[2]string]bool{}
	for _, s := range t.subs("topic", maxPerSection) {
		name, direction := s.required("name"), s.required("direction")
		if wrong := checkSchemaTopic(name.s); name.s != "" && wrong != "" {
			p.problems.add(name.at, "topic.name: %q %s", clip(name.s), wrong)
		}
		if direction.s != "" && direction.s != "publish" && direction.s != "subscribe" {
			p.problems.add(direction.at, `topic.direction: %q has to be "publish" or "subscribe"`, clip(direction.s))
		}
		key := [2]string{name.s, direction.s}
		if seen[key] {
			p.problems.add(name.at, "topic.name: %q stands there twice for direction %q", clip(name.s), clip(direction.s))
		}
		seen[key] = true
		schema := p.file(s, "schema", s.text("schema"))
		s.text("description")
		s.end()
		p.manifest.Topics = append(p.manifest.Topics, TopicSchema{Name: name.s, Direction: direction.s, Schema: schema})
	}
}
