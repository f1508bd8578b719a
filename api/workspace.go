package api

import "time"

// The requests below are this kernel's own: the protocol it is compatible with
// has no word for them. They travel like every other kernel request, as method
// and params on astrid.v1.request.<suffix>.
const (
	MethodListTools       = "ListTools"       // Empty → ToolList
	MethodListChanges     = "ListChanges"     // ChangesQuery → ChangeSet
	MethodCommitChanges   = "CommitChanges"   // Paths → Committed
	MethodRollbackChanges = "RollbackChanges" // Paths → RolledBack
	MethodTailAudit       = "TailAudit"       // AuditQuery → AuditRecords
	MethodVerifyAudit     = "VerifyAudit"     // Empty → AuditReport
	MethodListApprovals   = "ListApprovals"   // Empty → ApprovalList
	MethodAnswerApproval  = "AnswerApproval"  // ApprovalAnswer → Empty
	MethodExplain         = "Explain"         // ExplainQuery → Explanation
)

// InstalledCapsule is what InstallCapsule answers.
type InstalledCapsule struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// ToolList is the catalogue of the tools of loaded capsules.
type ToolList struct {
	// Generation grows with each change of the catalogue.
	Generation uint64 `json:"generation"`
	Tools      []Tool `json:"tools"`
}

// Tool is a function of a capsule that a model can call.
type Tool struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Capsule     string `json:"capsule"`
	Version     string `json:"version"`
	// Mutable says that the tool changes something.
	Mutable bool `json:"mutable"`
	// InputSchema is a JSON Schema, as the manifest has it.
	InputSchema any `json:"input_schema,omitempty"`
}

// ChangesQuery selects what ListChanges answers with.
type ChangesQuery struct {
	// Paths limits the answer to these paths and what is below them; empty
	// means everything.
	Paths []string `json:"paths,omitempty"`
	// Diff asks for the unified diff as well.
	Diff bool `json:"diff,omitempty"`
}

// ChangeSet is what the caller changed in the workspace and has not committed.
type ChangeSet struct {
	Workspace string   `json:"workspace"`
	Changes   []Change `json:"changes"`
	// Diff is a unified diff of the text files, when it was asked for.
	Diff string `json:"diff,omitempty"`
}

// Change is one changed path.
type Change struct {
	Path string `json:"path"`
	// Kind is added, modified, deleted or renamed.
	Kind string `json:"kind"`
	// From is the old path of a rename.
	From string `json:"from,omitempty"`
	// OldMode and NewMode are octal file modes, "" where there is no file.
	OldMode string `json:"old_mode,omitempty"`
	NewMode string `json:"new_mode,omitempty"`
	// OldSize and NewSize are in bytes.
	OldSize int64 `json:"old_size"`
	NewSize int64 `json:"new_size"`
	Binary  bool  `json:"binary,omitempty"`
	// Added and Removed count lines of a text file.
	Added   int `json:"added"`
	Removed int `json:"removed"`
	// Conflict says that the workspace changed below the change, which a
	// commit would therefore refuse.
	Conflict bool `json:"conflict,omitempty"`
}

// Paths names workspace paths; empty means everything.
type Paths struct {
	Paths []string `json:"paths,omitempty"`
}

// Committed lists what a commit wrote to the workspace.
type Committed struct {
	Paths []string `json:"paths"`
}

// RolledBack lists what a rollback dropped.
type RolledBack struct {
	Paths []string `json:"paths"`
}

// AuditQuery selects records, newest last.
type AuditQuery struct {
	// Limit is the number of records, at most 1000; 0 means 20.
	Limit int `json:"limit,omitempty"`
	// Call limits the answer to one call.
	Call string `json:"call,omitempty"`
	// Kind limits the answer to one kind of record.
	Kind string `json:"kind,omitempty"`
}

// AuditRecords is a list of records that the caller may see.
type AuditRecords struct {
	Records []AuditRecord `json:"records"`
}

// AuditRecord is an entry of the audit log.
type AuditRecord struct {
	Seq       uint64    `json:"seq"`
	Time      time.Time `json:"time"`
	Principal string    `json:"principal,omitempty"`
	Kind      string    `json:"kind"`
	// Body is the record's content, which depends on its kind.
	Body any `json:"body,omitempty"`
	// Hash is the record's BLAKE3 in hex.
	Hash string `json:"hash"`
}

// AuditReport is the outcome of verifying the audit log.
type AuditReport struct {
	Intact  bool   `json:"intact"`
	Records uint64 `json:"records"`
	// Checkpoint is the signed note over the log's size and root.
	Checkpoint string         `json:"checkpoint"`
	Problems   []AuditProblem `json:"problems,omitempty"`
}

// AuditProblem is something that shows tampering or damage.
type AuditProblem struct {
	Seq    uint64 `json:"seq"`
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Reason string `json:"reason"`
}

// ApprovalList is what waits for the caller's answer.
type ApprovalList struct {
	Approvals []Approval `json:"approvals"`
}

// Approval is a question to a person.
type Approval struct {
	ID       string    `json:"id"`
	Capsule  string    `json:"capsule"`
	Call     string    `json:"call,omitempty"`
	Action   string    `json:"action"`
	Resource string    `json:"resource"`
	Reason   string    `json:"reason,omitempty"`
	Asked    time.Time `json:"asked"`
	Expires  time.Time `json:"expires,omitzero"`
}

// ApprovalAnswer answers a question. Decision is one of approve,
// approve_session, approve_always and deny.
type ApprovalAnswer struct {
	ID       string `json:"id"`
	Decision string `json:"decision"`
	Reason   string `json:"reason,omitempty"`
}

// ExplainQuery asks why something was denied: by the id of a denial, or by the
// id of a call for all its denials.
type ExplainQuery struct {
	ID   string `json:"id,omitempty"`
	Call string `json:"call,omitempty"`
}

// Explanation lists denials, oldest first.
type Explanation struct {
	Denials []Denial `json:"denials"`
}

// Denial is a refused effect.
type Denial struct {
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
	// Code is for programs, Rule names what decided, Unlock what would have
	// allowed it.
	Code     string `json:"code"`
	Capsule  string `json:"capsule,omitempty"`
	Call     string `json:"call,omitempty"`
	Action   string `json:"action"`
	Resource string `json:"resource"`
	Rule     string `json:"rule"`
	Unlock   string `json:"unlock,omitempty"`
}
