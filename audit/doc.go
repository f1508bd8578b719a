// Package audit keeps the signed, hash-linked record of what happened.
//
// Model:
//   - A Record is an opaque Entry with a sequence number; the log only grows.
//   - Segment files hold frames: a start frame, records, checkpoints. Each frame
//     carries the BLAKE3 of the frame before it, across segments.
//   - The record hashes are the leaves of a Merkle tree (RFC 6962, by tlog); a
//     checkpoint is a C2SP checkpoint of that tree signed with the runtime key.
//   - The file "head" repeats the last two checkpoints, so that a cut tail shows.
//   - Open reads the whole log and refuses with *TamperedError what does not fit.
//
// Commit points. Written: write(2) of the record's frame; a crash of the process
// before it leaves no record or a torn one, after it the record. Synced:
// fdatasync of the segment after record and checkpoint are written; power loss
// before it leaves any prefix of the frames written since the last one, after
// it all of them. Append returns after the head is synced too, so that an
// acknowledged Synced record cannot be cut off unseen. The head is written
// after the segment, never before: it may lag one checkpoint behind, which Open
// mends, and never runs ahead, so running ahead is tampering.
//
// Records that no checkpoint covers are signed within SignInterval. A torn tail
// is an incomplete last frame after the last checkpoint, or zero bytes there;
// Open cuts it and says so in Recovery. Whole frames after the last checkpoint
// are kept and counted in Recovery.Unsigned: they are linked, not signed, and
// whoever can write the files between a crash and the next Open can forge them.
// Removing or rolling back the whole directory to an older state, head
// included, shows only to someone who kept a later checkpoint elsewhere.
//
// An Append of either durability that arrives while the committer syncs waits for
// that sync, so a Written append usually takes microseconds and at times one
// fdatasync.
//
// Ownership: one committer goroutine, started by Open and ended by Close, does
// all writing. One process may open a directory; the caller holds the lock for
// that. mu guards what readers see and is never held during I/O. A failed write
// or sync is final: no later Append succeeds until the log is opened again.
// Memory is bounded by one mark per markEvery records, and by what a caller
// asks Tail for. Order is that of sequence numbers; appends of one caller keep
// theirs.
//
// Tests of packages which use it open a log in a temporary directory with a
// generated key.
package audit
