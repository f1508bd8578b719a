package gate

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/astrid-go/astrid/audit"
	"github.com/astrid-go/astrid/capability"
	"github.com/astrid-go/astrid/principal"
)

func TestOutcomesAreRecordedOnceForTheClassesThatDemandThem(t *testing.T) {
	for _, tc := range []struct {
		rule, action, resource string
		effect                 error
		records                int
		result                 string
		durability             audit.Durability
	}{
		{"a read has no outcome", "fs.read", "cwd://a", nil, 1, "", audit.Written},
		{"a write has one", "fs.write", "cwd://src/a", nil, 2, "ok", audit.Written},
		{"a failed write says so and no more", "fs.write", "cwd://src/a", errors.New("secret in an error"), 2, "failed", audit.Written},
		{"a cancelled one too", "fs.write", "cwd://src/a", context.Canceled, 2, "canceled", audit.Written},
		{"a high risk is synced", "process.spawn", "exec://git", nil, 2, "ok", audit.Synced},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			w, who := populated(t)
			permit, err := w.Check(t.Context(), Request{Principal: who("alice"), Capsule: "fs", Call: "c", Action: tc.action, Resource: tc.resource})
			if err != nil {
				t.Fatal(err)
			}
			intent, _, _ := w.log.last(t)
			for range 2 {
				if err := permit.Done(t.Context(), tc.effect, Detail{"bytes", "12"}); err != nil {
					t.Fatal(err)
				}
			}
			record, b, durability := w.log.last(t)
			if len(w.log.records) != tc.records || durability != tc.durability || b.Result != tc.result || strings.Contains(string(record.Body), "secret") {
				t.Fatalf("%d records, the last %s with durability %v", len(w.log.records), record.Body, durability)
			}
			if tc.records == 2 && (record.Kind != KindOutcome || b.Intent != intent.Seq || b.Details[0] != Detail{"bytes", "12"}) {
				t.Errorf("outcome %s", record.Body)
			}
		})
	}
}

func TestTheZeroPermitIsNone(t *testing.T) {
	if err := (Permit{}).Done(t.Context(), nil); !errors.Is(err, ErrNoPermit) {
		t.Errorf("got %v", err)
	}
	if (Permit{}).Covers(principal.ID{}, "", "") {
		t.Error("the zero permit covers the zero request")
	}
	w, who := populated(t)
	permit, err := w.Check(t.Context(), Request{Principal: who("alice"), Capsule: "fs", Action: "fs.read", Resource: "cwd://a"})
	if err != nil {
		t.Fatal(err)
	}
	for rule, covered := range map[string]bool{
		"another principal": permit.Covers(who("root"), "fs.read", "cwd://a"),
		"another action":    permit.Covers(who("alice"), "fs.write", "cwd://a"),
		"another resource":  permit.Covers(who("alice"), "fs.read", "cwd://b"),
	} {
		if covered {
			t.Errorf("a permit covers %s", rule)
		}
	}
}

func TestDetailsAreBounded(t *testing.T) {
	w, who := populated(t)
	permit, err := w.Check(t.Context(), Request{Principal: who("alice"), Capsule: "fs", Action: "fs.write", Resource: "cwd://src/a"})
	if err != nil {
		t.Fatal(err)
	}
	details := make([]Detail, 100)
	details[0] = Detail{"n\x1b", strings.Repeat("v", 1000)}
	if err := permit.Done(t.Context(), nil, details...); err != nil {
		t.Fatal(err)
	}
	_, b, _ := w.log.last(t)
	if len(b.Details) != MaxDetails || b.Details[0].Name != `n\u{1b}` || len(b.Details[0].Value) > maxDetailText+3 {
		t.Errorf("%+v", b.Details)
	}
}

