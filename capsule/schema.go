package capsule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

const (
	// maxSchemaDepth bounds a schema's nesting.
	maxSchemaDepth = 32
	// maxSchemaNodes bounds a schema with its references written out. It bounds
	// what one value costs, and so does maxValidation for a whole document:
	// without them a kilobyte of schema can ask for centuries of work.
	maxSchemaNodes = 4096
	maxValidation  = 20 << 20
	// maxViolations bounds what one error lists.
	maxViolations = 32
)

// schema validates the arguments of one tool.
type schema struct {
	compiled *jsonschema.Schema
	nodes    int // with references written out
}

// noLoader refuses every document outside the schema.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("reference to %s leaves the schema", url)
}

// schemaURL is where a schema pretends to be, so that nothing resolves to a file.
const schemaURL = "capsule:///input_schema"

// compileSchema checks and compiles a schema for a tool's arguments, which are an
// object.
func compileSchema(raw []byte) (*schema, error) {
	if len(raw) > maxSchemaBytes {
		return nil, fmt.Errorf("schema of %d bytes, at most %d are allowed", len(raw), maxSchemaBytes)
	}
	document, err := decodeJSON(raw)
	if err != nil {
		return nil, err
	}
	root, ok := document.(map[string]any)
	if !ok || root["type"] != "object" {
		return nil, errors.New(`schema has to be an object with type = "object"`)
	}
	c := counter{root: root, known: map[string]int{}}
	nodes, err := c.count(root, 0)
	if err != nil {
		return nil, err
	}
	if _, err := size(document); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	compiled, err := compiler.Compile(schemaURL)
	if err != nil {
		return nil, errors.New("schema: " + firstFault(err))
	}
	return &schema{compiled: compiled, nodes: nodes}, nil
}

// firstFault shortens the error of the compiler to what its author can act on.
func firstFault(err error) string {
	invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err)
	if !ok {
		return err.Error()
	}
	wrong, ok := errors.AsType[*jsonschema.ValidationError](invalid.Err)
	if !ok {
		return invalid.Err.Error()
	}
	return violations(wrong)[0]
}

// counter counts the nodes of a schema with its references written out, and
// refuses what would make the count meaningless.
type counter struct {
	root  map[string]any
	known map[string]int // by reference; -1 while it is counted
}

