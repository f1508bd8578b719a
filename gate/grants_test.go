package gate

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/astrid-go/astrid/capability"
	"github.com/astrid-go/astrid/principal"
)

// TestActionTable holds what a row has to obey, so that a new action cannot be added half.
func TestActionTable(t *testing.T) {
	grammar := regexp.MustCompile(`^[a-z]+\.[a-z_]+$`)
	for action, class := range actions {
		if !grammar.MatchString(action) {
			t.Errorf("%s: not noun.verb", action)
		}
		if class.Risk < Low || class.Risk > High || class.kind < byGrant || class.kind > byAccess {
			t.Errorf("%s: no risk or no authority: %+v", action, class)
		}
		if class.Synced != (class.Risk == High) {
			t.Errorf("%s: exactly the high risks are synced", action)
		}
		if class.Risk == Low && class.Outcome || class.Risk == High && !class.Outcome && action != "approval.request" {
			t.Errorf("%s: low risks have no outcome record, high risks have one", action)
		}
		if (class.Manifest != "") != (class.kind == byGrant) {
			t.Errorf("%s: exactly the granted actions have a manifest key", action)
		}
	}
	if c, ok := ClassOf("no.such"); ok || c != (Class{}) {
		t.Errorf("an unknown action has class %+v", c)
	}
}

func TestLoadRefusesWhatItCannotEnforce(t *testing.T) {
	w := newWorld(t)
	for rule, load := range map[string]func() error{
		"an unknown action":   func() error { return w.Load("x", 1, []Grant{grant(t, "fs.format", "cwd://a", "C:1")}) },
		"a management action": func() error { return w.Load("x", 1, []Grant{grant(t, "system.shutdown", "cwd://a", "C:1")}) },
		"no resource":         func() error { return w.Load("x", 1, []Grant{{Action: "fs.read"}}) },
		"the zero grant":      func() error { return w.Load("x", 1, []Grant{{}}) },
		"no capsule":          func() error { return w.Load("", 1, nil) },
		"too many":            func() error { return w.Load("x", 1, make([]Grant, MaxGrants+1)) },
	} {
		if err := load(); !errors.Is(err, ErrBadGrants) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if err := errors.Join(w.Load("x", 1, nil), w.Load("x", 2, nil)); err != nil {
		t.Fatal(err)
	}
	if err := w.Load("x", 1, nil); !errors.Is(err, ErrBadGrants) {
		t.Errorf("a generation was loaded twice: %v", err)
	}
}

func TestGenerationsComeAndGo(t *testing.T) {
	w := newWorld(t)
	alice := w.add(t, "alice", func(p *principal.Profile) { p.Capsules = []string{"*"} })
	may := func(generation uint64) bool {
		_, err := w.Check(t.Context(), Request{Principal: alice, Capsule: "x", Generation: generation, Action: "fs.read", Resource: "cwd://a"})
		return err == nil
	}
	if err := errors.Join(w.Load("x", 1, []Grant{grant(t, "fs.read", "cwd://a", "C:1")}), w.Load("x", 2, nil)); err != nil {
		t.Fatal(err)
	}
	if !may(1) || may(2) || may(0) {
		t.Error("each generation has its own grants, and the newest is meant by none")
	}
	w.Unload("x", 2)
	if !may(0) {
		t.Error("after the newest is gone the one before is the newest")
	}
	w.Unload("x", 1)
	w.Unload("x", 1)
	if may(1) || may(0) {
		t.Error("grants outlive their capsule")
	}
}

// TestIndexFindsWhatAScanFinds: the index by anchor is a short cut and nothing else.
func TestIndexFindsWhatAScanFinds(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "a*", "*", "**"})
	plain := rapid.SampledFrom([]string{"a", "b", "ab"})
	rapid.Check(t, func(rt *rapid.T) {
		var grants []Grant
		for _, segments := range rapid.SliceOfN(rapid.SliceOfN(segment, 1, 4), 1, 6).Draw(rt, "patterns") {
			grants = append(grants, grant(t, "fs.read", "cwd://"+strings.Join(segments, "/"), "C:1"))
		}
		resource, err := capability.ParseResource("cwd://" + strings.Join(rapid.SliceOfN(plain, 0, 4).Draw(rt, "resource"), "/"))
		if err != nil {
			rt.Fatal(err)
		}
		scan := false
		for _, g := range grants {
			scan = scan || g.Resource.MatchResource(resource)
		}
		m, err := compile(grants)
		if err != nil {
			rt.Fatal(err)
		}
		if _, found := m["fs.read"].match(resource); found != scan {
			rt.Fatalf("index says %v, scan says %v", found, scan)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	w, who := populated(t)
	alice := who("alice")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 50 {
				resource := fmt.Sprintf("cwd://src/%d", n)
				if _, err := w.Check(t.Context(), Request{Principal: alice, Capsule: "fs", Generation: 1, Action: "fs.write", Resource: resource}); err != nil {
					t.Error(err)
				}
				generation := uint64(100*(i+1) + n)
				if err := w.Load("fs", generation, nil); err != nil {
					t.Error(err)
				}
				w.Unload("fs", generation)
			}
		})
	}
	wg.Wait()
	if len(w.log.records) != 400 {
		t.Errorf("%d records", len(w.log.records))
	}
}

// fixedDirectory answers without I/O, so that benchmarks measure the decision.
type fixedDirectory struct {
	profile principal.Profile
	groups  principal.Groups
}

func (d fixedDirectory) Lookup(principal.ID) (principal.Profile, error) { return d.profile, nil }
func (d fixedDirectory) Groups() (principal.Groups, error)              { return d.groups, nil }

func BenchmarkDecide(b *testing.B) {
	for _, count := range []int{1, 10, 100, 1000} {
		w := benchWorld(b, count)
		r := Request{Principal: principal.Default(), Capsule: "fs", Call: "c1", Action: "fs.read", Resource: "cwd://dir0/src/kernel/main.go"}
		b.Run(fmt.Sprintf("rules=%d", count), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v := w.decide(r); !v.allow {
					b.Fatal(v.rule)
				}
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	w := benchWorld(b, 100)
	r := Request{Principal: principal.Default(), Capsule: "fs", Call: "c1", Action: "fs.read", Resource: "cwd://dir0/src/kernel/main.go"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Check(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		w.log.records, w.log.durabilities = w.log.records[:0], w.log.durabilities[:0]
	}
}

func benchWorld(b *testing.B, count int) *world {
	w := newWorld(b)
	w.config.Directory = fixedDirectory{profile: principal.NewProfile("admin"), groups: principal.BuiltinGroups()}
	grants := make([]Grant, count)
	for i := range grants {
		grants[i] = grant(b, "fs.read", fmt.Sprintf("cwd://dir%d/src/**", i), "Capsule.toml:1")
	}
	if err := w.Load("fs", 1, grants); err != nil {
		b.Fatal(err)
	}
	return w
}
