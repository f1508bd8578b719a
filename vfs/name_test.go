package vfs_test

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/astrid-go/astrid/vfs"
)

func TestParseNameAcceptsPathsInsideAndSaysWhyNot(t *testing.T) {
	deep := strings.Repeat("d/", vfs.MaxDepth-1) + "f"
	for s, want := range map[string]string{
		"": ".", ".": ".", "a": "a", "a/b": "a/b", "a//b/": "a/b", "./a/.": "a", "..a": "..a", "a..": "a..", "é": "é",
		`a\..\b`: `a\..\b`, "C:": "C:", "a\nb": "a\nb", deep: deep,
	} {
		if n, err := vfs.ParseName(s); err != nil || n.String() != want {
			t.Errorf("%q: %q, %v; want %q", s, n, err, want)
		}
	}
	for s, want := range map[string]vfs.Code{
		"/": vfs.CodeEscape, "/etc/passwd": vfs.CodeEscape, "..": vfs.CodeEscape, "../x": vfs.CodeEscape, "a/../../x": vfs.CodeEscape,
		"a/../b": vfs.CodeEscape, "a/..": vfs.CodeEscape, "./..": vfs.CodeEscape, "//host/share": vfs.CodeEscape,
		"a\x00b": vfs.CodeInvalid, "\xff": vfs.CodeInvalid, "e\u0301": vfs.CodeInvalid, "d/" + deep: vfs.CodeInvalid,
		strings.Repeat("x", vfs.MaxNameBytes+1): vfs.CodeInvalid, strings.Repeat("é", vfs.MaxNameBytes): vfs.CodeInvalid,
		"a/" + vfs.TempName() + "/b": vfs.CodeInvalid, vfs.TempName(): vfs.CodeInvalid,
	} {
		_, err := vfs.ParseName(s)
		wantCode(t, s, err, want)
	}
}

func TestDisplayCannotBeMistakenForSomethingElse(t *testing.T) {
	for s, want := range map[string]string{
		"plain/näme 1": "plain/näme 1", "a\nb": `"a\nb"`, "\x1b[2J": `"\x1b[2J"`, "a\u202eb": `"a\u202eb"`,
	} {
		n, err := vfs.ParseName(s)
		check(t, err)
		if n.Display() != want {
			t.Errorf("%q shows as %s, want %s", s, n.Display(), want)
		}
	}
	_, err := vfs.ParseName("/x\nfake log line")
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is %q", err)
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"", "a/b", "/a", "../a", "a/../b", "a//b", "\xff", "a\x00", "e\u0301", ".astrid-new-x", strings.Repeat("a/", 200), "a/./b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := vfs.ParseName(s)
		if err != nil {
			if code := vfs.CodeOf(err); code != vfs.CodeEscape && code != vfs.CodeInvalid {
				t.Fatalf("%q: code %s", s, code)
			}
			return
		}
		p := n.String()
		if !filepath.IsLocal(p) || len(p) > vfs.MaxNameBytes || strings.ContainsAny(p, "\x00") || !norm.NFC.IsNormalString(p) || len(n.Parts()) > vfs.MaxDepth {
			t.Fatalf("%q gave %q", s, p)
		}
		if again, err := vfs.ParseName(p); err != nil || again != n {
			t.Fatalf("%q is not its own name: %q, %v", p, again, err)
		}
		if !n.Under(n.Dir()) || !n.IsRoot() && n.Dir().Join(n.Base()) != n {
			t.Fatalf("%q: above it is %q", p, n.Dir())
		}
	})
}
