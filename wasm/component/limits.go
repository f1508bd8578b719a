package component

// Limits bound what Decode accepts. Fields that are zero mean the default.
type Limits struct {
	// Bytes bounds the component. A Python interpreter with an application in
	// it takes 40 MB; the default is 64 MB.
	Bytes int

	// Nesting bounds components in components and types in types. Composed
	// components nest a handful deep; the default is 32.
	Nesting int

	// Definitions bounds each index space of each component, and the fields
	// of a type. The default is 100,000.
	Definitions int

	// TypeNodes bounds the work on types: each part of a type that is made,
	// substituted or compared counts. Types share their parts, so that a small
	// component could describe one without bound. The default is 1,000,000,
	// which is some tens of milliseconds.
	TypeNodes int

	// TypeDepth bounds how deep a value type nests; values of the type are
	// moved by recursion. The default is 100.
	TypeDepth int
}

// Defaults of Limits, and what has no need to be configured.
const (
	defaultBytes       = 64 << 20
	defaultNesting     = 32
	defaultDefinitions = 100_000
	defaultTypeNodes   = 1_000_000
	defaultTypeDepth   = 100

	maxNameBytes = 100_000 // of one name: mangled C++ symbols of core modules are long
)

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.Bytes, defaultBytes},
		{&l.Nesting, defaultNesting},
		{&l.Definitions, defaultDefinitions},
		{&l.TypeNodes, defaultTypeNodes},
		{&l.TypeDepth, defaultTypeDepth},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return l
}
