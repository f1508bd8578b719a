package api

// Empty is the params of methods that take none, and the data of those that
// return none.
type Empty struct{}

// ShutdownParams says why; a null reason is the empty one.
type ShutdownParams struct {
	Reason string `json:"reason"`
}

// InstallParams names the source of a capsule.
type InstallParams struct {
	Source    string `json:"source"`
	Workspace bool   `json:"workspace"`
}

// Status is what GetStatus answers.
type Status struct {
	PID                    int                    `json:"pid"`
	UptimeSecs             uint64                 `json:"uptime_secs"`
	Version                string                 `json:"version"`
	Ephemeral              bool                   `json:"ephemeral"`
	ConnectedClients       int                    `json:"connected_clients"`
	ConnectionsByPrincipal []PrincipalConnections `json:"connections_by_principal,omitempty"`
	// LoadedCapsules are the names of those that are ready.
	LoadedCapsules []string `json:"loaded_capsules"`

	// What follows is this kernel's own.

	// Ready says that the capsules that were found are loaded, or failed.
	Ready     bool   `json:"ready"`
	Home      string `json:"home,omitempty"`
	Workspace string `json:"workspace,omitempty"`
	// AuditKey verifies the audit log: "ed25519:" and 64 hex digits.
	AuditKey string          `json:"audit_key,omitempty"`
	Capsules []CapsuleStatus `json:"capsules,omitempty"`
}

// PrincipalConnections counts the connections of one principal.
type PrincipalConnections struct {
	Principal string `json:"principal"`
	Count     int    `json:"count"`
}

// CapsuleStatus is one capsule, loaded or not.
type CapsuleStatus struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	// State is unloaded, loading, ready, failed or unloading.
	State string `json:"state"`
	// Reason says why a capsule failed.
	Reason     string `json:"reason,omitempty"`
	Generation uint64 `json:"generation,omitzero"`
	// Instances live now; Calls were made since the generation was loaded.
	Instances int64 `json:"instances"`
	Calls     int64 `json:"calls"`
	// MemoryBytes is what the instances hold.
	MemoryBytes uint64 `json:"memory_bytes,omitzero"`
	LastError   string `json:"last_error,omitempty"`
	// Notices say what the manifest asks for and this version does not do.
	Notices []string `json:"notices,omitempty"`
}

// Command is a command that a capsule provides.
type Command struct {
	Name            string `json:"name"`
	Description     string `json:"description"`
	ProviderCapsule string `json:"provider_capsule"`
}

// CapsuleMetadata is what GetCapsuleMetadata answers about one capsule.
type CapsuleMetadata struct {
	Name              string   `json:"name"`
	InterceptorEvents []string `json:"interceptor_events"`
}
