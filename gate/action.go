package gate

import "github.com/astrid-go/astrid/audit"

// Risk says how bad a wrong decision about an action would be. It orders the table and chooses durability.
type Risk uint8

// The risk classes.
const (
	// Low: reads and messages inside the principal's own walls.
	Low Risk = iota + 1
	// Medium: changes that can be undone, and traffic to granted hosts.
	Medium
	// High: leaves the walls, cannot be undone, or changes who may do what.
	High
)

// kind says which authority an action needs.
type kind uint8

const (
	// byGrant: a grant in the capsule's manifest.
	byGrant kind = iota + 1
	// byCapability: a management capability of the principal, no capsule involved.
	byCapability
	// byAccess: access of the principal to the capsule, nothing more.
	byAccess
)

// Class is how the gate treats one action. The zero value is no class: the action is unknown and denied.
type Class struct {
	// Risk is the action's risk.
	Risk Risk
	// Synced demands that the decision is on stable storage before the effect; otherwise it survives the end of the
	// process but not of the machine.
	Synced bool
	// Outcome demands a second record, written by Permit.Done, of how the effect went.
	Outcome bool
	// Manifest is the key of Capsule.toml that grants the action, empty for management.
	Manifest string
	kind     kind
}

// durability is what the class demands of its records.
func (c Class) durability() audit.Durability {
	if c.Synced {
		return audit.Synced
	}
	return audit.Written
}

// actionApprove is what a capsule needs to put a question of its own; Gate.Approve checks it.
const actionApprove = "approval.request"

// actions is the whole vocabulary; what is not here is denied. Rows are grouped as in the manifest and the management
// API. TestActionTable holds the rules that a new row has to obey.
var actions = map[string]Class{
	"fs.read":         {Risk: Low, Manifest: "fs_read", kind: byGrant},
	"fs.write":        {Risk: Medium, Outcome: true, Manifest: "fs_write", kind: byGrant},
	"kv.read":         {Risk: Low, Manifest: "kv", kind: byGrant},
	"kv.write":        {Risk: Low, Manifest: "kv", kind: byGrant},
	"ipc.publish":     {Risk: Low, Manifest: "publish", kind: byGrant},
	"ipc.subscribe":   {Risk: Low, Manifest: "subscribe", kind: byGrant},
	"ipc.publish_as":  {Risk: Medium, Manifest: "uplink", kind: byGrant},
	"uplink.register": {Risk: Medium, Manifest: "uplink", kind: byGrant},

	"net.http":    {Risk: Medium, Outcome: true, Manifest: "net", kind: byGrant},
	"net.connect": {Risk: Medium, Outcome: true, Manifest: "net_connect", kind: byGrant},
	"net.udp":     {Risk: Medium, Outcome: true, Manifest: "net_udp", kind: byGrant},
	"net.bind":    {Risk: High, Synced: true, Outcome: true, Manifest: "net_bind", kind: byGrant},

	"process.spawn":    {Risk: High, Synced: true, Outcome: true, Manifest: "host_process", kind: byGrant},
	"identity.resolve": {Risk: Low, Manifest: "identity", kind: byGrant},
	"identity.link":    {Risk: High, Synced: true, Outcome: true, Manifest: "identity", kind: byGrant},
	"identity.admin":   {Risk: High, Synced: true, Outcome: true, Manifest: "identity", kind: byGrant},
	"secret.use":       {Risk: High, Synced: true, Outcome: true, Manifest: "env", kind: byGrant},

	"capsule.use": {Risk: Low, kind: byAccess},
	actionApprove: {Risk: High, Synced: true, kind: byAccess},
	"elicit.ask":  {Risk: Medium, kind: byAccess},

	"system.status":   {Risk: Low, kind: byCapability},
	"system.shutdown": {Risk: High, Synced: true, Outcome: true, kind: byCapability},

	"capsule.list":    {Risk: Low, kind: byCapability},
	"capsule.install": {Risk: High, Synced: true, Outcome: true, kind: byCapability},
	"capsule.reload":  {Risk: High, Synced: true, Outcome: true, kind: byCapability},
	"capsule.remove":  {Risk: High, Synced: true, Outcome: true, kind: byCapability},

	"workspace.changes":  {Risk: Low, kind: byCapability},
	"workspace.commit":   {Risk: High, Synced: true, Outcome: true, kind: byCapability},
	"workspace.rollback": {Risk: High, Synced: true, Outcome: true, kind: byCapability},

	"approval.list":    {Risk: Low, kind: byCapability},
	"approval.respond": {Risk: High, Synced: true, Outcome: true, kind: byCapability},
	"approval.revoke":  {Risk: High, Synced: true, Outcome: true, kind: byCapability},

	"audit.read":   {Risk: Low, kind: byCapability},
	"audit.verify": {Risk: Low, kind: byCapability},

	"agent.list":   {Risk: Low, kind: byCapability},
	"agent.create": {Risk: High, Synced: true, Outcome: true, kind: byCapability},
	"agent.modify": {Risk: High, Synced: true, Outcome: true, kind: byCapability},
	"agent.delete": {Risk: High, Synced: true, Outcome: true, kind: byCapability},
	"quota.get":    {Risk: Low, kind: byCapability},
	"quota.set":    {Risk: High, Synced: true, Outcome: true, kind: byCapability},
	"group.list":   {Risk: Low, kind: byCapability},
	"group.modify": {Risk: High, Synced: true, Outcome: true, kind: byCapability},
	"caps.modify":  {Risk: High, Synced: true, Outcome: true, kind: byCapability},
}

// ClassOf returns how the gate treats an action; false means that it is unknown and every request for it is denied.
func ClassOf(action string) (Class, bool) {
	c, ok := actions[action]
	return c, ok
}
