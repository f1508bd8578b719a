package capsule

import "fmt"

// Grant is one right that a manifest asks for, in the words of the gate.
type Grant struct {
	// Action is what may be done, for example "fs.read".
	Action string
	// Resource is the text of a capability.ResourcePattern.
	Resource string
	// Source is the place in the manifest, like "Capsule.toml:12".
	Source string
}

// Grants compiles what the manifest asks for:
//
//	fs.read, fs.write                 cwd://…, home://…, tmp://…
//	net.http, net.connect, net.udp    net://host:port
//	kv.read, kv.write                 kv://key
//	ipc.publish, ipc.subscribe        topic://first/second/…, see [TopicResource]
//	ipc.publish_as, uplink.register   uplink://**
//	identity.resolve, .link, .admin   identity://**
//	secret.use                        secret://NAME, for each variable of [env] of type secret
//
// What has a fatal notice is not granted.
func (m *Manifest) Grants() []Grant {
	var c compiler
	caps := &m.Capabilities
	c.add("fs.read", caps.FSRead, pathPattern)
	c.add("fs.write", caps.FSWrite, pathPattern)
	c.add("net.http", caps.Net, hostPattern)
	c.add("net.connect", caps.NetConnect, hostPattern)
	c.add("net.udp", caps.NetUDP, hostPattern)
	c.add("kv.read", caps.KV, keyPattern)
	c.add("kv.write", caps.KV, keyPattern)
	c.topics("ipc.publish", m.Publish)
	c.topics("ipc.subscribe", m.Subscribe)
	if caps.Uplink > 0 {
		c.grant("ipc.publish_as", "uplink://**", caps.Uplink)
		c.grant("uplink.register", "uplink://**", caps.Uplink)
	}
	for _, e := range caps.Identity {
		c.identity(e)
	}
	for _, v := range m.Env {
		if v.Type == "secret" {
			c.grant("secret.use", "secret://"+v.Name, v.Line)
		}
	}
	return c.grants
}

type compiler struct{ grants []Grant }

func (c *compiler) grant(action, resource string, line int) {
	c.grants = append(c.grants, Grant{Action: action, Resource: resource, Source: fmt.Sprintf("%s:%d", ManifestFile, line)})
}

// add grants an action on entries that passed the same function when the manifest
// was parsed; one that fails now is not granted.
func (c *compiler) add(action string, entries []Item, pattern func(string) (string, error)) {
	for _, e := range entries {
		if resource, err := pattern(e.Text); err == nil {
			c.grant(action, resource, e.Line)
		}
	}
}

func (c *compiler) topics(action string, topics []Topic) {
	for _, t := range topics {
		if resource, err := topicPattern(t.Pattern); err == nil {
			c.grant(action, resource, t.Line)
		}
	}
}

// identity grants a right with those that it includes.
func (c *compiler) identity(e Item) {
	switch e.Text {
	case "admin":
		c.grant("identity.admin", "identity://**", e.Line)
		fallthrough
	case "link":
		c.grant("identity.link", "identity://**", e.Line)
		fallthrough
	case "resolve":
		c.grant("identity.resolve", "identity://**", e.Line)
	}
}
