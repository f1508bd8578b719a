package component

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// version is a semantic version 2.0. Its parts stay text: they may be larger
// than any integer type.
type version struct {
	major, minor, patch string
	pre                 string // without the hyphen
}

var errVersion = errors.New("not a semantic version")

// parseVersion parses a semantic version; build metadata is checked and left
// out, since it takes no part in precedence.
func parseVersion(s string) (version, error) {
	core, build, hasBuild := strings.Cut(s, "+")
	core, pre, hasPre := strings.Cut(core, "-")
	parts := strings.Split(core, ".")
	if len(parts) != 3 || !isNumber(parts[0]) || !isNumber(parts[1]) || !isNumber(parts[2]) {
		return version{}, fmt.Errorf("%s: %w", quote(s), errVersion)
	}
	if hasPre && !identifiers(pre, true) || hasBuild && !identifiers(build, false) {
		return version{}, fmt.Errorf("%s: %w", quote(s), errVersion)
	}
	return version{parts[0], parts[1], parts[2], pre}, nil
}

// isNumber reports whether s is digits without a leading zero.
func isNumber(s string) bool { return digits(s) && (len(s) == 1 || s[0] != '0') }

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// identifiers checks dot-separated identifiers; those of a pre-release that
// are numbers have no leading zero.
func identifiers(s string, pre bool) bool {
	for _, id := range strings.Split(s, ".") {
		if id == "" || pre && digits(id) && !isNumber(id) {
			return false
		}
		for i := range len(id) {
			if c := id[i]; c != '-' && !isDigit(c) && !isLower(c) && !isUpper(c) {
				return false
			}
		}
	}
	return true
}

// isCanonical reports whether s is a canonical version: what decides whether
// two versions are compatible, and no more.
func isCanonical(s string) bool {
	if s == "0.0.0" || isNumber(s) && s != "0" {
		return true
	}
	minor, zero := strings.CutPrefix(s, "0.")
	patch, twice := strings.CutPrefix(minor, "0.")
	return zero && isNumber(minor) && minor != "0" || twice && isNumber(patch) && patch != "0"
}

// track returns the canonical version of v: versions are compatible only if
// theirs are equal. A pre-release is compatible with nothing but itself.
func (v version) track() string {
	switch {
	case v.pre != "":
		return v.major + "." + v.minor + "." + v.patch + "-" + v.pre
	case v.major != "0":
		return v.major
	case v.minor != "0":
		return "0." + v.minor
	}
	return "0.0." + v.patch
}

// compare orders versions.
func (v version) compare(w version) int {
	return cmp.Or(compareNumbers(v.major, w.major), compareNumbers(v.minor, w.minor), compareNumbers(v.patch, w.patch))
}

func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// satisfies reports whether an interface called offered may stand for one that
// a guest knows as wanted: the same name, and either the same version or
// another of the same track whose minor version is not older. Patches change
// no interface. Before 1.0.0 they may add to one; whether what is wanted is
// there, shows when its functions are looked for. A guest that names only the
// track takes any of it.
func satisfies(offered, wanted string) bool {
	if offered == wanted {
		return true
	}
	name, ov, versioned := strings.Cut(offered, "@")
	wname, wv, wversioned := strings.Cut(wanted, "@")
	if name != wname || !versioned || !wversioned {
		return false
	}
	have, err := parseVersion(ov)
	if err != nil {
		return false
	}
	if isCanonical(wv) && have.track() == wv {
		return true
	}
	want, err := parseVersion(wv)
	return err == nil && have.track() == want.track() && compareNumbers(have.minor, want.minor) >= 0
}

// better reports whether offered a suits a guest better than b, both of which
// satisfy it: the exact one, then the latest.
func better(a, b, wanted string) bool {
	if a == wanted || b == wanted {
		return a == wanted
	}
	_, av, _ := strings.Cut(a, "@")
	_, bv, _ := strings.Cut(b, "@")
	va, errA := parseVersion(av)
	vb, errB := parseVersion(bv)
	return errA == nil && (errB != nil || va.compare(vb) > 0)
}
