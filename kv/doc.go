// Package kv keeps small values under names, durably, in namespaces that
// cannot reach each other.
//
// Model:
//   - A Store is one file (bbolt inside, seen by nobody else).
//   - A Namespace is a handle on one part of it; its methods take keys only.
//   - Each change is an operation: preconditions, then writes, all or nothing.
//   - One writer goroutine takes an operation, and all that wait by then, and
//     commits them in one transaction; a refused operation fails alone.
//   - Reads see the last commit; List copies one bounded page and never holds a
//     transaction open for its caller.
//
// Commit point: the sync of the meta page in the transaction's commit. A crash
// before it leaves none of the operations in the group, a crash after it leaves
// all of them; nothing was acknowledged before it. When the commit itself
// fails (disk full), every operation of the group is told so, the store stays
// at its last commit and goes on. At Config.MaxBytes the operations of the group
// are tried one by one, and those that free space may use a reserve.
//
// A Store belongs to who opened it, who closes it; Close waits for the writer.
// All methods are safe for concurrent use. Operations of one caller are
// applied in its order; a read after an acknowledged write sees it.
//
// Not promised: order between callers; a smaller file after deletions; isolation
// between the pages of a List. A context that ends after the writer took the
// operation does not stop it: the call then waits for the outcome, which is one
// commit away.
//
// Tests of packages which use it open a Store in a temporary directory.
package kv
