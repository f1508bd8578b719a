// Package canon is the component model's canonical ABI for wazero: it moves
// values between Go and the memory of WebAssembly guests.
//
// The model:
//
//   - a Type is a WIT value type with its layout; a FuncType flattens to a core
//     signature;
//   - a Context is what is known of one guest: its memory, realloc and string
//     encoding, and its Instance: handles, and whether it may be entered or left;
//     it travels in the call's context.Context;
//   - a HostFunc is a typed Go function as guests import it (Func0 to Func6,
//     Proc0 to Proc6), an Export a guest's function as Go calls it;
//   - Value holds a value of any type, for a linker of components: LiftFunc and
//     LowerFunc are canon lift and canon lower over Values;
//   - HostFunc.Bind adapts a host function to a guest with older or newer types.
//
// Go types stand for WIT types: bool, sized integers and floats, Char, string,
// slices, Option, Result, Tuple2 to Tuple4, Own and Borrow as their names say. A
// struct is a record; a field's name in WIT is its tag `wit:"kebab-name"`, by
// default its Go name in kebab case. An unsigned integer with WITCases is an
// enum, with WITFlags it is flags. A variant is a struct whose first field, with
// the tag `wit:",case"`, is an enum of its cases; each other field is the payload
// of the cases its tag names:
//
//	type ErrorCode struct {
//		Case ErrorCase `wit:",case"` // not-found, access, unknown
//		Text string    `wit:"unknown"`
//	}
//
// A resource is a Go pointer type with WITResource and, if it has a destructor,
// Drop. A constructor panics if a Go type has no WIT type, when the program
// registers it. Calls use no reflection, except to allocate the elements of
// lists that are not of bytes; scalars allocate nothing, a string or a list<u8>
// is copied once.
//
// Faults: a guest's breach of the ABI is a *Trap. Host functions panic with it,
// through the guest and up to whoever called that; if the guest's own realloc
// fails, the panic is wazero's error. An export's Call returns either as its
// error. The instance is not to be used afterwards, and refuses to be entered.
// A host string that is not UTF-8 is lowered with U+FFFD; any other bad value of
// the host's is a panic that is not a *Trap.
//
// Ownership: a Context and its Instance belong to whoever runs the guest, one
// goroutine at a time; types, codecs and host functions are immutable and shared.
// There are no locks. Instance.Close destroys what a dead guest still owned.
//
// Limits: lists, strings and types are at most MaxBytes; a call lifts at most
// as many bytes of lists and strings as its memory has, and a megabyte, since
// lists that overlap would describe values without bound (a Value is 24 bytes, so
// a list of smaller elements than that grows in Go; list<u8> does not); a guest has at most
// 2^20 handles, where the specification has 2^28-1.
//
// Not here: streams, futures, async functions, error contexts, maps, lists of
// fixed length, memories of 64 bits. A string is lowered with one realloc of its
// final size, where the specification may grow and shrink it.
//
// To test code that uses it, run a real guest: a few bytes of WebAssembly on
// wazero do.
package canon
