package host

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"code.dny.dev/ssrf"
)

// Limits of one request that leaves the machine. They are those of astrid:http;
// the header limit is ours, generous for real servers and small for the host.
const (
	egressTimeout   = 30 * time.Second
	maxEgressBody   = 10 << 20
	maxEgressHeader = 64 << 10
	maxRedirects    = 10
	maxURLBytes     = 8 << 10
)

// EgressConfig is the operator's part of the rules; the manifest's grants are
// checked for each request.
type EgressConfig struct {
	// Reachable lists networks that are not public and may be reached all the
	// same, for example a model server on loopback. It is the operator's
	// decision for the whole daemon; no manifest can widen it.
	Reachable []netip.Prefix
	// TLS verifies servers; nil means the system's certificates and TLS 1.2 or
	// newer.
	TLS *tls.Config
}

// Egress is the one way out of the machine: every name is resolved here, every
// address is checked when it is dialled, so that a name which changes its
// answer between check and use gains nothing. Proxy variables are ignored. It
// is safe for concurrent use.
type Egress struct {
	transport *http.Transport
}

// NewEgress returns an egress that refuses every address which is not public,
// but for those of cfg.
func NewEgress(cfg EgressConfig) *Egress {
	var four, six []netip.Prefix
	for _, p := range cfg.Reachable {
		if p.Addr().Is4() {
			four = append(four, p)
		} else {
			six = append(six, p)
		}
	}
	guard := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(four...), ssrf.WithAllowedV6Prefixes(six...))
	dialer := &net.Dialer{Timeout: egressTimeout, Control: guard.Safe}
	dialer.SetMultipathTCP(false)
	return &Egress{transport: &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        cfg.TLS,
		TLSHandshakeTimeout:    egressTimeout,
		ResponseHeaderTimeout:  egressTimeout,
		MaxResponseHeaderBytes: maxEgressHeader,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        time.Minute,
		DisableCompression:     true, // a guest gets the bytes of the wire, never a bomb
		ForceAttemptHTTP2:      true,
	}}
}

// Close drops idle connections. Requests under way end by their own limits.
func (e *Egress) Close() { e.transport.CloseIdleConnections() }

// errEgress is a failure with the case of astrid:http's error-code it maps to.
type errEgress struct {
	code string
	err  error
}

func (e *errEgress) Error() string { return e.err.Error() }
func (e *errEgress) Unwrap() error { return e.err }

func egressError(code, format string, args ...any) *errEgress {
	return &errEgress{code: code, err: fmt.Errorf(format, args...)}
}

// destination is where a URL leads, in the one spelling that grants are
// written in.
type destination struct {
	url  *url.URL
	host string
	port uint16
}

func (d destination) resource() string {
	return "net://" + net.JoinHostPort(d.host, strconv.Itoa(int(d.port)))
}

// parseDestination accepts absolute http and https URLs without credentials
// whose host has exactly one reading. Spellings of addresses that resolvers
// disagree about (octal, hexadecimal, shortened) are refused, not normalised.
func parseDestination(raw string) (destination, error) {
	if len(raw) > maxURLBytes {
		return destination{}, egressError("invalid-request", "url is longer than %d bytes", maxURLBytes)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return destination{}, egressError("invalid-request", "url does not parse")
	}
	port, known := map[string]uint16{"http": 80, "https": 443}[u.Scheme]
	if !known || u.Opaque != "" || u.User != nil {
		return destination{}, egressError("invalid-request", "url must be http or https without credentials")
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return destination{}, egressError("invalid-request", "port %q is not a number from 1 to 65535", p)
		}
		port = uint16(n)
	}
	host, err := canonicalHost(u.Hostname())
	if err != nil {
		return destination{}, err
	}
	return destination{url: u, host: host, port: port}, nil
}

func canonicalHost(host string) (string, error) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || len(host) > 253 {
		return "", egressError("invalid-request", "url has no usable host")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" || addr.Is4In6() {
			return "", egressError("invalid-request", "address %s must be written in its plain form", addr)
		}
		return addr.String(), nil
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if !validLabel(label) {
			return "", egressError("invalid-request", "host %q is not a DNS name", host)
		}
	}
	if last := labels[len(labels)-1]; last[0] >= '0' && last[0] <= '9' {
		return "", egressError("invalid-request", "host %q looks like an address in a spelling that is not accepted", host)
	}
	return host, nil
}

func validLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for _, c := range []byte(label) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// exchange is a request of a guest after its form was checked.
type exchange struct {
	to     destination
	method string
	header http.Header
	body   []byte
	// allow is asked before each hop, redirects included.
	allow func(context.Context, destination) error
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// do runs one request, redirects included, within the limits above. Credentials
// of the guest do not follow a redirect to another host.
func (e *Egress) do(ctx context.Context, x exchange) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, egressTimeout)
	defer cancel()
	if err := x.allow(ctx, x.to); err != nil {
		return answer{}, err
	}
	client := &http.Client{Transport: e.transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return egressError("connection-error", "more than %d redirects", maxRedirects)
		}
		to, err := parseDestination(r.URL.String())
		if err != nil {
			return err
		}
		return x.allow(ctx, to)
	}}
	q, err := http.NewRequestWithContext(ctx, x.method, x.to.url.String(), bytes.NewReader(x.body))
	if err != nil {
		return answer{}, egressError("invalid-request", "request cannot be built")
	}
	q.Header = x.header
	r, err := client.Do(q)
	if err != nil {
		return answer{}, classify(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxEgressBody+1))
	if err != nil {
		return answer{}, classify(err)
	}
	if len(body) > maxEgressBody {
		return answer{}, egressError("body-too-large", "response is larger than %d bytes", maxEgressBody)
	}
	return answer{status: r.StatusCode, header: r.Header, body: body}, nil
}

// classify maps what net/http reports to the codes of astrid:http. A refusal
// by allow and an error of ours pass through.
func classify(err error) error {
	var ours *errEgress
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case denied(err):
		return err
	case errors.As(err, &ours):
		return ours
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork):
		return &errEgress{"airlock-rejected", err}
	case errors.Is(err, context.DeadlineExceeded):
		return egressError("timeout", "no complete answer within %s", egressTimeout)
	case errors.As(err, &dns):
		return egressError("dns-error", "name does not resolve")
	case errors.As(err, &certificate), errors.As(err, &record):
		return egressError("tls-error", "server's certificate does not verify")
	}
	return egressError("connection-error", "connection failed")
}
