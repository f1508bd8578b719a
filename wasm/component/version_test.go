package component

import "testing"

func TestInterfaceVersions(t *testing.T) {
	cases := []struct {
		offered, wanted string
		want            bool
	}{
		{"a:b/c", "a:b/c", true},
		{"a:b/c@1.0.0", "a:b/c", false},
		{"a:b/c", "a:b/c@1.0.0", false},
		{"a:b/c@1.2.0", "a:b/c@1.2.0", true},
		{"a:b/c@1.3.0", "a:b/c@1.2.9", true},
		{"a:b/c@1.2.0", "a:b/c@1.2.9", true},
		{"a:b/c@1.1.9", "a:b/c@1.2.0", false},
		{"a:b/c@1.10.0", "a:b/c@1.9.0", true},
		{"a:b/c@2.0.0", "a:b/c@1.0.0", false},
		{"a:b/d@1.0.0", "a:b/c@1.0.0", false},
		{"a:b/c@0.2.0", "a:b/c@0.2.6", true},
		{"a:b/c@0.3.0", "a:b/c@0.2.6", false},
		{"a:b/c@0.0.2", "a:b/c@0.0.1", false},
		{"a:b/c@1.0.0-rc.1", "a:b/c@1.0.0", false},
		{"a:b/c@1.0.0", "a:b/c@1.0.0-rc.1", false},
		{"a:b/c@1.0.0-rc.1", "a:b/c@1.0.0-rc.1", true},
		{"a:b/c@1.4.2", "a:b/c@1", true},
		{"a:b/c@0.2.3", "a:b/c@0.2", true},
		{"a:b/c@99999999999999999999.0.0", "a:b/c@99999999999999999999.0.1", true},
	}
	for _, c := range cases {
		if got := satisfies(c.offered, c.wanted); got != c.want {
			t.Errorf("%s offered for %s: %v, want %v", c.offered, c.wanted, got, c.want)
		}
	}
	if better("a:b/c@1.2.0", "a:b/c@1.3.0", "a:b/c@1.1.0") || !better("a:b/c@1.2.0", "a:b/c@1.3.0", "a:b/c@1.2.0") {
		t.Error("the exact version is best, then the latest")
	}
}
