package gate

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/zeebo/blake3"

	"github.com/astrid-go/astrid/approval"
	"github.com/astrid-go/astrid/audit"
	"github.com/astrid-go/astrid/principal"
)

// The kinds of records that the gate writes.
const (
	// KindDecision is an allowed or denied request.
	KindDecision = "gate.decision"
	// KindAsk is a question put to a person.
	KindAsk = "gate.ask"
	// KindOutcome says how a permitted effect went.
	KindOutcome = "gate.outcome"
)

const (
	decisionAllow = "allow"
	decisionDeny  = "deny"
	decisionAsk   = "ask"
)

// bodyVersion is the format of record bodies.
const bodyVersion = 1

// maxRuleText bounds rule and unlock texts in records, in bytes, so that a record stays small whatever a profile or
// manifest holds.
const maxRuleText = 2048

// body is the JSON of a record. The names are stable; they are read by people and by programs of others. It never
// holds contents or secrets: of arguments there is a hash and a size.
type body struct {
	Version   int    `json:"v"`
	Principal string `json:"principal"`
	Capsule   string `json:"capsule,omitempty"`
	// Generation is the capsule generation the request named, 0 for the newest.
	Generation uint64 `json:"generation,omitempty"`
	Call       string `json:"call,omitempty"`
	Action     string `json:"action"`
	Resource   string `json:"resource,omitempty"`
	Capability string `json:"capability,omitempty"`
	Decision   string `json:"decision,omitempty"`
	Code       Code   `json:"code,omitempty"`
	Rule       string `json:"rule,omitempty"`
	Unlock     string `json:"unlock,omitempty"`
	Question   string `json:"question,omitempty"`
	Via        string `json:"via,omitempty"`
	ArgsHash   string `json:"args_hash,omitempty"`
	ArgsSize   int    `json:"args_size,omitempty"`
	// Intent, Result and Details are set in outcomes: the record that permitted the effect, and how it went.
	Intent  uint64   `json:"intent,omitempty"`
	Result  string   `json:"result,omitempty"`
	Details []Detail `json:"details,omitempty"`
}

// argsDigest is what a record says about arguments.
type argsDigest struct {
	hash string
	size int
}

func hashArgs(args []byte) argsDigest {
	if len(args) == 0 {
		return argsDigest{}
	}
	sum := blake3.Sum256(args)
	return argsDigest{hash: "blake3:" + hex.EncodeToString(sum[:]), size: len(args)}
}

func decisionBody(r Request, v verdict, digest argsDigest) body {
	decision := decisionDeny
	if v.allow && !v.ask {
		decision = decisionAllow
	}
	return body{
		Version: bodyVersion, Principal: r.Principal.String(), Capsule: text(r.Capsule, maxIDText), Generation: r.Generation,
		Call: text(r.Call, maxIDText), Action: text(r.Action, maxIDText), Resource: text(r.Resource, maxRuleText),
		Capability: r.Capability.String(), Decision: decision, Code: v.code, Rule: text(v.rule, maxRuleText),
		Unlock: text(v.unlock, maxRuleText), ArgsHash: digest.hash, ArgsSize: digest.size,
	}
}

// text makes a string printable and cuts it to limit bytes; a cut is visible.
func text(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
	}
	if !plain(s) {
		s = approval.Visible(s)
	}
	if cut {
		s += "..."
	}
	return s
}

// plain reports whether s is printable ASCII, which is nearly always so and needs no rewriting.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// conclude records a decision and turns it into a permit or a denial. A permit exists only if its record does.
func (g *Gate) conclude(ctx context.Context, r Request, v verdict, b body) (Permit, error) {
	ref, err := g.append(ctx, KindDecision, r.Principal, b, v.class.durability())
	if err == nil && b.Decision == decisionAllow {
		return g.permit(r, v.class, b, ref), nil
	}
	denied := &Denied{Code: v.code, Action: b.Action, Resource: b.Resource, Rule: b.Rule, Unlock: b.Unlock,
		Question: b.Question, cause: v.cause}
	if err == nil {
		denied.ID = DenialID(ref)
		return Permit{}, denied
	}
	if b.Decision == decisionAllow {
		denied.Code, denied.Rule, denied.Unlock = CodeNotRecorded, "the decision cannot be recorded, so nothing happens", ""
	}
	denied.cause = fmt.Errorf("record decision: %w", err)
	return Permit{}, denied
}

// append writes one record. The write is not given up when the caller's context ends: a decision that was made is
// recorded, and the log bounds how long that takes.
func (g *Gate) append(ctx context.Context, kind string, of principal.ID, b body, durability audit.Durability) (audit.Ref, error) {
	encoded, err := json.Marshal(b)
	if err != nil {
		return audit.Ref{}, fmt.Errorf("encode %s record: %w", kind, err)
	}
	entry := audit.Entry{Time: g.config.Now(), Principal: of.String(), Kind: kind, Body: encoded}
	return g.config.Log.Append(context.WithoutCancel(ctx), entry, durability)
}

// DenialID names a record: its place, and the beginning of its hash, so that an id from another log is not mistaken.
func DenialID(ref audit.Ref) string {
	return strconv.FormatUint(ref.Seq, 10) + "-" + hex.EncodeToString(ref.Hash[:denialHashBytes])
}

const denialHashBytes = 4
