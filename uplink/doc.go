// Package uplink serves the Unix socket: it authenticates clients, turns their
// frames into requests and bus messages, and sends them what is theirs.
//
// The model:
//
//   - [Listen] binds the socket of a run directory; [Server.Serve] accepts peers
//     of our own uid, performs the handshake and binds each connection to one
//     principal for its life; without a proof that is [principal.Anonymous];
//   - a frame on astrid.v1.request.* or astrid.v1.admin.* is a request: it runs
//     beside others and its reply goes to that connection alone;
//   - a frame on one of the topics that clients may publish to becomes a bus
//     message whose envelope the server writes: the client chooses topic and
//     payload, never the principal; payloads are published as guests see them;
//   - every frame that is refused is answered with a code and a rule;
//   - messages of the bus on the topics that clients may see go to the
//     connections of their principal, results of tools only to the connection
//     that made the call. Replies of the kernel never come from the bus, so no
//     capsule can forge one.
//
// Ownership: a Server owns its goroutines: the accept loop is the caller's of
// Serve; one a subscription of the bus; for each connection a reader and a
// writer, one more while messages wait to be published, and one for each request
// that runs, at most 32. All end with Shutdown, which waits for them.
//
// Order: messages that one connection publishes keep their order; messages of one
// principal and one topic arrive in the order of the bus, and so do all topics
// below agent.v1. Requests run concurrently and their replies have no order.
//
// Locks, outermost first: Server.mu (connections and calls), then one of
// queue.mu and publisher.mu. Functions of Config are called under none.
//
// Slow clients: what waits for a client is bounded by 1024 events and 4 MiB, and
// one write by 5 s. A client beyond that loses its connection; nobody else
// notices. What waits to be published is bounded too; more is refused.
//
// Not promised: that a message reaches a client that was not connected when it
// was published, and that a call is undone when its client goes.
//
// To test code that uses a Server, serve a socket in t.TempDir and connect with
// package api; nothing here needs a fake.
package uplink
