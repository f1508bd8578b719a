package principal

import (
	"reflect"
	"strings"
)

// nearest returns the dotted known key that key was most likely meant to be, or "" when nothing is close.
func nearest(key []string, root reflect.Type) string {
	if len(key) == 0 {
		return ""
	}
	last := key[len(key)-1]
	best, bestDistance := "", len(last)/3+2
	for _, known := range knownKeys(root, "") {
		leaf := known[strings.LastIndexByte(known, '.')+1:]
		if distance := editDistance(last, leaf); distance < bestDistance {
			best, bestDistance = known, distance
		}
	}
	return best
}

// knownKeys lists the dotted keys of a struct type; the value of a map is shown under "<name>".
func knownKeys(t reflect.Type, prefix string) []string {
	switch t.Kind() {
	case reflect.Pointer:
		return knownKeys(t.Elem(), prefix)
	case reflect.Map:
		return knownKeys(t.Elem(), prefix+"<name>.")
	case reflect.Struct:
	default:
		return nil
	}
	var keys []string
	for i := range t.NumField() {
		tag := t.Field(i).Tag.Get("toml")
		if tag == "" || tag == "-" {
			continue
		}
		keys = append(keys, prefix+tag)
		keys = append(keys, knownKeys(t.Field(i).Type, prefix+tag+".")...)
	}
	return keys
}

// maxSuggestBytes bounds the words compared: longer keys are not typing slips.
const maxSuggestBytes = 64

// editDistance counts the single-byte edits between two short words.
func editDistance(a, b string) int {
	if len(a) > maxSuggestBytes || len(b) > maxSuggestBytes {
		return maxSuggestBytes
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
