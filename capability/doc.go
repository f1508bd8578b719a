// Package capability decides what a principal may do, purely: no clock, no files, no state.
//
// The model:
//
//   - a Name such as "capsule:install" is what a management request needs;
//   - a Pattern such as "self:*" is what a profile or group gives or takes away;
//   - Check weighs a profile and the groups: disabled, then revokes, then grants, then groups, else missing;
//   - a Resource is a canonical text such as "cwd://src/main.go" that an effect is about;
//   - a ResourcePattern such as "cwd://src/**" is what a capsule's manifest asks for.
//
// Ownership: all values are immutable and safe for concurrent use. Zero values match nothing and allow nothing.
//
// Promises: a resource that is not canonical (traversal, empty segments, control characters, encoded separators, text
// that is not NFC) matches no pattern. Matching is case-sensitive and its cost is bounded by the product of two texts
// of at most 1 KiB. Adding a segment or replacing a wildcard by text never makes a pattern match more.
//
// Not promised: that a resource text names the same thing after the check; whoever acts holds on to what was checked.
//
// To test code that needs decisions, build profiles with principal.NewProfile; nothing has to be faked.
package capability
