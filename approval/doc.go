// Package approval holds allowances, and questions to a person that survive a restart.
//
// The model:
//
//   - a Question states one exact call: principal, capsule, call id, action, resource and the hash of its arguments;
//   - Ask first looks for an Allowance bound to exactly that principal, capsule, action and resource;
//   - else the question is stored, the Notifier told, and the caller waits for an answer;
//   - Answer takes one answer, once, from the question's own principal: this call, this session, always, or no;
//   - an approval for the session or for always leaves an allowance behind, which can be listed and revoked.
//
// Ownership: one Inbox owns its kv namespace. Questions and durable allowances are on disk before anything acts on
// them; the commit point of an answer is one kv batch with the answer and, for "always", its allowance. A crash before
// it leaves the question open, a crash after it leaves the answer to be found by the same call asked again. Session
// allowances are in memory only, because a session ends with the daemon at the latest.
//
// Order and locks: each principal has a shelf. Its turn, a one-place semaphore that a context can give up on, is held
// by whoever reads or changes its questions, also during a durable write. Below the turn comes the shelf's mu, which
// guards allowances and is never held during I/O. Inbox.mu guards the set of shelves and is held alone. The Notifier
// is called without any of them.
//
// Not promised: an order among answers to different questions; that an expired question stays findable for longer than
// the kept history; that a caller without a call id is recognised (one is required). Workspace-wide and pattern-shaped
// allowances are not offered: every allowance names one resource.
//
// To test code that asks, open an Inbox on a kv store in t.TempDir and answer from the Notifier.
package approval
