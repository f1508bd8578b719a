package principal

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// maxGroups bounds a groups file.
const maxGroups = 256

// Group is a named list of capability patterns. The zero value holds none.
type Group struct {
	// Name is the group's name, Description what its author says about it.
	Name, Description string
	// UnsafeAdmin is the author's consent to the pattern "*".
	UnsafeAdmin bool
	// Source is the file that defines the group, empty for a builtin one.
	Source       string
	capabilities []string
}

// Capabilities yields the group's patterns with their index in the file.
func (g Group) Capabilities() iter.Seq2[int, string] { return slices.All(g.capabilities) }

// Groups is an immutable set of groups; the zero value is empty.
type Groups struct{ byName map[string]Group }

// BuiltinGroups returns admin (everything), agent (one's own things) and restricted (nothing).
func BuiltinGroups() Groups {
	builtins := []Group{
		{Name: "admin", Description: "everything", UnsafeAdmin: true, capabilities: []string{"*"}},
		{Name: "agent", Description: "its own things", capabilities: []string{"self:*", "self:quota:get", "self:agent:list", "delegate:self:*"}},
		{Name: "restricted", Description: "nothing"},
	}
	byName := make(map[string]Group, len(builtins))
	for _, g := range builtins {
		byName[g.Name] = g
	}
	return Groups{byName: byName}
}

// Get returns the group of a name.
func (g Groups) Get(name string) (Group, bool) {
	group, ok := g.byName[name]
	return group, ok
}

// Names returns the names of all groups, sorted.
func (g Groups) Names() []string { return slices.Sorted(maps.Keys(g.byName)) }

// groupsFile is etc/groups.toml.
type groupsFile struct {
	Groups map[string]groupEntry `toml:"groups"`
}

type groupEntry struct {
	Capabilities []string `toml:"capabilities"`
	Description  string   `toml:"description"`
	UnsafeAdmin  bool     `toml:"unsafe_admin"`
}

// ParseGroups reads a groups file and returns its groups beside the builtin ones. Redefining a builtin group, and "*"
// without unsafe_admin = true, are errors.
func ParseGroups(file string, data []byte) (Groups, error) {
	doc := document{file: file, data: data}
	var parsed groupsFile
	if err := doc.decode(&parsed); err != nil {
		return Groups{}, err
	}
	if len(parsed.Groups) > maxGroups {
		return Groups{}, doc.fail(fmt.Sprintf("%d groups, at most %d are allowed", len(parsed.Groups), maxGroups))
	}
	groups := BuiltinGroups()
	builtin := BuiltinGroups()
	for _, name := range slices.Sorted(maps.Keys(parsed.Groups)) {
		entry := parsed.Groups[name]
		if err := entry.check(name, builtin); err != nil {
			return Groups{}, doc.locate(err)
		}
		groups.byName[name] = Group{Name: name, Description: entry.Description, UnsafeAdmin: entry.UnsafeAdmin,
			Source: file, capabilities: entry.Capabilities}
	}
	return groups, nil
}

func (e groupEntry) check(name string, builtin Groups) error {
	key := "groups." + name
	if err := checkName(name); err != nil {
		return &keyError{key: key, index: -1, problem: "group name: " + err.Error()}
	}
	if _, ok := builtin.Get(name); ok {
		return &keyError{key: key, index: -1, problem: "is a builtin group and cannot be redefined; choose another name"}
	}
	return checkEach(key+".capabilities", e.Capabilities, func(pattern string) error {
		if pattern == "*" && !e.UnsafeAdmin {
			return errors.New(`"*" gives every right; add unsafe_admin = true to the group if that is meant`)
		}
		return CheckPattern(pattern)
	})
}
