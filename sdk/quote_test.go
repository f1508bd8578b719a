package sdk

import (
	"encoding/json"
	"strings"
	"testing"
)

func FuzzQuotedStringsAreJSON(f *testing.F) {
	for _, s := range []string{"", "plain", "line\nbreak\ttab\r", `quote " and \ slash`, "\x00\x1f\x7f", "üñí\U0001F600", "\xff bad \xc3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		quoted := appendQuoted([]byte("x"), s)
		if err := json.Unmarshal(quoted[1:], &got); err != nil {
			t.Fatalf("%q is no JSON: %v", quoted, err)
		}
		if want := strings.ToValidUTF8(s, "\uFFFD"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
