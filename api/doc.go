// Package api is the protocol of the Unix socket: frames, handshake, messages,
// requests, error codes, and the Go client.
//
// The model:
//
//   - a frame is a 4-byte big-endian length and that many bytes of JSON;
//   - the first frames are the handshake ([Hello], [Welcome]); a client that
//     proves a principal signs the challenge it is sent, one that does not is
//     anonymous and has no rights;
//   - after it every frame is a [Message]: a topic and a payload, which is one of
//     the [Payload] types, told apart by its member "type";
//   - a kernel request is a message on astrid.v1.request.<suffix>, answered on
//     astrid.v1.response.<suffix>; a tool call one on tool.v1.execute.<name>,
//     answered on tool.v1.execute.<name>.result with its call id;
//   - every failure is an [Error] with one of a fixed list of codes.
//
// Everything here decodes strictly: a duplicate member is an error, because the
// next reader might take the other one; names are case-sensitive; text is UTF-8.
// Members that a peer does not know are skipped in frames, so that newer peers
// can talk to older ones, and refused in what [DecodeStrict] reads.
//
// Ownership: a [Client] owns its connection and one goroutine, which ends with
// Close or with the connection. Its methods are safe for concurrent use; each
// waits no longer than its context. Messages of one topic arrive in order.
//
// Not promised: that a client reconnects, that a call which was given up is
// undone, and that [Events] which nobody reads are kept: the oldest go, counted.
//
// To test code that uses a Client, serve a real socket with package uplink.
package api
