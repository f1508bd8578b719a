// Package gate is the one reference monitor: every effect of a capsule and every management request passes here.
//
// The model:
//
//   - a Request says who (principal, capsule, call) wants which action on which resource;
//   - the decision weighs, in this order: the action table, the profile, access to the capsule, the manifest's grants
//     or the management capability, the profile's narrowing, and a person when the grant says ask;
//   - the decision is recorded before anything happens; what cannot be recorded is denied;
//   - a Permit, which only this package can make, is what effects demand; Permit.Done records how it went;
//   - a Denied names the rule and its file, what would unlock it, and an ID from which Explain reads it back.
//
// Ownership: the gate holds the grants of loaded capsules (Load, Unload) and nothing else; profiles, questions and the
// log belong to the packages it is given. Deny by default: an unknown action, principal, capsule or resource form is
// denied, and so is a request during which anything fails.
//
// Order and locks: a Gate is safe for concurrent use. Checks read the grants through one atomic pointer; Load and
// Unload replace the whole table under mu. No lock is held while a person is asked or a record is written. A check
// that began before Unload returned may finish with the old grants.
//
// Not promised: that a resource is still the same thing after the check (effects use handles for that); signed
// tokens, budgets and policy files, which are not part of the decision; a limit on the rate of denials, each of which
// is one record.
//
// To test code that needs permits, build a real Gate on a principal.Directory and an audit log in t.TempDir.
package gate
