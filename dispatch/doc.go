// Package dispatch decides which capsule gets which event, when, and whether.
//
// The model:
//
//   - a capsule generation registers Handlers, each a pattern, an action, a
//     priority and a mode; the Invoker, which the kernel implements, runs one;
//   - Publish asks the matching guards in the publisher's goroutine, then
//     publishes on the bus, then queues the matching handlers, which run one
//     after the other as a chain, and behind it the observers;
//   - lower priorities run first, ties by capsule and then action; a Continue
//     with a payload replaces it for the next; Final and Deny end the chain;
//   - a guard that denies, fails, times out or is absent denies the message; a
//     handler that fails harms nobody else, and the chain goes on without it;
//   - the Outcome of each published message, and of each observer that was not
//     served, is reported once, so that a requester can always be answered.
//
// Ownership: the Dispatcher owns its worker goroutines: at most Concurrency for
// handlers and one for observers per principal, only while it has work. Close
// waits for them. A principal without work costs nothing.
//
// Order: chains run in bus sequence order per (principal, topic), one at a time;
// chains of other topics and principals run beside them. An observer sees its
// own events of one (principal, topic) in order, but has no order with handlers
// of later messages. Guards run before a message has a sequence number, so two
// concurrent publishers are ordered by the publish, not by the guard.
//
// Generations: handlers are looked up when they run, never when the message was
// queued. A call begins only on the registered generation; once Unregister
// returns nil, no call on that generation runs or will begin. Register of a
// newer generation replaces the older one at once, without a moment in which a
// guard is missing; calls in flight finish on the old one. A capsule that crashed stays registered, so that its guards
// deny, until it is restarted or removed.
//
// Locks, outermost first: Dispatcher.order (64 stripes by principal, held over the
// bus publish and what it calls in bus.Config), then one of registry.mu and
// scheduler.mu. The functions of Config and the Invoker are called under none.
//
// Not promised: that System messages, which act for nobody, reach handlers (they
// go to bus subscribers alone); that subscribers of the bus pass the access gate
// (what a capsule may subscribe to is its host's to check); a slot for a handler
// that waits: handlers which wait for other handlers of the same principal hold
// their slots, so chains of requests deeper than Concurrency end at their
// deadline; that what a handler publishes after Close began is accepted.
//
// To test code that uses a Dispatcher, give it an Invoker written as an
// InvokerFunc and a real bus, inside a testing/synctest bubble if it waits.
package dispatch