func TestRecordsAreStableCompactAndWithoutContents(t *testing.T) {
	w, who := populated(t)
	_, err := w.Check(t.Context(), Request{Principal: who("alice"), Capsule: "fs", Call: "c\x1b7", Action: "fs.write",
		Resource: "cwd://src/a", Args: []byte("the secret")})
	if err != nil {
		t.Fatal(err)
	}
	record, _, _ := w.log.last(t)
	want := `{"v":1,"principal":"alice","capsule":"fs","call":"c\\u{1b}7","action":"fs.write","resource":"cwd://src/a",` +
		`"decision":"allow","rule":"Capsule.toml:12 fs_write = \"cwd://src/**\"","args_hash":"blake3:` +
		hashArgs([]byte("the secret")).hash[len("blake3:"):] + `","args_size":10}`
	if diff := cmp.Diff(want, string(record.Body)); diff != "" {
		t.Error(diff)
	}
	if record.Time.Unix() != 1_800_000_000 {
		t.Errorf("time %v", record.Time)
	}
}

func TestDenialsCanBeExplainedToWhomTheyConcern(t *testing.T) {
	w, who := populated(t)
	_, err := w.Check(t.Context(), Request{Principal: who("alice"), Capsule: "fs", Call: "c", Action: "fs.write", Resource: "cwd://secret"})
	d := denied(t, err)
	for _, by := range []string{"alice", "root"} {
		e, err := w.Explain(who(by), d.ID)
		if err != nil || e.Rule != d.Rule || e.Unlock != d.Unlock || e.Code != d.Code || e.Allowed || e.Resource != "cwd://secret" || e.Call != "c" {
			t.Errorf("%s: %+v, %v", by, e, err)
		}
	}
	for _, by := range []string{"outsider", "off", "stranger", "anonymous", "nobody"} {
		if e, err := w.Explain(who(by), d.ID); !errors.Is(err, ErrNotFound) || e != (Explanation{}) {
			t.Errorf("%s: %+v, %v", by, e, err)
		}
	}
	for _, id := range []string{"", "-", "0", "0-", "0-00000000", "999-" + d.ID[2:], "-1-00", strings.Repeat("9", 100)} {
		if _, err := w.Explain(who("root"), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%.20q: %v", id, err)
		}
	}
}

func TestWhoHasNoRightsIsToldNothingOfItsOwn(t *testing.T) {
	w, who := populated(t)
	for _, by := range []string{"off", "stranger", "anonymous", "nobody"} {
		_, err := w.Check(t.Context(), Request{Principal: who(by), Capsule: "fs", Action: "fs.read", Resource: "cwd://a"})
		if _, err := w.Explain(who(by), denied(t, err).ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", by, err)
		}
	}
}

func TestOnlyDecisionsAreExplained(t *testing.T) {
	w, who := populated(t)
	ref, err := w.log.Append(t.Context(), audit.Entry{Principal: "root", Kind: "other", Body: []byte("{}")}, audit.Written)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Explain(who("root"), DenialID(ref)); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// FuzzCheck: whatever a guest sends, the answer is a permit under a grant or a denial, recorded as printable JSON.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"cwd://src/a", "cwd://src/../../x", "cwd://src/\x1b[2J", "cwd://src2/a", "CWD://src/a", "cwd://src/%2e%2e/a"} {
		f.Add("fs.write", seed, "c1")
	}
	f.Fuzz(func(t *testing.T, action, resource, call string) {
		w := newWorld(t)
		alice := w.add(t, "alice", func(p *principal.Profile) { p.Capsules = []string{"fs"} })
		g := grant(t, "fs.write", "cwd://src/**", "Capsule.toml:1")
		if err := w.Load("fs", 1, []Grant{g}); err != nil {
			t.Fatal(err)
		}
		_, err := w.Check(t.Context(), Request{Principal: alice, Capsule: "fs", Call: call, Action: action, Resource: resource})
		byGrant := action == "fs.write" && g.Resource.Match(resource)
		class, known := ClassOf(action)
		byAccess := known && class.kind == byAccess && len(resource) <= capability.MaxResourceBytes
		if want := (byGrant || byAccess) && len(call) <= maxIDText; (err == nil) != want {
			t.Fatalf("%q %q: %v", action, resource, err)
		}
		record, _, _ := w.log.last(t)
		if !json.Valid(record.Body) || strings.ContainsFunc(string(record.Body), func(r rune) bool { return r < 0x20 || r == 0x7f }) || len(record.Body) > 64<<10 {
			t.Fatalf("recorded %q", record.Body)
		}
	})
}
