// Package wasi is WASI 0.2 for guests that are trusted with nothing: what the
// runtimes of languages need to start, and refusals.
//
// The model: [Host] offers the interfaces of wasi:cli, clocks, filesystem, io,
// random and sockets. A guest has clocks, randomness and output; its input is
// empty, its environment too, it has no arguments, no directory is opened for
// it, and no socket can be made. Where output goes and what clocks say is up to
// the instance: its Host (that of component.Config) may be a [Guest], whose
// [Env] says so. One that is not writes nowhere.
//
// Ownership: a Host is immutable and shared by all instances; an Env belongs
// to one instance, and is used by whoever runs it.
//
// Blocking: a guest that waits for a clock waits in a host call, until its time
// has come or its call's context is done. The package has no locks and starts
// no goroutine.
//
// Not promised: wasi:http, and anything that was unstable in 0.2. Resources
// that no guest can come by, such as files and sockets, have methods that trap.
//
// To test code that uses it, give an Env a clock and a reader for randomness.
package wasi
