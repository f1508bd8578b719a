package capsule

import (
	"encoding/json"
	"slices"

	"github.com/Masterminds/semver/v3"
)

// Manifest is a Capsule.toml that has no faults. It is immutable.
type Manifest struct {
	Package    Package
	Components []Component
	// Capabilities holds what the top level and all components ask for.
	Capabilities Capabilities
	// Publish and Subscribe are the topics of the tables of these names or, when
	// a table is absent, of the older capabilities ipc_publish and ipc_subscribe.
	Publish, Subscribe []Topic
	Interceptors       []Interceptor
	Tools              []Tool
	Commands           []Command
	Uplinks            []Uplink
	MCPServers         []MCPServer
	Topics             []TopicSchema
	Skills, Contexts   []Document
	Imports            []Import
	Exports            []Export
	Env                []EnvVar

	notices []Notice
	files   []string
}

// Files returns the slash-separated paths of the files that the manifest names,
// sorted: what belongs to the capsule beside the manifest.
func (m *Manifest) Files() []string { return slices.Clone(m.files) }

// Name returns the name of the package, which identifies the capsule.
func (m *Manifest) Name() string { return m.Package.Name }

// Package is who the capsule is. Everything but Name, Version and AstridVersion
// is for people.
type Package struct {
	Name        string
	Version     *semver.Version
	Description string
	Authors     []string
	// AstridVersion is what the capsule needs of the kernel, nil for anything.
	AstridVersion *semver.Constraints
}

// Component is a wasm file of the capsule.
type Component struct {
	ID string
	// File is a slash-separated path inside the capsule's directory.
	File string
}

// Item is one string of a list, with the line that it stands on.
type Item struct {
	Text string
	Line int
}

// Capabilities are the rights that a manifest asks for, as written.
type Capabilities struct {
	// Uplink is the line on which uplink = true stands, 0 if it is not so.
	Uplink                                                            int
	Net, NetConnect, NetUDP, NetBind, NetTCPBind, KV, FSRead, FSWrite []Item
	HostProcess, Identity                                             []Item
	// AllowPromptInjection is the line on which it is true, else 0.
	AllowPromptInjection int
}

// Topic is a topic pattern that the capsule may publish to or subscribe to.
type Topic struct {
	Pattern string
	// WIT names the type of the payload, or is "opaque" or empty.
	WIT string
	// Handler is the action that is called for each message, "" for none.
	Handler  string
	Priority uint32
	Line     int
}

// The modes of an interceptor.
const (
	// ModeHandler takes part in the chain of handlers; it is the default.
	ModeHandler = "handler"
	// ModeGuard decides before delivery and fails closed.
	ModeGuard = "guard"
	// ModeObserver is told afterwards.
	ModeObserver = "observer"
)

// DefaultPriority is where an interceptor without a priority stands; lower ones
// run first.
const DefaultPriority = 100

// Interceptor is an action that is called for events.
type Interceptor struct {
	Event    string
	Action   string
	Priority uint32
	Mode     string
	Line     int
}

// Tool is a function that a model can call.
type Tool struct {
	Name string
	// Description is the only text of the author that is meant for the model.
	Description string
	Mutable     bool
	// InputSchema is a JSON Schema, nil for any object.
	InputSchema json.RawMessage
	Line        int

	schema *schema
}

// Command is something a person can run.
type Command struct{ Name, Description string }

// Uplink is a platform that the capsule connects.
type Uplink struct{ Name, Platform, Profile string }

// MCPServer is a native server that the capsule wants started.
type MCPServer struct {
	Name, Type, Command string
	Args                []string
	Line                int
}

// TopicSchema describes the payload of a topic.
type TopicSchema struct{ Name, Direction, Schema string }

// Document is a skill or a context: a text that ships with the capsule.
type Document struct{ Name, Description, File string }

// Import is an interface that the capsule needs from others.
type Import struct {
	// Name is namespace:interface.
	Name     string
	Version  *semver.Constraints
	Optional bool
	Line     int
}

// Export is an interface that the capsule offers.
type Export struct {
	Name    string
	Version *semver.Version
	Line    int
}

// EnvVar is a setting of the capsule.
type EnvVar struct {
	Name        string
	Type        string // text, string, secret, select, integer or array
	Request     string
	Description string
	// Default is nil if a person has to choose.
	Default     any
	EnumValues  []string
	Placeholder string
	Line        int
}

// Handlers returns every action that is called for events: the interceptors and
// the subscriptions with a handler.
func (m *Manifest) Handlers() []Interceptor {
	all := slices.Clone(m.Interceptors)
	for _, t := range m.Subscribe {
		if t.Handler != "" {
			all = append(all, Interceptor{
				Event: t.Pattern, Action: t.Handler, Priority: t.Priority, Mode: ModeHandler, Line: t.Line,
			})
		}
	}
	return all
}

// Notice is something a manifest asks for that this version does not do.
type Notice struct {
	Line int
	Text string
	// Fatal means that the capsule cannot be loaded: running it without what it
	// asks for would be wrong or unsafe.
	Fatal bool
}

// Unsupported returns what the manifest asks for and this version does not do.
// Loading tells the operator; a fatal notice fails the capsule.
func (m *Manifest) Unsupported() []Notice { return slices.Clone(m.notices) }