func (c *counter) count(v any, depth int) (int, error) {
	if depth > maxSchemaDepth {
		return 0, fmt.Errorf("schema is nested deeper than %d", maxSchemaDepth)
	}
	n := 1
	add := func(child any) error {
		more, err := c.count(child, depth+1)
		n += more
		if err == nil && n > maxSchemaNodes {
			err = fmt.Errorf("schema has more than %d nodes with its references written out", maxSchemaNodes)
		}
		return err
	}
	switch v := v.(type) {
	case map[string]any:
		if more, err := c.reference(v, depth); err != nil {
			return 0, err
		} else if n += more; n > maxSchemaNodes {
			return 0, fmt.Errorf("schema has more than %d nodes with its references written out", maxSchemaNodes)
		}
		for key, child := range v {
			if slices.Contains([]string{"$defs", "definitions"}, key) && depth == 0 {
				continue // counted where it is referred to
			}
			if err := add(child); err != nil {
				return 0, err
			}
		}
	case []any:
		for _, child := range v {
			if err := add(child); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// reference counts what a node refers to. References go to definitions of the
// schema itself and never back, so that no document is validated for ever.
func (c *counter) reference(node map[string]any, depth int) (int, error) {
	for _, key := range []string{"$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"} {
		if _, ok := node[key].(string); ok {
			return 0, fmt.Errorf("schema uses %s; only $ref to \"#/$defs/…\" is supported", key)
		}
	}
	ref, ok := node["$ref"].(string)
	if !ok {
		return 0, nil
	}
	target, err := c.resolve(ref)
	if err != nil {
		return 0, err
	}
	switch n, known := c.known[ref]; {
	case known && n < 0:
		return 0, fmt.Errorf("schema refers to itself through %q", clip(ref))
	case known:
		return n, nil
	}
	c.known[ref] = -1
	n, err := c.count(target, depth+1)
	c.known[ref] = n
	return n, err
}

func (c *counter) resolve(ref string) (any, error) {
	for _, section := range []string{"$defs", "definitions"} {
		name, ok := strings.CutPrefix(ref, "#/"+section+"/")
		if !ok || strings.ContainsAny(name, "/~%") {
			continue
		}
		if defs, ok := c.root[section].(map[string]any); ok {
			if target, ok := defs[name]; ok {
				return target, nil
			}
		}
		return nil, fmt.Errorf("schema refers to %q, which it does not define", clip(ref))
	}
	return nil, fmt.Errorf("schema refers to %q; only $ref to \"#/$defs/…\" is supported", clip(ref))
}

// ArgumentsError lists every way in which arguments do not fit their schema.
type ArgumentsError struct {
	Tool string
	// Violations name the place in the arguments, "/" for the whole, and the fault.
	Violations []string
}

// Error renders all violations in one line.
func (e *ArgumentsError) Error() string {
	return "arguments of " + e.Tool + ": " + strings.Join(e.Violations, "; ")
}

// validate checks arguments, a JSON object without duplicate members.
func (s *schema) validate(arguments []byte) []string {
	document, err := decodeJSON(arguments)
	if err != nil {
		return []string{err.Error()}
	}
	if _, ok := document.(map[string]any); !ok {
		return []string{"/: want an object"}
	}
	if s == nil {
		return nil
	}
	values, err := size(document)
	if err != nil {
		return []string{err.Error()}
	}
	if values > maxValidation/s.nodes {
		return []string{"/: more values than can be checked against the schema"}
	}
	err = s.compiled.Validate(document)
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return violations(wrong)
	}
	return []string{err.Error()}
}

// decodeJSON decodes strictly and keeps numbers as they are written.
func decodeJSON(raw []byte) (any, error) {
	if !jsontext.Value(raw).IsValid() {
		return nil, errors.New("not valid JSON, or a member stands there twice")
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(raw))
}

// size counts the values of a document. It fails on numbers that a validator would
// write out: "1e999999" is short, but not for who divides it.
func size(v any) (int, error) {
	n := 1
	add := func(child any) error {
		more, err := size(child)
		n += more
		return err
	}
	switch v := v.(type) {
	case json.Number:
		return n, checkNumber(v.String())
	case map[string]any:
		for _, child := range v {
			if err := add(child); err != nil {
				return n, err
			}
		}
	case []any:
		for _, child := range v {
			if err := add(child); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// maxNumberBytes and maxExponent bound a number: a float64 needs no more.
const (
	maxNumberBytes = 64
	maxExponent    = 400
)

func checkNumber(s string) error {
	_, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	if exponent == "" {
		exponent = "0"
	}
	e, err := strconv.Atoi(exponent)
	if err != nil || e > maxExponent || e < -maxExponent || len(s) > maxNumberBytes {
		return fmt.Errorf("number %s is too long or has too large an exponent", clip(s))
	}
	return nil
}

// violations lists the leaves of an error, in a stable order.
func violations(e *jsonschema.ValidationError) []string {
	printer := message.NewPrinter(language.English)
	var out []string
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 {
			out = append(out, "/"+strings.Join(e.InstanceLocation, "/")+": "+e.ErrorKind.LocalizedString(printer))
		}
		for _, cause := range e.Causes {
			walk(cause)
		}
	}
	walk(e)
	slices.Sort(out)
	out = slices.Compact(out)
	if more := len(out) - maxViolations; more > 0 {
		out = append(out[:maxViolations], fmt.Sprintf("and %d more", more))
	}
	return out
}
