package principal

import (
	"fmt"
	"strings"
)

// Encode writes the profile as a commented file that ParseProfile reads back to an equal value. It does not check the
// values; Create does before it stores them.
func (p Profile) Encode() []byte {
	var b strings.Builder
	b.WriteString("# Who this principal is and what it may do. Edits take effect at the next request; unknown keys are errors.\n")
	fmt.Fprintf(&b, "profile_version = %d\n", p.Version)
	fmt.Fprintf(&b, "enabled = %t\n", p.Enabled)
	writeList(&b, "groups", p.Groups, "admin: everything, agent: its own things, restricted: nothing, or of groups.toml")
	writeList(&b, "grants", p.Grants, `capability patterns beyond the groups, like "system:status" or "self:*"`)
	writeList(&b, "revokes", p.Revokes, "patterns that no group and no grant can give")
	writeList(&b, "capsules", p.Capsules, `capsules it may use, "*" for all`)
	b.WriteString("\n[auth]\n")
	writeList(&b, "methods", p.Auth.Methods, "keypair, passkey, system")
	writeList(&b, "public_keys", p.Auth.PublicKeys, `"ed25519:<64 hex digits>"`)
	b.WriteString("\n[network]\n")
	writeList(&b, "egress", p.Network.Egress, "if not empty, the only hosts its capsules reach: host, host:port, *.domain")
	b.WriteString("\n[process]\n")
	writeList(&b, "allow", p.Process.Allow, "if not empty, the only programs its capsules start")
	b.WriteString("\n[quotas]\n")
	for _, r := range p.Quotas.ranges() {
		fmt.Fprintf(&b, "%s = %d\n", r.key, r.value)
	}
	return []byte(b.String())
}

func writeList(b *strings.Builder, key string, list []string, comment string) {
	fmt.Fprintf(b, "# %s\n%s = [", comment, key)
	for i, s := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoteTOML(s))
	}
	b.WriteString("]\n")
}

// quoteTOML writes a TOML basic string. strconv.Quote will not do: its \a, \v and \x are no escapes in TOML.
func quoteTOML(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
