package bus

import (
	"time"

	"github.com/google/uuid"

	"github.com/astrid-go/astrid/principal"
)

// MaxHops is how many publishes may follow one another, each caused by the one before. It stops publish loops.
const MaxHops = 8

// Lane says what happens to a message whose queue is full.
type Lane uint8

const (
	// Control messages are never dropped: the publisher gets ErrFull. Requests, replies, approvals, lifecycle.
	Control Lane = iota
	// Stream messages push out the oldest Stream message of the same principal. Deltas, progress, ticks.
	Stream
)

// Message is one event. Topic, Payload, Source, From, Hops and Lane come from the publishing host; Seq and Time are
// stamped by Publish, which ignores what they held.
type Message struct {
	Topic   Topic
	Payload []byte      // JSON, opaque to the bus; never changed after Publish
	Source  uuid.UUID   // the publishing capsule, zero for the kernel
	From    Attribution // for whom; the zero value cannot be published
	Seq     uint64      // unique on this bus and growing, from 1
	Time    time.Time
	Hops    uint8 // publishes before this one in the chain of causes; at most MaxHops
	Lane    Lane
}

// size is what a message counts against rates: the bytes a publisher chose.
func (m *Message) size() int { return len(m.Topic.name) + len(m.Payload) }

// Attribution says for whom a message was published, and how the host knows. The zero value is nobody: such a message
// is refused. Attributions are comparable.
type Attribution struct {
	kind kind
	id   principal.ID
}

type kind uint8

const (
	nobody kind = iota
	system
	verified
	claimed
)

// System attributes a message to the kernel itself, acting for no principal.
func System() Attribution { return Attribution{kind: system} }

// Verified attributes a message to a principal whom the host authenticated. The zero ID gives the zero Attribution.
func Verified(id principal.ID) Attribution { return attribute(verified, id) }

// Claimed attributes a message to a principal whom only an uplink capsule vouches for. The zero ID gives the zero
// Attribution.
func Claimed(id principal.ID) Attribution { return attribute(claimed, id) }

func attribute(k kind, id principal.ID) Attribution {
	if id.IsZero() {
		return Attribution{}
	}
	return Attribution{kind: k, id: id}
}

// Principal returns who the message acts for; it is zero for System and for the zero value.
func (a Attribution) Principal() principal.ID { return a.id }

// IsSystem reports whether the kernel itself published.
func (a Attribution) IsSystem() bool { return a.kind == system }

// IsVerified reports whether the host authenticated the principal.
func (a Attribution) IsVerified() bool { return a.kind == verified }

// IsClaimed reports whether only an uplink capsule vouches for the principal.
func (a Attribution) IsClaimed() bool { return a.kind == claimed }

// IsZero reports whether the message is attributed to nobody.
func (a Attribution) IsZero() bool { return a.kind == nobody }
