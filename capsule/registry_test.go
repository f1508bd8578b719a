package capsule

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestALife(t *testing.T) {
	r := NewRegistry()
	clock := time.Unix(1000, 0)
	r.now = func() time.Time { return clock }
	installed := Installed{Manifest: parse(t, head), Dir: "/d"}
	first, err := r.Begin(installed, Sum([]byte("1")))
	must(t, err)
	before := r.List()
	clock = clock.Add(time.Second)
	must(t, r.Ready("a", first))
	if e := before[0]; e.State != Loading {
		t.Errorf("the snapshot changed to %s", e.State)
	}
	e, ok := r.Get("a")
	if !ok || e.State != Ready || e.Generation != first || e.Version() != "1.0.0" || e.Dir != "/d" || !e.Loaded.Equal(clock) || e.Hash != Sum([]byte("1")) {
		t.Errorf("ready as %+v", e)
	}
	second, err := r.Begin(installed, Hash{})
	if err != nil || second <= first {
		t.Fatalf("generation %d after %d, %v", second, first, err)
	}
	if err := r.Fail("a", first, "late"); !errors.Is(err, ErrStale) {
		t.Errorf("the old generation failed: %v", err)
	}
	must(t, r.Fail("a", second, "trapped"))
	if e, _ := r.Get("a"); e.State != Failed || e.Reason != "trapped" {
		t.Errorf("failed as %+v", e)
	}
	if err := r.Ready("a", second); !errors.Is(err, ErrState) {
		t.Errorf("a failed one is ready: %v", err)
	}
	third, err := r.Begin(installed, Hash{})
	must(t, err)
	if e, _ := r.Get("a"); e.Reason != "" {
		t.Errorf("loading with reason %q", e.Reason)
	}
	must(t, r.Ready("a", third))
	if err := r.Remove("a"); !errors.Is(err, ErrState) {
		t.Errorf("removed while it serves: %v", err)
	}
	must(t, r.Unloading("a", third))
	if _, err := r.Begin(installed, Hash{}); !errors.Is(err, ErrState) {
		t.Errorf("loaded while it is unloaded: %v", err)
	}
	must(t, r.Unloaded("a", third))
	must(t, r.Remove("a"))
	if err := r.Remove("a"); !errors.Is(err, ErrUnknown) {
		t.Errorf("removed twice: %v", err)
	}
	if err := r.Ready("a", third); !errors.Is(err, ErrUnknown) {
		t.Errorf("ready after it was removed: %v", err)
	}
}

func TestRefusedCapsulesAreListed(t *testing.T) {
	r := NewRegistry()
	r.Refuse(Failure{Name: "b", Dir: "/b", Reason: "bad manifest"})
	g, err := r.Begin(Installed{Manifest: parse(t, head)}, Hash{})
	must(t, err)
	must(t, r.Ready("a", g))
	r.Refuse(Failure{Name: "a", Reason: "found twice"})
	list := r.List()
	if len(list) != 2 || list[0].State != Ready || list[1].Name != "b" || list[1].State != Failed || list[1].Reason != "bad manifest" || list[1].Version() != "" {
		t.Fatalf("listed %+v", list)
	}
}

func TestRegistryUnderConcurrency(t *testing.T) {
	r := NewRegistry()
	var all sync.WaitGroup
	for i := range 8 {
		m := parse(t, strings.Replace(head, `"a"`, fmt.Sprintf(`"c%d"`, i), 1))
		all.Go(func() {
			for range 50 {
				g, err := r.Begin(Installed{Manifest: m}, Hash{})
				if err == nil {
					err = errors.Join(r.Ready(m.Name(), g), r.Unloading(m.Name(), g), r.Unloaded(m.Name(), g))
				}
				if err != nil {
					t.Error(err)
				}
				r.List()
			}
		})
	}
	all.Wait()
	if list := r.List(); len(list) != 8 || r.generation != 400 {
		t.Errorf("%d capsules, generation %d", len(list), r.generation)
	}
}

