package kernel

import (
	"testing"

	"github.com/astrid-go/astrid/capability"
	"github.com/astrid-go/astrid/gate"
)

// TestEveryMethodNeedsACapability holds the table of requests to its rules: a
// capability that parses, an action that the gate knows as management, and
// something to run.
func TestEveryMethodNeedsACapability(t *testing.T) {
	if len(methods()) < 16 {
		t.Fatalf("the table has only %d methods", len(methods()))
	}
	for name, m := range methods() {
		if need, err := capability.ParseName(m.capability); err != nil || need.IsZero() {
			t.Errorf("%s: capability %q: %v", name, m.capability, err)
		}
		class, known := gate.ClassOf(m.action)
		if !known || class.Manifest != "" {
			t.Errorf("%s: action %q is known %v, granted by manifests as %q", name, m.action, known, class.Manifest)
		}
		if m.run == nil {
			t.Errorf("%s has nothing to run", name)
		}
	}
}

func FuzzCallID(f *testing.F) {
	for _, s := range []string{"", "a", "call-1", "a b", "\x00", "é", string(make([]byte, maxCallID+1))} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !validCallID(s) {
			return
		}
		if s == "" || len(s) > maxCallID {
			t.Fatalf("accepted %d bytes", len(s))
		}
		for _, b := range []byte(s) {
			if b <= ' ' || b > '~' {
				t.Fatalf("accepted byte %#x in %q", b, s)
			}
		}
	})
}
