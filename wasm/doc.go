// Package wasm runs WebAssembly guests that cannot be trusted.
//
// The model: an [Engine] turns bytes into an immutable [Module], once for each
// content and set of host interfaces; machine code is kept on disk, so that
// the next process starts in milliseconds. A Module makes any number of
// [Instance]s. An Instance has its own memory, its own limits and whatever its
// embedder gave it as Host; calls of it are metered (package meter), so that a
// deadline, a cancellation or a spent budget stops it within about a
// millisecond, whatever it does. Host functions are package canon's.
//
// Ownership: the embedder closes instances, then the engine; closing the
// engine closes what is left. An instance's memory is mapped for it alone and
// returned to the system by Close: nothing read from it without copying may
// outlive a host call.
//
// Locking: an Engine, a Module and their methods may be used from many
// goroutines. An Instance runs one call at a time; others wait their turn as
// long as their context lets them. A call of an instance from a host function
// that the same instance called is refused with [ErrBusy]. Close cancels the
// running call and waits for it. The package starts no goroutine.
//
// Faults: what a guest does wrong is a [GuestFault] and kills its instance,
// which then answers [ErrDead]; no other instance notices. A host function
// blames the guest by panicking with a *canon.Trap; any other panic of a host
// function is a host fault, an ordinary error with the stack of the panic, and
// kills the instance too, since its state is unknown.
//
// A guest starts with nothing: what it may call is the interfaces that Compile
// is given, and WASI preview 1 with clocks, randomness and output alone; no
// files, no environment, no network, no arguments but a program name.
//
// Not promised: threads, shared memories, exceptions, tail calls, 64-bit
// memories, garbage collection; compiled modules leave memory with the engine
// only; the host's stack for a guest's recursion may grow to some hundred
// megabytes before the guest is stopped. Compile answers [ErrComponent]
// for a component: package component decodes and links those, and takes an
// [Engine] to compile their modules and a [Sandbox] to run them in.
//
// To test code that uses wasm, use an Engine without a cache directory: it is
// the real thing and leaves nothing behind.
package wasm