func TestOrder(t *testing.T) {
	one := func(name, rest string) Installed {
		return Installed{Manifest: parse(t, strings.Replace(head, `"a"`, `"`+name+`"`, 1)+rest)}
	}
	exports := func(name, version string) string { return fmt.Sprintf("[exports]\n\"x:%s\" = \"%s\"\n", name, version) }
	imports := func(entries ...string) string { return "[imports]\n" + strings.Join(entries, "\n") + "\n" }
	for _, c := range []struct {
		rule     string
		capsules []Installed
		order    string
		failures []string
	}{
		{"as given", []Installed{one("b", ""), one("a", "")}, "b a", nil},
		{"uplinks first", []Installed{one("b", ""), one("up", "[capabilities]\nuplink = true\n")}, "up b", nil},
		{"exporters before importers", []Installed{one("b", imports(`"x:i" = "^1.0"`)), one("a", exports("i", "1.4.0"))}, "a b", nil},
		{"every exporter that fits", []Installed{one("c", imports(`"x:i" = "^1.0"`)), one("a", exports("i", "1.4.0")), one("b", exports("i", "1.0.0"))}, "a b c", nil},
		{"itself is enough", []Installed{one("a", exports("i", "1.0.0")+imports(`"x:i" = "1"`))}, "a", nil},
		{"an optional import is not needed", []Installed{one("a", imports(`"x:i" = { version = "1", optional = true }`))}, "a", nil},
		{"but waited for", []Installed{one("b", imports(`"x:i" = { version = "1", optional = true }`)), one("a", exports("i", "1.0.0"))}, "a b", nil},
		{"an optional circle is cut", []Installed{
			one("a", exports("i", "1.0.0")+imports(`"x:j" = { version = "1", optional = true }`)),
			one("b", exports("j", "1.0.0")+imports(`"x:i" = "1"`)),
		}, "a b", nil},
		{"a missing import", []Installed{one("a", imports(`"x:i" = "^2.0"`)), one("b", "")}, "b",
			[]string{`a: Capsule.toml:5: needs x:i ^2.0, which no capsule exports`}},
		{"an import of another version", []Installed{one("a", imports(`"x:i" = "^2.0"`)), one("b", exports("i", "1.0.0"))}, "b",
			[]string{`a: Capsule.toml:5: needs x:i ^2.0, b exports 1.0.0`}},
		{"what needs a failure fails", []Installed{
			one("a", exports("i", "1.0.0")+imports(`"x:no" = "1"`)), one("b", imports(`"x:i" = "1"`)), one("c", ""),
		}, "c", []string{
			`a: Capsule.toml:7: needs x:no 1, which no capsule exports`,
			`b: Capsule.toml:5: needs x:i 1, a exports 1.0.0 but failed`,
		}},
		{"a circle", []Installed{
			one("a", exports("i", "1.0.0")+imports(`"x:k" = "1"`)), one("b", exports("j", "1.0.0")+imports(`"x:i" = "1"`)),
			one("c", exports("k", "1.0.0")+imports(`"x:j" = "1"`)), one("d", imports(`"x:k" = "1"`)), one("e", ""),
		}, "e", []string{
			"a: imports go in a circle: a → c → b → a", "c: imports go in a circle: a → c → b → a",
			"b: imports go in a circle: a → c → b → a", "d: Capsule.toml:5: needs x:k 1, c exports 1.0.0 but failed",
		}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			order, failures := Order(c.capsules)
			var names []string
			for _, i := range order {
				names = append(names, i.Manifest.Name())
			}
			check(t, "order", c.order, strings.Join(names, " "))
			var got []string
			for _, f := range failures {
				got = append(got, f.Name+": "+f.Reason)
			}
			check(t, "failures", c.failures, got)
		})
	}
}
