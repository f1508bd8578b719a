package uplink

import "sync/atomic"

// Stats counts what happened since New.
type Stats struct {
	// Established counts connections that passed the handshake, Refused those
	// that did not, ForeignUsers those of another uid.
	Established, Refused, ForeignUsers uint64
	// Malformed counts frames that did not decode or were too large, Forbidden
	// those on topics that clients may not use, Limited those over a limit.
	Malformed, Forbidden, Limited uint64
	// Overflows counts connections closed because they did not read.
	Overflows uint64
	// Unclaimed counts results of calls whose connection is gone, Unsendable
	// messages that could not be put into a frame, Unaddressed those of the
	// kernel that are for no principal.
	Unclaimed, Unsendable, Unaddressed uint64
}

type counters struct {
	established, refused, foreignUsers, malformed, forbidden, limited atomic.Uint64
	overflows, unclaimed, unsendable, unaddressed                     atomic.Uint64
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	c := &s.counters
	return Stats{
		Established: c.established.Load(), Refused: c.refused.Load(), ForeignUsers: c.foreignUsers.Load(),
		Malformed: c.malformed.Load(), Forbidden: c.forbidden.Load(), Limited: c.limited.Load(),
		Overflows: c.overflows.Load(), Unclaimed: c.unclaimed.Load(), Unsendable: c.unsendable.Load(),
		Unaddressed: c.unaddressed.Load(),
	}
}
