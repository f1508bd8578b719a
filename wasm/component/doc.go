// Package component runs WebAssembly components on wazero: all that is
// synchronous in the component model, in pure Go.
//
// The model:
//
//   - [Decode] turns bytes into a [Component], which is valid;
//   - a [Plan] is a component whose core modules are compiled, once;
//   - a [Program] is a plan whose imports are bound to what a [Host] offers;
//   - an [Instance] is one running component, of which a program makes many;
//   - a [Func] is an exported function, called with dynamic canon.Values or
//     through a typed export of package canon.
//
// The [Engine] is who compiles core modules; NewEngine makes one of a wazero
// runtime, package wasm has one that meters guests.
//
// Inside, types are resolved when the component is read; what is left is a
// list of definitions, which each instance runs through in order. A core
// function that a component is given (a lowered function, resource.new and so
// on) is a host function, registered once for a plan: it finds the instance it
// works for by the frame in the call's context. Core instances that gather
// exports of others are tiny modules that import and export them.
//
// Ownership: components, plans and programs are immutable, and belong to their
// engine; instances are closed by whoever made them. Decode keeps the bytes it
// is given. Resources that a function returns belong to the caller, who ends
// them with Instance.Drop.
//
// Order: an instance runs one call at a time, with the components inside it;
// others wait as long as their context lets them. A call of an instance from a
// host function that it called is [ErrBusy]. An instance whose call failed is
// dead and answers [ErrDead]; nothing of it runs again, except destructors of
// host resources when it is closed. The package starts no goroutine and has
// one lock, which is held for no call.
//
// Faults: what is wrong with the bytes is a *DecodeError or *ValidationError
// with the offset, the section and the reason; what is wrong with the code of
// a core module is [ErrModule]; what the host does not offer is a *LinkError.
// What a call ends with is a *canon.Trap, an error of wazero or of a host
// function, or what the Sandbox makes of it.
//
// Hostile input costs no more than its size and [Limits] say: counts are
// checked against the bytes that are left before anything is allocated, and
// work on types, which may share their parts, has a budget.
//
// Limits of what is promised: async functions, streams, futures, threads,
// error contexts, values, lists of fixed length, maps, getters and setters are
// refused as unsupported, as are core modules with several memories, shared or
// 64-bit memories, exceptions or garbage collection. Dependencies are not
// named by URL or hash: the specification has no such names any more. A typed
// host function that a component merely exports again can be called by guests,
// not by the host. Names follow the newest rules: two that differ in hyphens
// or case only conflict.
//
// To test code that uses the package, run real components: package jco on npm
// assembles them from text, as the tests here do.
package component
