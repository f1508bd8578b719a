package host

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/astrid-go/astrid/wasm/canon"
)

// maxHeaders bounds the header fields of a guest's request.
const maxHeaders = 128

type httpCase uint8

// WITCases names the cases of astrid:http@1.0.0's error-code.
func (httpCase) WITCases() []string {
	return []string{
		"capability-denied", "invalid-request", "dns-error", "airlock-rejected", "tls-error", "timeout",
		"connection-error", "body-too-large", "closed", "quota", "protocol", "unknown",
	}
}

type httpError struct {
	Case httpCase `wit:",case"`
	Text string   `wit:"protocol,unknown"`
}

func newHTTPError(err error) httpError {
	c, text := caseOf[httpCase](err, func(err error) string {
		var e *errEgress
		if errors.As(err, &e) {
			return e.code
		}
		return ""
	})
	return httpError{c, text}
}

type methodCase uint8

// WITCases names the cases of astrid:http's http-method.
func (methodCase) WITCases() []string {
	return []string{"get", "head", "post", "put", "delete", "connect", "options", "trace", "patch", "other"}
}

type httpMethod struct {
	Case  methodCase `wit:",case"`
	Other string     `wit:"other"`
}

type keyValuePair struct{ Key, Value string }

type httpRequestData struct {
	URL     string `wit:"url"`
	Method  httpMethod
	Headers []keyValuePair
	Body    canon.Option[[]byte]
}

type httpResponseData struct {
	Status  uint16
	Headers []keyValuePair
	Body    []byte
}

func httpInterface() canon.Interface {
	return canon.Interface{Name: "astrid:http/host@1.0.0", Funcs: []canon.HostFunc{
		canon.Func1("http-request", httpRequest),
	}}
}

func httpRequest(ctx context.Context, r httpRequestData) canon.Result[httpResponseData, httpError] {
	a, err := of(ctx).fetch(ctx, r)
	return result(a, err, newHTTPError)
}

// fetch asks for leave for every hop, the first one and those that redirects
// lead to.
func (i *Instance) fetch(ctx context.Context, r httpRequestData) (httpResponseData, error) {
	to, err := parseDestination(r.URL)
	if err != nil {
		return httpResponseData{}, err
	}
	header, err := requestHeader(r.Headers)
	if err != nil {
		return httpResponseData{}, err
	}
	if len(r.Body.Value) > maxEgressBody {
		return httpResponseData{}, egressError("body-too-large", "request body is larger than %d bytes", maxEgressBody)
	}
	method, err := methodName(r.Method)
	if err != nil {
		return httpResponseData{}, err
	}
	var permits []func(error) error
	a, err := i.Egress.do(ctx, exchange{
		to: to, method: method, header: header, body: r.Body.Value,
		allow: func(ctx context.Context, hop destination) error {
			permit, err := i.Gate.Check(ctx, i.request("net.http", hop.resource()))
			permits = append(permits, func(outcome error) error { return permit.Done(ctx, outcome) })
			if err != nil {
				permits = permits[:len(permits)-1]
			}
			return err
		},
	})
	for _, done := range permits {
		if recordErr := done(err); recordErr != nil {
			return httpResponseData{}, errors.Join(err, recordErr)
		}
	}
	if err != nil {
		return httpResponseData{}, err
	}
	return httpResponseData{Status: uint16(a.status), Headers: pairs(a.header), Body: a.body}, nil
}

func methodName(m httpMethod) (string, error) {
	name := strings.ToUpper(m.Case.WITCases()[m.Case])
	if name == "OTHER" {
		name = m.Other
	}
	if name == http.MethodConnect || !isToken(name) {
		return "", egressError("invalid-request", "method %.32q is not offered", name)
	}
	return name, nil
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2: what methods
// and field names are made of.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// isControl reports whether r may not stand in a field value.
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// hostHeaders are set by the host, from what was checked.
func hostHeaders() []string {
	return []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Proxy-Authorization", "Te", "Trailer"}
}

func requestHeader(fields []keyValuePair) (http.Header, error) {
	if len(fields) > maxHeaders {
		return nil, egressError("invalid-request", "more than %d header fields", maxHeaders)
	}
	h := http.Header{}
	size := 0
	for _, f := range fields {
		size += len(f.Key) + len(f.Value)
		key := http.CanonicalHeaderKey(f.Key)
		if !isToken(f.Key) || strings.ContainsFunc(f.Value, isControl) || slices.Contains(hostHeaders(), key) {
			return nil, egressError("invalid-request", "header field %.64q is not accepted", f.Key)
		}
		h.Add(key, f.Value)
	}
	if size > maxEgressHeader {
		return nil, egressError("invalid-request", "header of more than %d bytes", maxEgressHeader)
	}
	return h, nil
}

// pairs lists a header sorted by name, so that guests see one order.
func pairs(h http.Header) []keyValuePair {
	var out []keyValuePair
	for key, values := range h {
		for _, v := range values {
			out = append(out, keyValuePair{key, v})
		}
	}
	slices.SortStableFunc(out, func(a, b keyValuePair) int { return strings.Compare(a.Key, b.Key) })
	return out
}
