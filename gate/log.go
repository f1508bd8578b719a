package gate

import (
	"context"
	"time"
)

// Entry is one record to append. The log does not look into Body.
type Entry struct {
	Time      time.Time
	Principal string
	Kind      string
	Body      []byte
}

// Ref names an appended record: its place and its hash.
type Ref struct {
	Seq  uint64
	Hash [32]byte
}

// Record is an appended entry read back.
type Record struct {
	Ref
	Entry
}

// Durability is what Append has done when it returns.
type Durability int

// The durabilities.
const (
	// Written survives the end of the process.
	Written Durability = iota
	// Synced survives power loss.
	Synced
)

// Log is the audit log as the gate needs it.
type Log interface {
	// Append writes a record with at least the durability asked for, or fails.
	Append(context.Context, Entry, Durability) (Ref, error)
	// Get reads a record back by its place.
	Get(seq uint64) (Record, error)
}
