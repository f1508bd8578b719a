package capsule

import (
	"bytes"
	"encoding/json"
	"strings"
)

// maxSchemaBytes bounds one schema as JSON.
const maxSchemaBytes = 64 << 10

func (p *parser) tools(t *table) {
	seen := map[string]bool{}
	for _, s := range t.subs("tool", maxPerSection) {
		name := s.required("name")
		p.unique(s, name, seen)
		tool := Tool{
			Name: name.s, Description: s.text("description_for_llm").s, Mutable: s.boolean("mutable"), Line: s.at.line,
		}
		if wit := s.text("input_schema_wit"); wit.s != "" {
			p.notice(wit.at.line, false, s.path("input_schema_wit")+" is not acted upon; use input_schema")
		}
		p.inputSchema(s, &tool)
		s.end()
		p.manifest.Tools = append(p.manifest.Tools, tool)
	}
}

// inputSchema reads a schema that stands in the manifest or in a file beside it.
func (p *parser) inputSchema(s *table, tool *Tool) {
	v, at, ok := s.take("input_schema")
	if !ok {
		return
	}
	var raw []byte
	switch v := v.(type) {
	case string:
		raw = p.schemaFile(s, text{s: v, at: at.place})
	case map[string]any:
		encoded, err := json.Marshal(v)
		if err != nil {
			p.problems.add(at.place, "%s: %s", s.path("input_schema"), err)
		}
		raw = encoded
	default:
		s.wrong(at.place, "input_schema", "a table or the name of a .json file", v)
	}
	if raw == nil {
		return
	}
	schema, err := compileSchema(raw)
	if err != nil {
		p.problems.add(at.place, "%s: %s", s.path("input_schema"), err)
		return
	}
	tool.InputSchema, tool.schema = raw, schema
}

func (p *parser) schemaFile(s *table, name text) []byte {
	file := p.file(s, "input_schema", name)
	switch {
	case name.s == "":
		p.problems.add(name.at, "%s is empty", s.path("input_schema"))
		return nil
	case file == "":
		return nil
	case !strings.HasSuffix(file, ".json"):
		p.problems.add(name.at, "%s: %q does not end in .json", s.path("input_schema"), clip(file))
		return nil
	case p.options.Files == nil:
		p.problems.add(name.at, "%s: %q cannot be read: there are no files beside this manifest", s.path("input_schema"), clip(file))
		return nil
	}
	data, err := readFile(p.options.Files, file, maxSchemaBytes)
	if err != nil {
		p.problems.add(name.at, "%s: %s", s.path("input_schema"), err)
		return nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		p.problems.add(name.at, "%s: %s is not valid JSON", s.path("input_schema"), clip(file))
		return nil
	}
	return compact.Bytes()
}
