package capsule

import (
	"cmp"
	"slices"
)

// notice records what this version does not do.
func (p *parser) notice(line int, fatal bool, text string) {
	p.manifest.notices = append(p.manifest.notices, Notice{Line: line, Text: text, Fatal: fatal})
}

// crossChecks holds the rules that need several sections, and notes what this
// version does not do.
func (p *parser) crossChecks() {
	m := p.manifest
	for _, list := range []*[]Topic{&m.Publish, &m.Subscribe} {
		for i := range *list {
			if (*list)[i].WIT == legacyWIT {
				(*list)[i].WIT = ""
			}
		}
	}
	if m.Capabilities.Uplink > 0 && len(m.Imports) > 0 {
		p.problems.add(place{line: m.Imports[0].Line, column: 1}, "imports: a capsule with uplink = true may not import; uplinks are loaded first")
	}
	slices.Sort(m.files)
	m.files = slices.Compact(m.files)
	p.noticeCapabilities(&m.Capabilities)
	slices.SortStableFunc(m.notices, func(a, b Notice) int { return cmp.Compare(a.Line, b.Line) })
}

func (p *parser) noticeCapabilities(c *Capabilities) {
	for _, e := range c.HostProcess {
		p.notice(e.Line, true, "capabilities.host_process: this version starts no native processes")
	}
	for _, e := range c.NetBind {
		if e.Text == "unix:*" {
			p.notice(e.Line, false, "capabilities.net_bind: the kernel serves its socket itself; nothing is bound")
			continue
		}
		p.notice(e.Line, true, "capabilities.net_bind: this version lets no capsule listen on the network")
	}
	for _, e := range c.NetTCPBind {
		p.notice(e.Line, true, "capabilities.net_tcp_bind: this version lets no capsule listen on the network")
	}
	for _, list := range []struct {
		key     string
		entries []Item
	}{{"net_connect", c.NetConnect}, {"net_udp", c.NetUDP}, {"identity", c.Identity}} {
		if len(list.entries) > 0 {
			p.notice(list.entries[0].Line, false, "capabilities."+list.key+": this version has no such host functions")
		}
	}
	if c.AllowPromptInjection > 0 {
		p.notice(c.AllowPromptInjection, false, "capabilities.allow_prompt_injection is not acted upon")
	}
}
