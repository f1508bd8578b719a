package host

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestParseDestination(t *testing.T) {
	for raw, want := range map[string]string{
		"http://Example.COM":                "net://example.com:80",
		"https://example.com./x?y=1":        "net://example.com:443",
		"https://example.com:8443/":         "net://example.com:8443",
		"http://127.0.0.1:1/":               "net://127.0.0.1:1",
		"http://[::1]:8080/":                "net://[::1]:8080",
		"http://[2001:DB8:0::1]/":           "net://[2001:db8::1]:80",
		"http://xn--bcher-kva.example/":     "net://xn--bcher-kva.example:80",
		"http://under_score.example:65535/": "net://under_score.example:65535",
	} {
		to, err := parseDestination(raw)
		if err != nil || to.resource() != want {
			t.Errorf("%s leads to %q (%v), want %q", raw, to.resource(), err, want)
		}
	}
}

// TestParseDestinationRefuses lists spellings that two readers could take for
// different hosts, and those that carry more than a destination.
func TestParseDestinationRefuses(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing":                   "",
		"no scheme":                 "example.com/",
		"another scheme":            "ftp://example.com/",
		"a file":                    "file:///etc/passwd",
		"an opaque URL":             "http:example.com",
		"credentials":               "http://user:secret@example.com/",
		"a user":                    "http://user@example.com/",
		"no host":                   "http:///x",
		"a port alone":              "http://:80/",
		"port 0":                    "http://example.com:0/",
		"port 65536":                "http://example.com:65536/",
		"a decimal address":         "http://2130706433/",
		"a hexadecimal address":     "http://0x7f000001/",
		"a hexadecimal part":        "http://0x7f.0.0.1/",
		"an octal address":          "http://017700000001/",
		"an octal part":             "http://0177.0.0.1/",
		"a shortened address":       "http://127.1/",
		"a number at the end":       "http://example.1/",
		"an IPv4 address inside v6": "http://[::ffff:127.0.0.1]/",
		"a zone":                    "http://[fe80::1%25eth0]/",
		"a wildcard":                "http://*.example.com/",
		"an empty label":            "http://a..example.com/",
		"a label with a hyphen":     "http://-a.example.com/",
		"a long label":              "http://" + strings.Repeat("a", 64) + ".example.com/",
		"a long name":               "http://" + strings.Repeat("a.", 127) + "com/",
		"a name that is not ASCII":  "http://bücher.example/",
		"a fullwidth digit":         "http://１27.0.0.1/",
		"a NUL":                     "http://a\x00b.example/",
		"a line feed":               "http://example.com/\r\nHost: other",
		"a space":                   "http://exa mple.com/",
		"an encoded slash":          "http://a%2fb.example/",
		"more than the limit":       "http://example.com/" + strings.Repeat("x", maxURLBytes),
	} {
		to, err := parseDestination(raw)
		var refused *errEgress
		if !errors.As(err, &refused) || refused.code != "invalid-request" {
			t.Errorf("%s: %.60q leads to %q, %v", name, raw, to.resource(), err)
		}
	}
}

func FuzzParseDestination(f *testing.F) {
	for _, s := range []string{
		"http://example.com/", "https://[::1]:8080/x", "http://127.0.0.1:80", "http://0x7f.1/", "http://a@b/",
		"http://[::ffff:1.2.3.4]/", "HTTP://EXAMPLE.com.:0443/%2e", "http://１/", "http://a\tb/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		to, err := parseDestination(raw)
		if err != nil {
			return
		}
		if to.port == 0 || to.url.User != nil || to.host == "" || to.host != strings.ToLower(to.host) {
			t.Fatalf("%q gives %+v", raw, to)
		}
		// The canonical spelling reads as itself: a grant for it cannot mean another host.
		host := to.host
		if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
			host = "[" + host + "]"
		}
		again, err := parseDestination((&url.URL{Scheme: "http", Host: host}).String())
		if err != nil || again.host != to.host {
			t.Fatalf("%q leads to %q, which leads to %q, %v", raw, to.host, again.host, err)
		}
	})
}

func TestRequestHeaderRefusesSmuggling(t *testing.T) {
	for name, f := range map[string]keyValuePair{
		"a line feed in a value":   {"X-A", "a\r\nX-B: b"},
		"a NUL in a value":         {"X-A", "a\x00"},
		"a line feed in a name":    {"X-A\r\nX-B", "b"},
		"a colon in a name":        {"X-A:", "b"},
		"a space in a name":        {"X A", "b"},
		"no name":                  {"", "b"},
		"Host":                     {"hOsT", "other.example"},
		"Content-Length":           {"content-length", "1"},
		"Transfer-Encoding":        {"transfer-encoding", "chunked"},
		"Connection":               {"connection", "close"},
		"Upgrade":                  {"upgrade", "websocket"},
		"Proxy-Authorization":      {"proxy-authorization", "x"},
		"Te":                       {"TE", "trailers"},
		"Trailer":                  {"trailer", "x"},
		"a value beyond the limit": {"X-A", strings.Repeat("a", maxEgressHeader)},
	} {
		if h, err := requestHeader([]keyValuePair{f}); err == nil {
			t.Errorf("%s is accepted: %v", name, h)
		}
	}
	if _, err := requestHeader(make([]keyValuePair, maxHeaders+1)); err == nil {
		t.Error("more fields than the limit are accepted")
	}
	h, err := requestHeader([]keyValuePair{{"x-a", "1"}, {"X-A", "2\t3"}})
	if err != nil || len(h.Values("X-A")) != 2 {
		t.Errorf("usual fields: %v, %v", h, err)
	}
}

func TestMethodName(t *testing.T) {
	const other = 9
	for n, want := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "", "OPTIONS", "", "PATCH"} {
		if got, err := methodName(httpMethod{Case: methodCase(n)}); want != "" && (err != nil || got != want) {
			t.Errorf("case %d is %q, %v; want %q", n, got, err, want)
		}
	}
	for _, name := range []string{"", "CONNECT", "GET /", "GET\r\nX: y", "G\x00", "é"} {
		if got, err := methodName(httpMethod{Case: other, Other: name}); err == nil {
			t.Errorf("method %q is offered as %q", name, got)
		}
	}
	if got, err := methodName(httpMethod{Case: other, Other: "PROPFIND"}); err != nil || got != "PROPFIND" {
		t.Errorf("another method: %q, %v", got, err)
	}
	if _, err := methodName(httpMethod{Case: 5}); err == nil {
		t.Error("CONNECT is offered")
	}
}

// TestProxiesOfTheEnvironmentAreIgnored: a proxy would be a way around every
// check of addresses.
func TestProxiesOfTheEnvironmentAreIgnored(t *testing.T) {
	e := NewEgress(EgressConfig{})
	defer e.Close()
	if e.transport.Proxy != nil {
		t.Error("the transport asks for a proxy")
	}
}
