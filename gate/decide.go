package gate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/astrid-go/astrid/approval"
	"github.com/astrid-go/astrid/capability"
	"github.com/astrid-go/astrid/principal"
)

// verdict is what the rules say; a person may still have to be asked. The zero value denies.
type verdict struct {
	allow, ask   bool
	class        Class
	code         Code
	rule, unlock string
	cause        error
}

func deny(code Code, rule, unlock string) verdict {
	return verdict{code: code, rule: rule, unlock: unlock}
}

// decide weighs a request against the table, the profile and the grants. It writes nothing and asks nobody.
func (g *Gate) decide(r Request) verdict {
	class, ok := actions[r.Action]
	if !ok {
		return deny(CodeUnknownAction, "the action is not in the gate's table", "")
	}
	v := g.weigh(r, class)
	v.class = class
	return v
}

func (g *Gate) weigh(r Request, class Class) verdict {
	resource, err := r.check(class)
	if err != nil {
		return deny(CodeInvalidRequest, err.Error(), "")
	}
	profile, denied := g.profile(r.Principal)
	if denied.code != "" {
		return denied
	}
	if class.kind == byCapability {
		return g.weighCapability(r.Principal, profile, r.Capability)
	}
	if v := g.weighAccess(r, profile); !v.allow || class.kind == byAccess {
		return v
	}
	v := g.weighGrants(r, class, resource)
	if !v.allow {
		return v
	}
	if narrowed := weighNarrowing(r, profile, resource); narrowed.code != "" {
		return narrowed
	}
	return v
}

// profile returns the profile of a known and enabled principal, or a denial.
func (g *Gate) profile(id principal.ID) (principal.Profile, verdict) {
	profile, err := g.config.Directory.Lookup(id)
	if errors.Is(err, principal.ErrUnknown) {
		return profile, deny(CodeUnknownPrincipal, fmt.Sprintf("principal %q has no profile, so it has no rights", id.String()),
			"create the principal first")
	}
	if err != nil {
		v := deny(CodePrincipalError, "the profile cannot be read: "+approval.Visible(err.Error()), "mend the file")
		v.cause = err
		return profile, v
	}
	if !profile.Enabled {
		return profile, deny(CodeDisabled, sourceOf(id, profile)+": enabled = false", "enable the principal")
	}
	return profile, verdict{}
}

func (g *Gate) weighCapability(id principal.ID, profile principal.Profile, want capability.Name) verdict {
	groups, err := g.config.Directory.Groups()
	if err != nil {
		v := deny(CodePrincipalError, "the groups cannot be read: "+approval.Visible(err.Error()), "mend the file")
		v.cause = err
		return v
	}
	d := capability.Check(id, profile, groups, want)
	if d.Allowed {
		return verdict{allow: true, rule: d.Rule}
	}
	if d.Reason == capability.Revoked {
		return deny(CodeRevoked, d.Rule, fmt.Sprintf("take the entry out of revokes in %s", sourceOf(id, profile)))
	}
	return deny(CodeMissing, d.Rule, fmt.Sprintf("add %q to grants in %s", want, sourceOf(id, profile)))
}

// weighAccess asks whether the principal may use the capsule at all: its profile lists it, or it may use any.
func (g *Gate) weighAccess(r Request, profile principal.Profile) verdict {
	if slices.Contains(profile.Capsules, r.Capsule) || slices.Contains(profile.Capsules, "*") {
		return verdict{allow: true, rule: sourceOf(r.Principal, profile) + ": capsules"}
	}
	v := g.weighCapability(r.Principal, profile, g.accessAny)
	if v.allow || v.code == CodePrincipalError || v.code == CodeRevoked {
		return v
	}
	return deny(CodeCapsuleAccess,
		fmt.Sprintf("%s: capsules does not list %q, and nothing grants %s", sourceOf(r.Principal, profile), r.Capsule, g.accessAny),
		fmt.Sprintf("add %q to capsules in %s", r.Capsule, sourceOf(r.Principal, profile)))
}

func (g *Gate) weighGrants(r Request, class Class, resource capability.Resource) verdict {
	manifest, ok := g.table.Load().find(r.Capsule, r.Generation)
	if !ok {
		return deny(CodeCapsuleNotLoaded, fmt.Sprintf("capsule %q is not loaded in this generation", r.Capsule), "load the capsule")
	}
	rules := manifest[r.Action]
	if rules == nil {
		return deny(CodeNotGranted, fmt.Sprintf("Capsule.toml of %s has no %s", r.Capsule, class.Manifest),
			unlockGrant(r, class))
	}
	rule, ok := rules.match(resource)
	if !ok {
		return deny(CodeNotGranted,
			fmt.Sprintf("%s %s = %s does not cover %s", rules.source, class.Manifest, rules.shown(), resource),
			unlockGrant(r, class))
	}
	return verdict{allow: true, ask: rule.ask, rule: rule.text}
}

func unlockGrant(r Request, class Class) string {
	return fmt.Sprintf("add %q to %s in Capsule.toml of %s", r.Resource, class.Manifest, r.Capsule)
}

// weighNarrowing applies the profile's own lists, which only ever take away.
func weighNarrowing(r Request, profile principal.Profile, resource capability.Resource) verdict {
	_, rest, _ := strings.Cut(resource.String(), "://")
	switch r.Action {
	case "net.http", "net.connect", "net.udp":
		authority, _, _ := strings.Cut(rest, "/")
		covered := func(entry string) bool { return coversHost(entry, authority) }
		if len(profile.Network.Egress) > 0 && !slices.ContainsFunc(profile.Network.Egress, covered) {
			return narrowed(r, profile, "[network] egress")
		}
	case "process.spawn":
		if len(profile.Process.Allow) > 0 && !slices.Contains(profile.Process.Allow, rest) {
			return narrowed(r, profile, "[process] allow")
		}
	}
	return verdict{}
}

func narrowed(r Request, profile principal.Profile, key string) verdict {
	source := sourceOf(r.Principal, profile)
	return deny(CodeNarrowed, fmt.Sprintf("%s: %s does not list %s", source, key, r.Resource),
		fmt.Sprintf("add it to %s in %s", key, source))
}

// coversHost reports whether an egress entry, "host", "host:port" or "*.domain", covers an authority "host[:port]". An
// authority with user information is covered by nothing: what stands before "@" only looks like a host.
func coversHost(entry, authority string) bool {
	if strings.Contains(authority, "@") {
		return false
	}
	wantHost, wantPort := splitPort(entry)
	host, port := splitPort(authority)
	if wantPort != "" && wantPort != port {
		return false
	}
	if domain, ok := strings.CutPrefix(wantHost, "*"); ok {
		return len(host) > len(domain) && strings.EqualFold(host[len(host)-len(domain):], domain)
	}
	return strings.EqualFold(host, wantHost)
}

// splitPort takes a port off a host; the colons of a bare IPv6 address are not one.
func splitPort(s string) (host, port string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") || strings.IndexByte(s, ':') != i && !strings.HasPrefix(s, "[") {
		return s, ""
	}
	return s[:i], s[i+1:]
}

func sourceOf(id principal.ID, profile principal.Profile) string {
	if profile.Source != "" {
		return profile.Source
	}
	return "profile of " + id.String()
}
