package gate

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/astrid-go/astrid/approval"
	"github.com/astrid-go/astrid/audit"
	"github.com/astrid-go/astrid/capability"
	"github.com/astrid-go/astrid/principal"
)

// memLog is a Log in memory whose appends can fail, and which remembers the durability asked for.
type memLog struct {
	mu           sync.Mutex
	records      []audit.Record
	durabilities []audit.Durability
	fail         error
}

func (l *memLog) Append(ctx context.Context, e audit.Entry, d audit.Durability) (audit.Ref, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := errors.Join(l.fail, ctx.Err()); err != nil {
		return audit.Ref{}, err
	}
	ref := audit.Ref{Seq: uint64(len(l.records)), Hash: [32]byte{byte(len(l.records)), 7}}
	l.records = append(l.records, audit.Record{Ref: ref, Entry: e})
	l.durabilities = append(l.durabilities, d)
	return ref, nil
}

func (l *memLog) Get(seq uint64) (audit.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq >= uint64(len(l.records)) {
		return audit.Record{}, errors.New("no such record")
	}
	return l.records[seq], nil
}

// last decodes the newest record.
func (l *memLog) last(t *testing.T) (audit.Record, body, audit.Durability) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.records) == 0 {
		t.Fatal("nothing was recorded")
	}
	r := l.records[len(l.records)-1]
	var b body
	if err := json.Unmarshal(r.Body, &b); err != nil {
		t.Fatal(err)
	}
	return r, b, l.durabilities[len(l.durabilities)-1]
}

// askFunc is a person.
type askFunc func(approval.Question) (approval.Outcome, error)

func (f askFunc) Ask(_ context.Context, q approval.Question) (approval.Outcome, error) { return f(q) }

