package principal

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// ProfileVersion is the profile format that this package reads and writes.
const ProfileVersion = 1

// maxEntries bounds each list of a profile or group, so that one decision stays cheap.
const maxEntries = 1024

// Profile is what the operator wrote about one principal. The zero value is disabled and grants nothing.
type Profile struct {
	// Version is the format of the file, 1 to ProfileVersion.
	Version int `toml:"profile_version"`
	// Enabled is false for a principal that must not act at all.
	Enabled bool `toml:"enabled"`
	// Groups names groups whose capabilities apply; an unknown group contributes nothing.
	Groups []string `toml:"groups"`
	// Grants and Revokes are capability patterns; a revoke beats every grant and group.
	Grants  []string `toml:"grants"`
	Revokes []string `toml:"revokes"`
	// Capsules lists the capsules the principal may use, "*" for all of them.
	Capsules []string `toml:"capsules"`
	Auth     Auth     `toml:"auth"`
	Network  Network  `toml:"network"`
	Process  Process  `toml:"process"`
	Quotas   Quotas   `toml:"quotas"`
	// Source is the file the profile was read from, for denials that name it; it is not stored.
	Source string `toml:"-"`
}

// Auth says how a principal may prove its name.
type Auth struct {
	// Methods is a subset of keypair, passkey, system.
	Methods []string `toml:"methods"`
	// PublicKeys are ed25519 keys, each "ed25519:" and 64 hex digits.
	PublicKeys []string `toml:"public_keys"`
}

// Network narrows what the principal's capsules may reach.
type Network struct {
	// Egress lists hosts as "host", "host:port" or "*.domain". Empty means no narrowing beyond the capsule's grants.
	Egress []string `toml:"egress"`
}

// Process narrows which programs the principal's capsules may start.
type Process struct {
	// Allow lists program names. Empty means no narrowing beyond the capsule's grants.
	Allow []string `toml:"allow"`
}

// NewProfile returns an enabled profile with default quotas, in the given groups and with nothing else.
func NewProfile(groups ...string) Profile {
	return Profile{Version: ProfileVersion, Enabled: true, Groups: slices.Clone(groups), Quotas: DefaultQuotas()}
}

// ParseProfile reads a profile file; file is the name used in errors. Absent keys take the values of NewProfile.
// Unknown keys, wrong types and values out of range are *FileError values with their place; a file of a newer format
// is refused before its keys are looked at.
func ParseProfile(file string, data []byte) (Profile, error) {
	doc := document{file: file, data: data}
	if err := doc.checkVersion(); err != nil {
		return Profile{}, err
	}
	p := NewProfile()
	if err := doc.decode(&p); err != nil {
		return Profile{}, err
	}
	if err := p.check(); err != nil {
		return Profile{}, doc.locate(err)
	}
	p.Source = file
	return p, nil
}

// checkVersion refuses a file written by a newer program, whose unknown keys would only hide the reason.
// A file that does not parse passes; decode reports it with its place.
func (d document) checkVersion() error {
	if len(d.data) > MaxFileBytes {
		return d.fail(fmt.Sprintf("%d bytes, at most %d are read", len(d.data), MaxFileBytes))
	}
	var head struct {
		Version int `toml:"profile_version"`
	}
	if err := toml.Unmarshal(d.data, &head); err != nil || head.Version <= ProfileVersion {
		return nil
	}
	return d.locate(&keyError{key: "profile_version", index: -1, problem: fmt.Sprintf(
		"version %d is newer than this program reads (%d); upgrade astrid, or restore the file from before the upgrade",
		head.Version, ProfileVersion)})
}

// check holds every rule about values, for files and for profiles built in code alike.
func (p Profile) check() error {
	if p.Version < 1 || p.Version > ProfileVersion {
		return &keyError{key: "profile_version", index: -1,
			problem: fmt.Sprintf("%d is no version of this format; write %d", p.Version, ProfileVersion)}
	}
	return errors.Join(
		checkEach("groups", p.Groups, checkName),
		checkEach("grants", p.Grants, CheckPattern),
		checkEach("revokes", p.Revokes, CheckPattern),
		checkEach("capsules", p.Capsules, checkCapsule),
		checkEach("auth.methods", p.Auth.Methods, checkMethod),
		checkEach("auth.public_keys", p.Auth.PublicKeys, checkKey),
		checkEach("network.egress", p.Network.Egress, checkHost),
		checkEach("process.allow", p.Process.Allow, checkProgram),
		p.Quotas.check(),
	)
}

// checkEach applies one rule to a list and names the first element that breaks it.
func checkEach(key string, list []string, rule func(string) error) error {
	if len(list) > maxEntries {
		return &keyError{key: key, index: -1, problem: fmt.Sprintf("%d entries, at most %d are allowed", len(list), maxEntries)}
	}
	for i, s := range list {
		if err := rule(s); err != nil {
			return &keyError{key: key, index: i, problem: err.Error()}
		}
	}
	return nil
}

func checkCapsule(s string) error {
	if s == "*" {
		return nil
	}
	return checkName(s)
}

func checkMethod(s string) error {
	if !slices.Contains([]string{methodKeypair, "passkey", "system"}, s) {
		return fmt.Errorf("unknown method %q; known are keypair, passkey, system", s)
	}
	return nil
}

func checkKey(s string) error {
	_, err := ParsePublicKey(s)
	return err
}

// maxNarrowBytes bounds an egress host (DNS allows 253, plus a port) or a program name.
const maxNarrowBytes = 260

func checkHost(s string) error {
	if s == "" || len(s) > maxNarrowBytes {
		return fmt.Errorf("host of %d bytes; 1 to %d are allowed", len(s), maxNarrowBytes)
	}
	for i := range len(s) {
		c := s[i]
		wildcard := c == '*' && i == 0 && len(s) > 2 && s[1] == '.'
		if !wildcard && !isNameByte(c) && c != '.' && c != ':' && c != '[' && c != ']' {
			return fmt.Errorf("host %q; write host, host:port or *.domain", s)
		}
	}
	return nil
}

func checkProgram(s string) error {
	if s == "" || len(s) > maxNarrowBytes {
		return fmt.Errorf("program name of %d bytes; 1 to %d are allowed", len(s), maxNarrowBytes)
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f {
			return fmt.Errorf("program name %q holds a control character", s)
		}
	}
	return nil
}
