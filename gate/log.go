package gate

import (
	"context"

	"github.com/astrid-go/astrid/audit"
)

// Log is the audit log as the gate needs it; *audit.Log is one.
type Log interface {
	// Append writes a record with at least the durability asked for, or fails.
	Append(context.Context, audit.Entry, audit.Durability) (audit.Ref, error)
	// Get reads a record back by its place.
	Get(seq uint64) (audit.Record, error)
}
