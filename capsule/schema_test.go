package capsule

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSchemasThatAreRefused(t *testing.T) {
	object := func(rest string) string { return `{"type":"object",` + rest + `}` }
	tripling := `"$defs":{"d0":{}`
	for i := range 9 {
		tripling += fmt.Sprintf(`,"d%d":{"anyOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%[2]d"},{"$ref":"#/$defs/d%[2]d"}]}`, i+1, i)
	}
	for rule, c := range map[string]struct{ schema, want string }{
		"no JSON":              {`{`, "not valid JSON"},
		"a member twice":       {`{"type":"object","type":"object"}`, "not valid JSON"},
		"a list":               {`[]`, `type = "object"`},
		"a file":               {object(`"$ref":"file:///etc/passwd"`), "only $ref to"},
		"a URL":                {object(`"properties":{"a":{"$ref":"https://x/y"}}`), "only $ref to"},
		"another dialect":      {object(`"$schema":"https://example.com/dialect"`), "leaves the schema"},
		"a name of its own":    {object(`"$id":"https://x/y"`), "uses $id"},
		"a dynamic reference":  {object(`"$dynamicRef":"#a"`), "uses $dynamicRef"},
		"itself":               {object(`"properties":{"a":{"$ref":"#"}}`), "only $ref to"},
		"a circle":             {object(`"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"items":{"$ref":"#/$defs/a"}}}`), "refers to itself"},
		"nothing":              {object(`"$ref":"#/$defs/a"`), "does not define"},
		"an escaped reference": {object(`"$ref":"#/$defs/a~1b"`), "only $ref to"},
		"tripling definitions": {object(tripling + `},"$ref":"#/$defs/d9"`), "more than 4096 nodes"},
		"depth":                {object(`"properties":` + strings.Repeat(`{"a":`, 40) + `{}` + strings.Repeat(`}`, 40)), "nested deeper than 32"},
		"a bad expression":     {object(`"properties":{"a":{"pattern":"("}}`), "pattern"},
		"a huge number":        {object(`"properties":{"a":{"multipleOf":1e999999}}`), "too large an exponent"},
		"size":                 {object(`"title":"` + strings.Repeat("x", maxSchemaBytes) + `"`), "at most 65536"},
	} {
		if _, err := compileSchema([]byte(c.schema)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", rule, err, c.want)
		}
	}
}

