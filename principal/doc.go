// Package principal says who is acting: names, profiles, groups, quotas and the keys that prove a name.
//
// The model:
//
//   - an ID is a parsed name; its zero value is nobody and has no rights;
//   - a Profile is what the operator wrote about one principal in etc/profiles/{id}.toml;
//   - a Group is a named list of capability patterns, built in or written in etc/groups.toml;
//   - a Directory reads both from disk and notices edits; a principal without a file is ErrUnknown, never a default;
//   - a signature over AuthMessage, checked against the profile's keys, turns a claimed ID into a proved one.
//
// Ownership: profiles and groups belong to the operator; this package writes a file only in Create, and never over
// another. Values handed out by Directory are shared snapshots and must be treated as read-only.
//
// Order and locks: a Directory is safe for concurrent use. Its one mutex guards the cache and is not held during
// file access. A lookup sees a file's state at some moment between call and return. A cached profile is reused only
// while file identity, modification time and size are unchanged; two edits of equal length within one tick of the
// file system's clock cannot be told apart, so a program that rewrites a profile calls Forget afterwards.
//
// Not promised: that a principal may do anything (package capability decides), nor that quotas hold (their resources
// enforce them). Changing and removing a stored profile is not offered here yet; operators edit the file.
//
// To test code that needs principals, point OpenDirectory at t.TempDir and Create what the test needs.
package principal
