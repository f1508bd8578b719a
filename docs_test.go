package astrid_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestProtocolPageListsEveryMethod keeps docs/protocol.md true.
func TestProtocolPageListsEveryMethod(t *testing.T) {
	page, err := os.ReadFile("docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("api/*.go")
	if err != nil {
		t.Fatal(err)
	}
	method := regexp.MustCompile(`Method\w+\s+= "(\w+)"`)
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range method.FindAllSubmatch(source, -1) {
			found++
			if !strings.Contains(string(page), "| `"+string(m[1])+"` |") {
				t.Errorf("docs/protocol.md has no row for method %s", m[1])
			}
		}
	}
	if found < 10 {
		t.Fatalf("found only %d methods; the search is broken", found)
	}
}

// TestSecurityPageNamesRealTests keeps the evidence in README.md and SECURITY.md
// true: each test that they name exists.
func TestSecurityPageNamesRealTests(t *testing.T) {
	var page []byte
	for _, file := range []string{"README.md", "SECURITY.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		page = append(page, text...)
	}
	names := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllSubmatch(page, -1)
	if len(names) < 20 {
		t.Fatalf("SECURITY.md names only %d tests; the search is broken", len(names))
	}
	source := allTests(t)
	for _, n := range names {
		if !strings.Contains(source, "func "+string(n[1])+"(") {
			t.Errorf("README.md or SECURITY.md names %s, which does not exist", n[1])
		}
	}
}

func allTests(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(".", func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, "_test.go") {
			return err
		}
		b, err := os.ReadFile(p)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
