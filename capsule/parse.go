package capsule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/pelletier/go-toml/v2"
)

// ManifestFile is the name of a manifest in its directory.
const ManifestFile = "Capsule.toml"

const (
	// MaxManifestBytes bounds a manifest before it is parsed.
	MaxManifestBytes = 256 << 10
	// maxPerSection bounds the tables of one kind.
	maxPerSection = 256
	// maxUplinks is the ABI's bound of uplinks a capsule.
	maxUplinks = 32
	// maxNameBytes bounds names of packages, tools, commands and the like: they
	// become segments of topics and keys.
	maxNameBytes = 64
)

// Options say how a manifest is read. The zero value works for a manifest
// without files beside it.
type Options struct {
	// Files holds the files beside the manifest, for schemas; nil for none.
	Files fs.FS
	// Runtime is what astrid-version is checked against; nil checks nothing.
	Runtime *semver.Version
}

// ReadManifest reads the manifest in a capsule's directory.
func ReadManifest(dir fs.FS, runtime *semver.Version) (*Manifest, error) {
	data, err := readFile(dir, ManifestFile, MaxManifestBytes)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return ParseManifest(data, Options{Files: dir, Runtime: runtime})
}

// readFile reads a regular file of at most limit bytes. A device or pipe is not
// opened.
func readFile(dir fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(dir, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return data, nil
}

// ParseManifest parses a manifest. Its error is a *ManifestError with every
// problem there is; a document that is no TOML has one.
func ParseManifest(data []byte, o Options) (*Manifest, error) {
	p := &parser{options: o, manifest: &Manifest{}}
	if len(data) > MaxManifestBytes {
		p.problems.add(place{}, "%d bytes, at most %d are read", len(data), MaxManifestBytes)
		return nil, p.problems.err(ManifestFile)
	}
	if err := checkNesting(data); err != nil {
		p.problems.add(place{}, "%s", err)
		return nil, p.problems.err(ManifestFile)
	}
	var values map[string]any
	if err := toml.NewDecoder(bytes.NewReader(data)).Decode(&values); err != nil {
		p.syntax(err)
		return nil, p.problems.err(ManifestFile)
	}
	p.document(&table{problems: &p.problems, at: locate(data), values: values})
	if err := p.problems.err(ManifestFile); err != nil {
		return nil, err
	}
	return p.manifest, nil
}

// maxNesting bounds brackets within brackets, for the sake of parsers that
// recurse; a schema with ten levels of objects needs twenty.
const maxNesting = 256

// checkNesting counts brackets outside of strings and comments.
func checkNesting(data []byte) error {
	depth := 0
	for len(data) > 0 {
		skip := 1
		switch data[0] {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '#':
			skip = 1 + through(data[1:], "\n", false)
		case '"', '\'':
			skip = stringEnd(data)
		}
		if depth > maxNesting {
			return fmt.Errorf("nested deeper than %d brackets", maxNesting)
		}
		data = data[skip:]
	}
	return nil
}

// stringEnd returns the length of the TOML string at the beginning of data.
func stringEnd(data []byte) int {
	quote := string(data[:1])
	escapes := quote == `"`
	if long := strings.Repeat(quote, 3); bytes.HasPrefix(data, []byte(long)) {
		return 3 + through(data[3:], long, escapes)
	}
	return 1 + through(data[1:], quote, escapes)
}

// through returns the length up to and including end, or of everything.
func through(data []byte, end string, escapes bool) int {
	for i := 0; i < len(data); i++ {
		if escapes && data[i] == '\\' {
			i++
			continue
		}
		if bytes.HasPrefix(data[i:], []byte(end)) {
			return i + len(end)
		}
	}
	return len(data)
}

type parser struct {
	options  Options
	problems problems
	manifest *Manifest
}

func (p *parser) syntax(err error) {
	wrong, ok := errors.AsType[*toml.DecodeError](err)
	if !ok {
		p.problems.add(place{}, "%s", strings.TrimPrefix(err.Error(), "toml: "))
		return
	}
	line, column := wrong.Position()
	p.problems.add(place{line, column}, "%s", strings.TrimPrefix(wrong.Error(), "toml: "))
}

// document reads the sections. Each reads its own part and nothing else, so that
// one fault hides no other.
func (p *parser) document(t *table) {
	p.packageTable(t)
	own, _ := t.sub("capabilities")
	p.components(t)
	p.capabilities(own)
	p.topics(t, own)
	p.interceptors(t)
	p.tools(t)
	p.commands(t)
	p.uplinks(t)
	p.servers(t)
	p.topicSchemas(t)
	p.manifest.Skills = p.documents(t, "skill")
	p.manifest.Contexts = p.documents(t, "context")
	p.imports(t)
	p.exports(t)
	p.env(t)
	if own != nil {
		own.end()
	}
	t.end()
	p.crossChecks()
}

func (p *parser) packageTable(t *table) {
	s, ok := t.sub("package")
	if !ok {
		if _, present := t.values["package"]; !present {
			p.problems.add(place{}, "the table [package] is missing")
		}
		return
	}
	out := &p.manifest.Package
	name := s.required("name")
	if name.s != "" && !validName(name.s) {
		p.problems.add(name.at, "package.name: %q has to be 1 to %d of a-z 0-9 and -", clip(name.s), maxNameBytes)
	}
	out.Name = name.s
	out.Version = p.version(s, "version", s.required("version"))
	out.Description = s.text("description").s
	out.Authors = s.strings("authors")
	for _, key := range []string{"repository", "homepage", "documentation", "license", "readme"} {
		s.text(key)
	}
	s.strings("keywords")
	s.strings("categories")
	out.AstridVersion = p.runtime(s)
	s.end()
}

// runtime reads the requirement on the kernel and checks it.
func (p *parser) runtime(s *table) *semver.Constraints {
	want := s.text("astrid-version")
	if want.s == "" {
		return nil
	}
	c, err := semver.NewConstraint(want.s)
	if err != nil {
		p.problems.add(want.at, "package.astrid-version: %q is no version requirement", clip(want.s))
		return nil
	}
	if v := p.options.Runtime; v != nil && !c.Check(v) {
		p.problems.add(want.at, "package.astrid-version: %q does not allow this kernel, which is %s", clip(want.s), v)
	}
	return c
}

func (p *parser) version(t *table, key string, v text) *semver.Version {
	if v.s == "" {
		return nil
	}
	parsed, err := semver.StrictNewVersion(v.s)
	if err != nil {
		p.problems.add(v.at, "%s: %q is no semantic version of the form 1.2.3", t.path(key), clip(v.s))
		return nil
	}
	return parsed
}

func (p *parser) components(t *table) {
	for _, s := range t.subs("component", maxPerSection) {
		c := Component{ID: s.text("id").s}
		file := s.required("file")
		c.File = p.file(s, "file", file)
		if kind := s.text("type"); kind.s != "" && kind.s != "executable" {
			p.problems.add(kind.at, "component.type: %q is not supported, only \"executable\" is", clip(kind.s))
		}
		if caps, ok := s.sub("capabilities"); ok {
			p.capabilities(caps)
			p.legacyTopics(caps)
			caps.end()
		}
		s.end()
		if p.manifest.Components = append(p.manifest.Components, c); len(p.manifest.Components) == 2 {
			p.problems.add(s.at.place, "component: a capsule has at most one in this version")
		}
	}
}

// file checks the path of a file beside the manifest.
func (p *parser) file(t *table, key string, name text) string {
	if name.s == "" {
		return ""
	}
	clean := path.Clean(strings.TrimPrefix(name.s, "./"))
	if !fs.ValidPath(clean) || clean == "." || strings.ContainsAny(name.s, "\\\x00") {
		p.problems.add(name.at, "%s: %q does not name a file inside the capsule", t.path(key), clip(name.s))
		return ""
	}
	p.manifest.files = append(p.manifest.files, clean)
	return clean
}

// validName is the rule for packages, namespaces and interfaces.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return s != "" && len(s) <= maxNameBytes
}

// validWord is the rule for names that become a segment of a topic.
func validWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return s != "" && len(s) <= maxNameBytes
}
