package capsule

import (
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/astrid-go/astrid/capability"
)

// The functions below turn what a manifest says into the text of a
// capability.ResourcePattern. Each result has been parsed once, so that no grant
// can fail later.

// pathPattern reads a path of fs_read or fs_write. cwd:// and relative paths are
// in the workspace, home:// in the principal's home, /tmp/ in its temporary
// directory. A scheme alone, ".", and a final slash mean the whole tree.
func pathPattern(s string) (string, error) {
	rest, ok := s, false
	scheme := "cwd://"
	switch {
	case s == "":
		return "", errors.New("is empty")
	case strings.HasPrefix(s, "cwd://"):
		rest, ok = s[len("cwd://"):], true
	case strings.HasPrefix(s, "home://"):
		scheme, rest, ok = "home://", s[len("home://"):], true
	case s == "/tmp" || strings.HasPrefix(s, "/tmp/"):
		scheme, rest, ok = "tmp://", strings.TrimPrefix(s[len("/tmp"):], "/"), true
	case strings.Contains(s, "://"):
		return "", errors.New("has a scheme that is none of cwd://, home:// and /tmp/")
	case strings.HasPrefix(s, "/"):
		return "", errors.New("is absolute; paths begin with cwd://, home:// or /tmp/, or are relative to the workspace")
	}
	if !ok {
		rest = strings.TrimPrefix(rest, "./")
	}
	if rest == "" || rest == "." {
		rest = "**"
	}
	if strings.HasSuffix(rest, "/") {
		rest += "**"
	}
	return checked(scheme + rest)
}

// keyPattern reads an entry of kv: "*" for all keys, a key, or a prefix that ends
// with "*".
func keyPattern(s string) (string, error) {
	if s == "*" || s == "**" {
		return "kv://**", nil
	}
	if s == "" {
		return "", errors.New("is empty")
	}
	return checked("kv://" + s)
}

// hostPattern reads an entry of net: a host or "*.domain" with or without a port.
// Without one, every port is meant. The result is of the form net://host:port, the
// one spelling that destinations are compared in.
func hostPattern(s string) (string, error) {
	if s == "*" {
		return "net://*", nil
	}
	if strings.ContainsAny(s, "/@%?#\\ ") {
		return "", errors.New("has to be a host with or without a port, not a URL")
	}
	host, port := s, "*"
	if h, p, err := net.SplitHostPort(s); err == nil {
		host, port = h, p
	} else if strings.Contains(s, ":") && !strings.Contains(s, "[") {
		if _, err := netip.ParseAddr(s); err != nil {
			return "", errors.New("has no valid port")
		}
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	}
	if !checkPort(port) {
		return "", errors.New(`has a port that is neither "*" nor from 1 to 65535`)
	}
	if err := checkHostName(host); err != nil {
		return "", err
	}
	return checked("net://" + net.JoinHostPort(strings.ToLower(strings.TrimSuffix(host, ".")), port))
}

func checkHostName(host string) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" || addr.String() != strings.ToLower(host) {
			return errors.New("has to be written as " + addr.WithZone("").String())
		}
		return nil
	}
	name := strings.TrimPrefix(host, "*.")
	if name == "" || len(name) > 253 {
		return errors.New("has no host")
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return errors.New("is not a valid host name")
		}
		for i := range len(label) {
			c := label[i] | 0x20
			if !('a' <= c && c <= 'z' || '0' <= label[i] && label[i] <= '9' || label[i] == '-' || label[i] == '_') {
				return errors.New(`is not a valid host name; a wildcard may only be its first label, "*."`)
			}
		}
	}
	return nil
}

// TopicResource is the resource under which a topic is granted: topic:// and its
// segments, joined by slashes.
func TopicResource(topic string) string { return "topic://" + strings.ReplaceAll(topic, ".", "/") }

// topicPattern turns a topic pattern into that of its resources: "*" is one
// segment, as the last one it is one or more.
func topicPattern(s string) (string, error) {
	if err := checkTopicPattern(s); err != nil {
		return "", err
	}
	resource := TopicResource(s)
	if strings.HasSuffix(s, ".*") {
		resource += "/**"
	}
	return checked(resource)
}

const (
	// maxTopicBytes and maxTopicSegments are the bus's limits.
	maxTopicBytes    = 256
	maxTopicSegments = 8
)

func checkTopicPattern(s string) error {
	segments := strings.Split(s, ".")
	switch {
	case s == "":
		return errors.New("is empty")
	case s == "*":
		return errors.New("covers every topic; name at least the first segment")
	case len(s) > maxTopicBytes:
		return errors.New("is longer than 256 bytes")
	case len(segments) > maxTopicSegments:
		return errors.New("has more than 8 segments")
	}
	for _, segment := range segments {
		if segment == "" {
			return errors.New("has an empty segment")
		}
		if segment != "*" && strings.ContainsFunc(segment, func(r rune) bool {
			return r > 0x7f || !isTopicByte(byte(r))
		}) {
			return errors.New(`may hold only A-Z a-z 0-9 _ - in a segment, or be "*" as a whole one`)
		}
	}
	return nil
}

func isTopicByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// checked returns a pattern that the matcher accepts.
func checked(pattern string) (string, error) {
	if _, err := capability.ParseResourcePattern(pattern); err != nil {
		_, why, _ := strings.Cut(err.Error(), `": `)
		if why == "" {
			why = err.Error()
		}
		return "", errors.New("is not a valid pattern: " + why)
	}
	return pattern, nil
}