func TestReferencesInsideASchema(t *testing.T) {
	s, err := compileSchema([]byte(`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",
		"properties":{"a":{"$ref":"#/$defs/n"},"b":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"integer","minimum":1}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.validate([]byte(`{"a":0,"b":"x"}`)); len(got) != 2 {
		t.Errorf("violations %q", got)
	}
}

func catalogue(t *testing.T, schemas ...string) *Catalogue {
	t.Helper()
	text := head
	for i, s := range schemas {
		text += fmt.Sprintf("[[tool]]\nname = \"t%d\"\n%s\n", i, s)
	}
	c, conflicts := NewCatalogue(7, []*Manifest{parse(t, text)})
	if len(conflicts) > 0 {
		t.Fatal(conflicts)
	}
	return c
}

func TestArgumentsAreCheckedInFull(t *testing.T) {
	c := catalogue(t, `input_schema = { type = "object", required = ["path", "n"], additionalProperties = false, properties = { path = { type = "string", minLength = 1 }, n = { type = "integer", maximum = 9 }, list = { type = "array", items = { type = "string" } } } }`, ``)
	for _, row := range []struct{ args, want string }{
		{`{"path":"a","n":1}`, ``},
		{`{"path":"a","n":1,"list":["x"]}`, ``},
		{`{"path":"","n":10,"extra":1,"list":["a",2]}`,
			`arguments of t0: /: additional properties 'extra' not allowed; /list/1: got number, want string; /n: maximum: got 10, want 9; /path: minLength: got 0, want 1`},
		{`{}`, `arguments of t0: /: missing properties 'path', 'n'`},
		{`[]`, `arguments of t0: /: want an object`},
		{`{`, `arguments of t0: not valid JSON, or a member stands there twice`},
		{`{"path":"a","path":"b","n":1}`, `arguments of t0: not valid JSON, or a member stands there twice`},
		{`{"path":"a","n":1e999999}`, `arguments of t0: number 1e999999 is too long or has too large an exponent`},
	} {
		err := c.ValidateArgs("t0", []byte(row.args))
		if got := fmt.Sprint(err); row.want == "" && err != nil || row.want != "" && got != row.want {
			t.Errorf("%s: %s, want %s", row.args, got, row.want)
		}
	}
	if err := c.ValidateArgs("t1", []byte(`{"anything":[1]}`)); err != nil {
		t.Errorf("a tool without a schema: %v", err)
	}
	if err := c.ValidateArgs("t1", []byte(`1`)); err == nil {
		t.Error("a tool without a schema took a number")
	}
	if err := c.ValidateArgs("t9", []byte(`{}`)); !errors.Is(err, ErrNoTool) || c.Has("t9") {
		t.Errorf("a tool that is not there: %v", err)
	}
}

func TestTheWorkOfACheckIsBounded(t *testing.T) {
	var any strings.Builder
	for i := range 500 {
		fmt.Fprintf(&any, `{ const = %d },`, i)
	}
	c := catalogue(t, `input_schema = { type = "object", properties = { list = { type = "array", items = { anyOf = [`+any.String()+`] } } } }`)
	args := `{"list":[` + strings.Repeat("0,", 100_000) + `0]}`
	if err := c.ValidateArgs("t0", []byte(args)); err == nil || !strings.Contains(err.Error(), "more values than can be checked") {
		t.Fatal(err)
	}
	if err := c.ValidateArgs("t0", []byte(`{"list":[1,2,499]}`)); err != nil {
		t.Fatal(err)
	}
}

func TestTheCatalogueIsTheSameForTheSameTools(t *testing.T) {
	a := parse(t, strings.Replace(head, `"a"`, `"one"`, 1)+"[[tool]]\nname = \"z\"\nmutable = true\n[[tool]]\nname = \"b\"\ndescription_for_llm = \"B.\"\ninput_schema = { type = \"object\", properties = { y = {}, x = {} } }")
	b := parse(t, strings.Replace(head, `"a"`, `"two"`, 1)+"[[tool]]\nname = \"m\"\n")
	var texts []string
	for _, order := range [][]*Manifest{{a, b}, {b, a}} {
		c, conflicts := NewCatalogue(3, order)
		text, err := c.JSON()
		if err != nil || len(conflicts) > 0 || c.Generation() != 3 {
			t.Fatal(err, conflicts)
		}
		texts = append(texts, string(text))
	}
	want := `{"generation":3,"tools":[{"name":"b","description":"B.","capsule":"one","version":"1.0.0","mutable":false,"input_schema":{"properties":{"x":{},"y":{}},"type":"object"}},` +
		`{"name":"m","description":"","capsule":"two","version":"1.0.0","mutable":false,"input_schema":{"type":"object"}},` +
		`{"name":"z","description":"","capsule":"one","version":"1.0.0","mutable":true,"input_schema":{"type":"object"}}]}`
	if texts[0] != want || texts[1] != want {
		t.Errorf("got\n%s\n%s\nwant\n%s", texts[0], texts[1], want)
	}
	empty, _ := NewCatalogue(0, nil)
	if text, err := empty.JSON(); err != nil || string(text) != `{"generation":0,"tools":[]}` {
		t.Errorf("an empty one is %s, %v", text, err)
	}
}

func TestALaterCapsuleTakesNoNameOver(t *testing.T) {
	first := parse(t, head+"[[tool]]\nname = \"x\"\n")
	second := parse(t, strings.Replace(head, `"a"`, `"evil"`, 1)+"[[tool]]\nname = \"x\"\ninput_schema = { type = \"object\", maxProperties = 0 }")
	c, conflicts := NewCatalogue(1, []*Manifest{first, second})
	if !slices.Equal(conflicts, []Conflict{{Tool: "x", Capsule: "evil", Holder: "a"}}) {
		t.Errorf("conflicts %v", conflicts)
	}
	if tool, ok := c.Lookup("x"); !ok || tool.Capsule != "a" || c.ValidateArgs("x", []byte(`{"k":1}`)) != nil || len(c.Tools()) != 1 {
		t.Errorf("the tool is %+v", tool)
	}
}

func FuzzValidateArgs(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"type":"string"}}}`, `{"a":1}`)
	f.Add(`{"type":"object","$ref":"#/$defs/x","$defs":{"x":{"anyOf":[{},{}]}}}`, `{}`)
	f.Add(`{"type":"object","uniqueItems":true,"multipleOf":0.1}`, `{"a":[1.0,1]}`)
	f.Fuzz(func(t *testing.T, schemaText, args string) {
		s, err := compileSchema([]byte(schemaText))
		if err != nil {
			return
		}
		if got := s.validate([]byte(args)); len(got) == 0 && !json.Valid([]byte(args)) {
			t.Fatalf("%q was accepted", args)
		}
	})
}
