package astrid_test

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// hasPackageComment reports whether the file carries a package comment, and
// fails the test when the comment does not begin as godoc wants it.
func hasPackageComment(t *testing.T, file string) bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if f.Doc == nil {
		return false
	}
	text := f.Doc.Text()
	if f.Name.Name != "main" && !strings.HasPrefix(text, "Package "+f.Name.Name+" ") {
		t.Errorf("%s: package comment begins %.40q, want %q", file, text, "Package "+f.Name.Name+" …")
	}
	return true
}