type world struct {
	*Gate
	log *memLog
	dir *principal.Directory
	ask askFunc
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir, err := principal.OpenDirectory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	w := &world{log: &memLog{}, dir: dir}
	w.ask = func(approval.Question) (approval.Outcome, error) {
		t.Error("a person was asked")
		return approval.Outcome{}, nil
	}
	w.Gate, err = New(Config{Directory: dir, Log: w.log,
		Asker: askFunc(func(q approval.Question) (approval.Outcome, error) { return w.ask(q) }),
		Now:   func() time.Time { return time.Unix(1_800_000_000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) add(t testing.TB, name string, change func(*principal.Profile)) principal.ID {
	t.Helper()
	id, err := principal.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	p := principal.NewProfile()
	change(&p)
	if err := w.dir.Create(id, p); err != nil {
		t.Fatal(err)
	}
	return id
}

func grant(t testing.TB, action, pattern, source string) Grant {
	t.Helper()
	p, err := capability.ParseResourcePattern(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return Grant{Action: action, Resource: p, Source: source}
}

func denied(t *testing.T, err error) *Denied {
	t.Helper()
	d, ok := errors.AsType[*Denied](err)
	if !ok {
		t.Fatalf("not denied: %v", err)
	}
	return d
}

func name(t testing.TB, s string) capability.Name {
	t.Helper()
	n, err := capability.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// populated is a world with one loaded capsule and principals of every sort.
func populated(t *testing.T) (*world, func(string) principal.ID) {
	w := newWorld(t)
	ids := map[string]principal.ID{"nobody": {}, "anonymous": principal.Anonymous()}
	for who, change := range map[string]func(*principal.Profile){
		"alice":    func(p *principal.Profile) { p.Capsules = []string{"fs"} },
		"root":     func(p *principal.Profile) { p.Groups = []string{"admin"} },
		"off":      func(p *principal.Profile) { p.Groups, p.Enabled = []string{"admin"}, false },
		"outsider": func(p *principal.Profile) { p.Groups = []string{"agent"} },
		"revoked": func(p *principal.Profile) {
			p.Groups, p.Revokes = []string{"admin"}, []string{"system:*", "capsule:access:any"}
		},
		"narrow": func(p *principal.Profile) {
			p.Capsules, p.Network.Egress, p.Process.Allow = []string{"*"}, []string{"api.example.com:443", "*.example.org"}, []string{"git"}
		},
	} {
		ids[who] = w.add(t, who, change)
	}
	stranger, err := principal.Parse("stranger")
	if err != nil {
		t.Fatal(err)
	}
	ids["stranger"] = stranger
	if err := w.Load("fs", 1, []Grant{
		grant(t, "fs.read", "cwd://**", "Capsule.toml:11"),
		grant(t, "fs.write", "cwd://src/**", "Capsule.toml:12"),
		grant(t, "fs.write", "cwd://docs/*.md", "Capsule.toml:12"),
		grant(t, "net.http", "https://**", "Capsule.toml:13"),
		grant(t, "net.bind", "net://**", "Capsule.toml:13"),
		grant(t, "process.spawn", "exec://*", "Capsule.toml:14"),
	}); err != nil {
		t.Fatal(err)
	}
	return w, func(who string) principal.ID { return ids[who] }
}

func TestDecisionTable(t *testing.T) {
	w, who := populated(t)
	for _, tc := range []struct {
		rule, who, action, resource string
		change                      func(*Request)
		code                        Code // empty: permitted
		text                        string
	}{
		{rule: "a grant permits", who: "alice", action: "fs.write", resource: "cwd://src/a/b.go"},
		{rule: "an administrator uses every capsule", who: "root", action: "fs.write", resource: "cwd://docs/a.md"},
		{rule: "a grant of reading is no grant of writing", who: "alice", action: "fs.write", resource: "cwd://x", code: CodeNotGranted,
			text: `Capsule.toml:12 fs_write = ["cwd://src/**", "cwd://docs/*.md"] does not cover cwd://x; add "cwd://x" to fs_write in Capsule.toml of fs`},
		{rule: "an administrator does not widen a manifest", who: "root", action: "fs.write", resource: "cwd://x", code: CodeNotGranted},
		{rule: "an action without a grant", who: "alice", action: "kv.write", resource: "kv://a", code: CodeNotGranted, text: "Capsule.toml of fs has no kv"},
		{rule: "traversal", who: "alice", action: "fs.read", resource: "cwd://../etc/passwd", code: CodeInvalidRequest, text: `segment ".." walks the tree`},
		{rule: "no resource", who: "alice", action: "fs.read", resource: "", code: CodeInvalidRequest},
		{rule: "an overlong resource", who: "alice", action: "fs.read", resource: "cwd://" + strings.Repeat("a", 2000), code: CodeInvalidRequest},
		{rule: "an unknown action", who: "root", action: "fs.format", resource: "cwd://a", code: CodeUnknownAction},
		{rule: "no action", who: "root", action: "", resource: "cwd://a", code: CodeUnknownAction},
		{rule: "nobody", who: "nobody", action: "fs.read", resource: "cwd://a", code: CodeUnknownPrincipal},
		{rule: "the anonymous", who: "anonymous", action: "fs.read", resource: "cwd://a", code: CodeUnknownPrincipal},
		{rule: "a principal without a profile", who: "stranger", action: "fs.read", resource: "cwd://a", code: CodeUnknownPrincipal},
		{rule: "a disabled administrator", who: "off", action: "fs.read", resource: "cwd://a", code: CodeDisabled, text: "profiles/off.toml: enabled = false"},
		{rule: "a capsule that the profile does not list", who: "outsider", action: "fs.read", resource: "cwd://a", code: CodeCapsuleAccess, text: `add "fs" to capsules in profiles/outsider.toml`},
		{rule: "access taken away", who: "revoked", action: "fs.read", resource: "cwd://a", code: CodeRevoked},
		{rule: "a capsule that is not loaded", who: "root", action: "fs.read", resource: "cwd://a", change: func(r *Request) { r.Capsule = "other" }, code: CodeCapsuleNotLoaded},
		{rule: "a generation that is not loaded", who: "root", action: "fs.read", resource: "cwd://a", change: func(r *Request) { r.Generation = 2 }, code: CodeCapsuleNotLoaded},
		{rule: "a capsule's action without a capsule", who: "root", action: "fs.read", resource: "cwd://a", change: func(r *Request) { r.Capsule = "" }, code: CodeInvalidRequest},
		{rule: "a capsule's action with a capability", who: "root", action: "fs.read", resource: "cwd://a", change: func(r *Request) { r.Capability = name(t, "a") }, code: CodeInvalidRequest},
		{rule: "an overlong capsule name", who: "root", action: "capsule.use", change: func(r *Request) { r.Capsule = strings.Repeat("c", 257) }, code: CodeInvalidRequest},
		{rule: "an overlong call id", who: "root", action: "fs.read", resource: "cwd://a", change: func(r *Request) { r.Call = strings.Repeat("c", 257) }, code: CodeInvalidRequest},
		{rule: "egress permits its host", who: "narrow", action: "net.http", resource: "https://api.example.com:443/v1"},
		{rule: "egress permits a subdomain", who: "narrow", action: "net.http", resource: "https://A.example.org/v1"},
		{rule: "egress narrows the port", who: "narrow", action: "net.http", resource: "https://api.example.com:80/v1", code: CodeNarrowed, text: "[network] egress"},
		{rule: "egress narrows the host", who: "narrow", action: "net.http", resource: "https://evil.com/api.example.com:443", code: CodeNarrowed},
		{rule: "a subdomain entry does not cover the domain", who: "narrow", action: "net.http", resource: "https://example.org/", code: CodeInvalidRequest},
		{rule: "nor a name that ends alike", who: "narrow", action: "net.http", resource: "https://evilexample.org", code: CodeNarrowed},
		{rule: "nor an empty label before it", who: "narrow", action: "net.http", resource: "https://.example.org", code: CodeNarrowed},
		{rule: "nor a host that only stands before an @", who: "narrow", action: "net.http", resource: "https://a.example.org:@evil.com", code: CodeNarrowed},
		{rule: "egress is about reaching out", who: "narrow", action: "net.bind", resource: "net://127.0.0.1:80"},
		{rule: "no egress list, no narrowing", who: "alice", action: "net.http", resource: "https://evil.com"},
		{rule: "a program that the profile allows", who: "narrow", action: "process.spawn", resource: "exec://git"},
		{rule: "a program that it does not", who: "narrow", action: "process.spawn", resource: "exec://sh", code: CodeNarrowed, text: "[process] allow"},
		{rule: "using a capsule needs access only", who: "alice", action: "capsule.use", resource: "tool grep"},
		{rule: "and access it needs", who: "outsider", action: "capsule.use", resource: "tool grep", code: CodeCapsuleAccess},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			r := Request{Principal: who(tc.who), Capsule: "fs", Call: "c1", Action: tc.action, Resource: tc.resource}
			if tc.change != nil {
				tc.change(&r)
			}
			permit, err := w.Check(t.Context(), r)
			record, b, _ := w.log.last(t)
			if record.Kind != KindDecision || record.Principal != r.Principal.String() || b.Code != tc.code {
				t.Errorf("recorded %s of %q: %+v", record.Kind, record.Principal, b)
			}
			if tc.code == "" {
				if err != nil || !permit.Covers(r.Principal, r.Action, r.Resource) || b.Decision != "allow" || b.Rule == "" {
					t.Errorf("permit %+v, %v; record %+v", permit, err, b)
				}
				return
			}
			d := denied(t, err)
			if d.Code != tc.code || !strings.Contains(d.Error(), tc.text) || d.Rule == "" || d.ID == "" || permit != (Permit{}) || b.Decision != "deny" {
				t.Errorf("%+v: %v; permit %+v", d, d, permit)
			}
		})
	}
}

func TestManagementNeedsACapability(t *testing.T) {
	w, who := populated(t)
	for _, tc := range []struct {
		rule, who, capability, capsule string
		code                           Code
	}{
		{"an administrator may", "root", "system:shutdown", "", ""},
		{"an agent may not", "outsider", "system:shutdown", "", CodeMissing},
		{"an agent may for itself", "outsider", "self:capsule:list", "", ""},
		{"a revoke beats the group", "revoked", "system:shutdown", "", CodeRevoked},
		{"a disabled one may not", "off", "system:shutdown", "", CodeDisabled},
		{"a stranger may not", "stranger", "system:shutdown", "", CodeUnknownPrincipal},
		{"no capability named, none had", "root", "", "", CodeInvalidRequest},
		{"a capsule does not manage", "root", "system:shutdown", "fs", CodeInvalidRequest},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			r := Request{Principal: who(tc.who), Capsule: tc.capsule, Action: "system.shutdown"}
			if tc.capability != "" {
				r.Capability = name(t, tc.capability)
			}
			_, err := w.Check(t.Context(), r)
			_, b, durability := w.log.last(t)
			if b.Code != tc.code || durability != audit.Synced {
				t.Errorf("recorded %+v with durability %v", b, durability)
			}
			if tc.code == "" && err != nil || tc.code != "" && denied(t, err).Code != tc.code {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWhatCannotBeRecordedDoesNotHappen(t *testing.T) {
	w, who := populated(t)
	w.log.fail = errors.New("disk full")
	for _, resource := range []string{"cwd://src/a", "cwd://secret"} {
		permit, err := w.Check(t.Context(), Request{Principal: who("alice"), Capsule: "fs", Action: "fs.write", Resource: resource})
		d := denied(t, err)
		if permit != (Permit{}) || !errors.Is(err, w.log.fail) || d.ID != "" {
			t.Errorf("%s: %+v, %v", resource, permit, err)
		}
	}
	w.log.fail = nil
	permit, err := w.Check(t.Context(), Request{Principal: who("alice"), Capsule: "fs", Action: "fs.write", Resource: "cwd://src/a"})
	if err != nil {
		t.Fatal(err)
	}
	w.log.fail = errors.New("disk full")
	if err := permit.Done(t.Context(), nil); !errors.Is(err, w.log.fail) {
		t.Errorf("an outcome that is not recorded was acknowledged: %v", err)
	}
}

func TestADecisionIsRecordedThoughTheCallerIsGone(t *testing.T) {
	w, who := populated(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.Check(ctx, Request{Principal: who("alice"), Capsule: "fs", Action: "fs.write", Resource: "cwd://secret"})
	if d := denied(t, err); d.Code != CodeNotGranted || d.ID == "" {
		t.Errorf("%+v", d)
	}
}

func TestUnreadableProfilesAndGroupsDeny(t *testing.T) {
	w, who := populated(t)
	fault := errors.New("bad file")
	w.config.Directory = brokenDirectory{Directory: w.dir, groups: fault}
	_, err := w.Check(t.Context(), Request{Principal: who("root"), Action: "system.status", Capability: name(t, "system:status")})
	if d := denied(t, err); d.Code != CodePrincipalError || !errors.Is(err, fault) {
		t.Errorf("broken groups: %+v", d)
	}
	w.config.Directory = brokenDirectory{Directory: w.dir, profile: fault}
	_, err = w.Check(t.Context(), Request{Principal: who("alice"), Capsule: "fs", Action: "fs.read", Resource: "cwd://a"})
	if d := denied(t, err); d.Code != CodePrincipalError {
		t.Errorf("broken profile: %+v", d)
	}
}

type brokenDirectory struct {
	Directory
	profile, groups error
}

func (b brokenDirectory) Lookup(id principal.ID) (principal.Profile, error) {
	p, err := b.Directory.Lookup(id)
	return p, errors.Join(err, b.profile)
}

func (b brokenDirectory) Groups() (principal.Groups, error) {
	g, err := b.Directory.Groups()
	return g, errors.Join(err, b.groups)
}
