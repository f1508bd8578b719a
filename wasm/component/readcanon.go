package component

import (
	"github.com/tetratelabs/wazero/api"

	"github.com/astrid-go/astrid/wasm/canon"
)

// i32s returns n times i32.
func i32s(n int) []api.ValueType {
	types := make([]api.ValueType, n)
	for i := range types {
		types[i] = api.ValueTypeI32
	}
	return types
}

// Canonical built-ins.
const (
	canonLift         = 0x00
	canonLower        = 0x01
	canonResourceNew  = 0x02
	canonResourceDrop = 0x03
	canonResourceRep  = 0x04
)

// canon reads a canonical definition.
func (p *parser) canon() {
	switch b := p.byte(); b {
	case canonLift:
		p.sortByte("canonical function lift")
		p.lift()
	case canonLower:
		p.sortByte("canonical function lower")
		p.lower()
	case canonResourceNew, canonResourceDrop, canonResourceRep:
		p.resourceCanon(b)
	default:
		p.otherCanon(b)
	}
}

func (p *parser) sortByte(what string) {
	if b := p.byte(); b != 0x00 {
		p.unexpected(b, what)
	}
}

// otherCanon refuses what this package has not, in words for its author.
func (p *parser) otherCanon(b byte) {
	switch {
	case b >= 0x1c && b <= 0x1e:
		p.invalid("unsupported: error contexts")
	case b == 0x26 || b >= 0x27 && b <= 0x2d || b >= 0x40 && b <= 0x42:
		p.invalid("unsupported: threads")
	case b == 0x05 || b == 0x06 || b >= 0x08 && b <= 0x25:
		p.invalid("unsupported: async built-ins")
	default:
		p.unexpected(b, "canonical function")
	}
}

func (p *parser) lift() {
	i := p.u32()
	item := element(p.reader, "core func", p.core[coreFunc].items, i)
	opts := p.options()
	ft := typeAt[*funcType](p, "a function type")
	if p.failed() {
		return
	}
	flat := ft.flat().FlattenLift()
	if want := (signature{flat.Params, flat.Results}); !item.sig.equal(want) {
		p.invalid("lowered signature %s does not match core function's %s", want, item.sig)
		return
	}
	lowers := flat.SpillParams
	for _, param := range ft.params {
		lowers = lowers || param.typ.pointers
	}
	lifts := flat.SpillResult || ft.result != nil && ft.result.pointers
	p.require(opts, lowers || lifts, lowers)
	if opts.post != nil {
		if want := (signature{params: flat.Results}); !opts.postSig.equal(want) {
			p.invalid("canonical option `post-return` has type %s, it must be %s", opts.postSig, want)
		}
	}
	p.define(&liftDef{core: *p.funcSource(i), typ: ft, opts: opts}, externType{"", sortFunc, ft})
}

func (p *parser) lower() {
	i := p.u32()
	ft := element(p.reader, "func", p.funcs, i)
	opts := p.options()
	if p.failed() {
		return
	}
	flat := ft.flat().FlattenLower()
	lifts := flat.SpillParams
	for _, param := range ft.params {
		lifts = lifts || param.typ.pointers
	}
	lowers := ft.result != nil && ft.result.pointers
	p.require(opts, lifts || lowers || flat.SpillResult, lowers)
	if opts.post != nil {
		p.invalid("canonical option `post-return` cannot be specified for lowerings")
	}
	p.addSite(signature{flat.Params, flat.Results}, &lowerDef{fn: int(i), typ: ft, opts: opts})
}

// require checks that the options have what the values need.
func (p *parser) require(opts canonOptions, memory, realloc bool) {
	if memory && opts.memory == nil {
		p.invalid("canonical option `memory` is required")
	}
	if realloc && opts.realloc == nil {
		p.invalid("canonical option `realloc` is required")
	}
	if opts.realloc != nil && opts.memory == nil {
		p.invalid("canonical option `realloc` requires `memory` to also be specified")
	}
}

// addSite adds a core function that this package makes.
func (p *parser) addSite(sig signature, d siteDef) {
	s := &site{number: p.decoder.nextSite(), sig: sig, def: d}
	c := p.scope.component
	s.local = len(c.sites)
	c.sites = append(c.sites, s)
	p.perform(s)
	p.core[coreFunc].add(coreItem{sort: coreFunc, sig: &s.sig}, coreSource{site: s})
}

func (p *parser) resourceCanon(b byte) {
	i := p.u32()
	r, ok := element(p.reader, "type", p.types, i).(*resourceType)
	if p.failed() {
		return
	}
	if !ok {
		p.invalid("type index %d is not a resource type", i)
		return
	}
	if b != canonResourceDrop && !p.local[r.id] {
		p.invalid("type index %d is not a local resource: not defined in this component", i)
		return
	}
	sig := signature{i32s(1), i32s(1)}
	if b == canonResourceDrop {
		sig.results = nil
	}
	p.addSite(sig, &resourceCanonDef{op: b, id: r.id})
}

// canonOptions are the options of a lifted or lowered function.
type canonOptions struct {
	encoding canon.Encoding
	memory   *coreSource
	realloc  *coreSource
	post     *coreSource
	postSig  *signature
}

// Canonical options.
const (
	optUTF8 = iota
	optUTF16
	optLatin1
	optMemory
	optRealloc
	optPostReturn
	optAsync
	optCallback
)

// options reads canonical options, each of which is given at most once.
func (p *parser) options() (o canonOptions) {
	var seen [optCallback + 1]bool
	for range p.count(p.limits.Definitions) {
		b := p.byte()
		if b > optCallback {
			p.unexpected(b, "canonical option")
		}
		if p.failed() {
			return o
		}
		key := b
		if b <= optLatin1 {
			key = optUTF8
		}
		if seen[key] {
			p.invalid("canonical option 0x%x is specified more than once", b)
		}
		seen[key] = true
		p.option(&o, b)
	}
	return o
}

func (p *parser) option(o *canonOptions, b byte) {
	switch b {
	case optUTF8:
	case optUTF16:
		o.encoding = canon.UTF16
	case optLatin1:
		o.encoding = canon.Latin1OrUTF16
	case optMemory:
		i := p.u32()
		item := element(p.reader, "core memory", p.core[coreMemory].items, i)
		if item.limits.shared {
			p.invalid("unsupported: shared memory")
		}
		if !p.failed() {
			s := p.core[coreMemory].sources[i]
			o.memory = &s
		}
	case optRealloc:
		o.realloc, _ = p.optionFunc("realloc", &signature{i32s(4), i32s(1)})
	case optPostReturn:
		o.post, o.postSig = p.optionFunc("post-return", nil)
	default:
		p.invalid("unsupported: async functions")
	}
}

// optionFunc reads the function of an option, which must be of type want if
// that is not nil.
func (p *parser) optionFunc(what string, want *signature) (*coreSource, *signature) {
	i := p.u32()
	item := element(p.reader, "core func", p.core[coreFunc].items, i)
	if p.failed() {
		return nil, nil
	}
	if want != nil && !item.sig.equal(*want) {
		p.invalid("canonical option `%s` has type %s, it must be %s", what, item.sig, want)
	}
	return p.funcSource(i), item.sig
}

// funcSource returns where core function i is, for code that calls it itself.
func (p *parser) funcSource(i uint32) *coreSource {
	s := p.core[coreFunc].sources[i]
	if s.site != nil {
		s.site.called = true
	}
	return &s
}
