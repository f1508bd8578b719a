package capsule

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNoTool is wrapped by ValidateArgs when the catalogue has no such tool.
var ErrNoTool = errors.New("no such tool")

// Catalogue is the tools of a set of capsules. It is immutable.
type Catalogue struct {
	generation uint64
	tools      []CatalogueTool // by name
	schemas    map[string]*schema
}

// CatalogueTool is one tool as clients and models see it.
type CatalogueTool struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Capsule     string `json:"capsule"`
	Version     string `json:"version"`
	Mutable     bool   `json:"mutable"`
	// InputSchema is a JSON Schema; a tool without one takes any object.
	InputSchema json.RawMessage `json:"input_schema"`
}

// Conflict is a tool that is not in the catalogue because another capsule has one
// of that name.
type Conflict struct{ Tool, Capsule, Holder string }

// anyObject is the schema of tools without one.
const anyObject = `{"type":"object"}`

// NewCatalogue makes the catalogue of capsules in the order of their loading: the
// first tool of a name wins, so that a later capsule can never take a name over.
func NewCatalogue(generation uint64, manifests []*Manifest) (*Catalogue, []Conflict) {
	c := &Catalogue{generation: generation, schemas: map[string]*schema{}}
	holder := map[string]string{}
	var conflicts []Conflict
	for _, m := range manifests {
		for _, t := range m.Tools {
			if first, taken := holder[t.Name]; taken {
				conflicts = append(conflicts, Conflict{Tool: t.Name, Capsule: m.Name(), Holder: first})
				continue
			}
			holder[t.Name] = m.Name()
			c.schemas[t.Name] = t.schema
			c.tools = append(c.tools, t.entry(m))
		}
	}
	slices.SortFunc(c.tools, func(a, b CatalogueTool) int { return strings.Compare(a.Name, b.Name) })
	return c, conflicts
}

func (t Tool) entry(m *Manifest) CatalogueTool {
	schema := t.InputSchema
	if schema == nil {
		schema = json.RawMessage(anyObject)
	}
	return CatalogueTool{
		Name: t.Name, Description: t.Description, Capsule: m.Name(), Version: m.Package.Version.String(),
		Mutable: t.Mutable, InputSchema: schema,
	}
}

// Generation is what the catalogue was made with.
func (c *Catalogue) Generation() uint64 { return c.generation }

// Tools returns the tools by name. The slice is the caller's, the schemas are not.
func (c *Catalogue) Tools() []CatalogueTool { return slices.Clone(c.tools) }

// Lookup returns a tool.
func (c *Catalogue) Lookup(name string) (CatalogueTool, bool) {
	i, ok := slices.BinarySearchFunc(c.tools, name, func(t CatalogueTool, name string) int {
		return strings.Compare(t.Name, name)
	})
	if !ok {
		return CatalogueTool{}, false
	}
	return c.tools[i], true
}

// Has reports whether there is a tool of that name.
func (c *Catalogue) Has(name string) bool {
	_, ok := c.Lookup(name)
	return ok
}

// JSON is {"generation":…,"tools":[…]}: the same bytes for the same tools,
// whatever the order of the manifests.
func (c *Catalogue) JSON() ([]byte, error) {
	tools := c.tools
	if tools == nil {
		tools = []CatalogueTool{}
	}
	raw, err := json.Marshal(struct {
		Generation uint64          `json:"generation"`
		Tools      []CatalogueTool `json:"tools"`
	}{c.generation, tools})
	if err != nil {
		return nil, fmt.Errorf("encode the tool catalogue: %w", err)
	}
	return raw, nil
}

// ValidateArgs checks the arguments of a call. The error wraps ErrNoTool or is an
// *ArgumentsError with all violations.
func (c *Catalogue) ValidateArgs(tool string, arguments []byte) error {
	if !c.Has(tool) {
		return fmt.Errorf("%w: %s", ErrNoTool, clip(tool))
	}
	if wrong := c.schemas[tool].validate(arguments); len(wrong) > 0 {
		return &ArgumentsError{Tool: tool, Violations: wrong}
	}
	return nil
}
