package gate

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/astrid-go/astrid/principal"
)

// ErrNotFound is returned by Explain for an id that names no decision the asker may see.
var ErrNotFound = errors.New("no such decision")

// Explanation is a decision read back from the log.
type Explanation struct {
	ID         string    `json:"id"`
	Time       time.Time `json:"time"`
	Principal  string    `json:"principal"`
	Capsule    string    `json:"capsule,omitempty"`
	Call       string    `json:"call,omitempty"`
	Action     string    `json:"action"`
	Resource   string    `json:"resource,omitempty"`
	Capability string    `json:"capability,omitempty"`
	Allowed    bool      `json:"allowed"`
	Code       Code      `json:"code,omitempty"`
	Rule       string    `json:"rule,omitempty"`
	Unlock     string    `json:"unlock,omitempty"`
	Question   string    `json:"question,omitempty"`
}

// Explain reads a decision back by the ID of its Denied. A principal sees its own decisions, and those of others only
// with the capability audit:read_all; what it may not see is ErrNotFound, like what is not there.
func (g *Gate) Explain(by principal.ID, id string) (Explanation, error) {
	notFound := fmt.Errorf("%w: %.64q", ErrNotFound, id)
	place, prefix, ok := strings.Cut(id, "-")
	seq, err := strconv.ParseUint(place, 10, 64)
	if !ok || err != nil {
		return Explanation{}, notFound
	}
	record, err := g.config.Log.Get(seq)
	if err != nil {
		return Explanation{}, errors.Join(notFound, err)
	}
	if record.Kind != KindDecision || hex.EncodeToString(record.Hash[:denialHashBytes]) != prefix {
		return Explanation{}, notFound
	}
	profile, denied := g.profile(by)
	if denied.code != "" {
		return Explanation{}, notFound
	}
	if record.Principal != by.String() && !g.weighCapability(by, profile, g.readLogs).allow {
		return Explanation{}, notFound
	}
	var b body
	if err := json.Unmarshal(record.Body, &b); err != nil {
		return Explanation{}, fmt.Errorf("explain decision %s: %w", id, err)
	}
	return Explanation{
		ID: id, Time: record.Time, Principal: b.Principal, Capsule: b.Capsule, Call: b.Call, Action: b.Action,
		Resource: b.Resource, Capability: b.Capability, Allowed: b.Decision == decisionAllow, Code: b.Code,
		Rule: b.Rule, Unlock: b.Unlock, Question: b.Question,
	}, nil
}
