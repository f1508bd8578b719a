package capsule

import (
	"net"
	"strconv"
	"strings"
)

// capabilities reads one table of capabilities and adds it to what is there: what
// a component asks for is asked for by the capsule. A nil table asks for nothing.
func (p *parser) capabilities(t *table) {
	if t == nil {
		return
	}
	out := &p.manifest.Capabilities
	p.flag(t, "uplink", &out.Uplink)
	p.flag(t, "allow_prompt_injection", &out.AllowPromptInjection)
	for _, list := range []struct {
		key   string
		into  *[]Item
		check func(string) string
	}{
		{"net", &out.Net, checkHost},
		{"net_connect", &out.NetConnect, checkHostPort},
		{"net_udp", &out.NetUDP, checkHostPort},
		{"net_bind", &out.NetBind, checkNotEmpty},
		{"net_tcp_bind", &out.NetTCPBind, checkNotEmpty},
		{"kv", &out.KV, checkKeyPattern},
		{"fs_read", &out.FSRead, checkPath},
		{"fs_write", &out.FSWrite, checkPath},
		{"host_process", &out.HostProcess, checkProgram},
		{"identity", &out.Identity, checkIdentity},
	} {
		if list.key == "kv" && p.allKeys(t, list.into) {
			continue
		}
		*list.into = append(*list.into, p.entries(t, list.key, list.check)...)
	}
}

// flag reads a boolean and keeps the line on which it is true.
func (p *parser) flag(t *table, key string, into *int) {
	if t.boolean(key) {
		*into = t.at.key(key).line
	}
}

// allKeys accepts kv = true for kv = ["*"].
func (p *parser) allKeys(t *table, into *[]Item) bool {
	if _, isBool := t.values["kv"].(bool); !isBool {
		return false
	}
	if t.boolean("kv") {
		*into = append(*into, Item{Text: "*", Line: t.at.key("kv").line})
	}
	return true
}

// maxEntries bounds the strings of one list.
const maxEntries = 512

// entries reads a list of strings, each checked; check returns what is wrong with
// one, "" for nothing.
func (p *parser) entries(t *table, key string, check func(string) string) []Item {
	list := t.texts(key)
	if len(list) > maxEntries {
		p.problems.add(t.at.key(key).place, "%s: %d entries, at most %d are allowed", t.path(key), len(list), maxEntries)
		return nil
	}
	var out []Item
	for _, e := range list {
		if wrong := check(e.s); wrong != "" {
			p.problems.add(e.at, "%s: %q %s", t.path(key), clip(e.s), wrong)
			continue
		}
		out = append(out, Item{Text: e.s, Line: e.at.line})
	}
	return out
}

func checkNotEmpty(s string) string {
	if s == "" {
		return "is empty"
	}
	return ""
}

func checkPath(s string) string {
	if _, err := pathPattern(s); err != nil {
		return err.Error()
	}
	return ""
}

func checkKeyPattern(s string) string {
	if _, err := keyPattern(s); err != nil {
		return err.Error()
	}
	return ""
}

func checkHost(s string) string {
	if _, err := hostPattern(s); err != nil {
		return err.Error()
	}
	return ""
}

func checkHostPort(s string) string {
	if s == "*" {
		return ""
	}
	if _, _, err := net.SplitHostPort(s); err != nil {
		return "has to be host:port, host:* or *"
	}
	return checkHost(s)
}

// checkProgram accepts names only: which file a name means is the operator's to
// say, not the capsule's.
func checkProgram(s string) string {
	if s == "" || s == "." || s == ".." || strings.ContainsAny(s, "/\\*%\x00") {
		return "has to be the name of a program without a path or wildcards"
	}
	return ""
}

func checkIdentity(s string) string {
	switch s {
	case "resolve", "link", "admin":
		return ""
	}
	return `has to be "resolve", "link" or "admin"`
}

// checkPort accepts a number of a port or "*".
func checkPort(s string) bool {
	if s == "*" {
		return true
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && s[0] != '0'
}
