// Package bus carries messages between the kernel, capsules and clients of one
// node.
//
// The model:
//
//   - a Message has a Topic, an opaque JSON payload and an Attribution that only
//     the host sets; Publish stamps its sequence number and time;
//   - a Pattern selects topics by the one wildcard rule: `*` is exactly one
//     segment, a last `*` is one or more;
//   - a Subscription holds one FIFO per principal, each with its own budgets, and
//     serves principals by deficit round robin;
//   - the Control lane is never dropped: the publisher gets ErrFull; the Stream
//     lane evicts its oldest message and the receiver is told how many;
//   - what is refused, evicted or discarded is counted by Reason and shown to
//     Config.Observer.
//
// Ownership: payloads are shared by every receiver and must not be changed after
// Publish, by anybody. The bus starts no goroutine: publishers put messages into
// queues, receivers take them out.
//
// Order: for each subscription, the messages of one principal arrive in sequence
// order, also with concurrent publishers and across both lanes and all topics;
// so the order per (principal, topic) is total and the same for all
// subscribers. Sequence numbers are unique and grow; between principals they
// promise nothing, and Time may disagree with them by the length of a Publish.
//
// Locks, outermost first: stripe.mu (one of 64, chosen by principal: sequence and
// rate), Bus.mu (the index), Subscription.mu. Config's functions are never called
// under one of them.
//
// Not promised: delivery after Close, replay, order between principals,
// persistence. A Control message that one subscription has no room for still
// reaches the others; ErrFull says that somebody misses it, so a publisher that
// tries again must expect duplicates. Memory is bounded by subscriptions ×
// principals × budget. Who may publish or subscribe is not decided here.
//
// A subscriber has one duty: receive, or Close. If it does neither, each publisher
// to its topics gets ErrFull once the budget of the publishing principal is used
// up; other subscriptions, and the queues of other principals, do not feel it. A
// subscriber that only watches sets Lossy and never causes ErrFull.
//
// To test code that uses a bus, make a real one with New(Config{}), inside a
// testing/synctest bubble if the code waits.
package bus
