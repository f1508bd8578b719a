//go:build wasip1

// Package http makes requests through the kernel (astrid:http).
//
// The host must be granted in the manifest's capabilities.net. The kernel
// resolves names, connects, verifies TLS and follows redirects; every hop is
// checked again. Bodies are at most 10 MB each way.
package http

import (
	"unsafe"

	"github.com/astrid-go/astrid/sdk/internal/abi"
)

var codes = []string{
	"capability-denied", "invalid-request", "dns-error", "airlock-rejected", "tls-error",
	"timeout", "connection-error", "body-too-large", "closed", "quota", "protocol", "unknown",
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

// other is the case of http-method for a method that has no case of its own.
const other = 9

// Header is one header field.
type Header struct{ Key, Value string }

// Response is an answer.
type Response struct {
	Status  int
	Headers []Header
	Body    []byte
}

type lowered struct{ keyAt, keyLen, valueAt, valueLen uint32 }

//go:wasmimport astrid:http/host@1.0.0 http-request
func request(url string, method uint32, name string, headers unsafe.Pointer, headerCount uint32,
	hasBody, bodyAt, bodyLen uint32, ret unsafe.Pointer)

// Do sends a request and returns the whole response.
func Do(method, url string, headers []Header, body []byte) (Response, error) {
	list := make([]lowered, len(headers)+1) // one more: a pointer must be aligned even for none
	for i, h := range headers {
		list[i] = lowered{at(h.Key), uint32(len(h.Key)), at(h.Value), uint32(len(h.Value))}
	}
	var hasBody uint32
	if body != nil {
		hasBody = 1
	}
	kind, name := caseOf(method)
	var r abi.Result
	request(url, kind, name, unsafe.Pointer(unsafe.SliceData(list)), uint32(len(headers)),
		hasBody, abi.Pointer(body), uint32(len(body)), r.Area())
	if err := r.Failed(4, method, url, codes); err != nil {
		return Response{}, err
	}
	return response(&r), nil
}

func caseOf(method string) (kind uint32, name string) {
	for i, m := range methods {
		if m == method {
			return uint32(i), ""
		}
	}
	return other, method
}

func response(r *abi.Result) Response {
	out := Response{Status: int(r.U16(4)), Body: r.Bytes(16)}
	pairs := abi.Take(r.U32(8), r.U32(12)*16)
	for ; len(pairs) > 0; pairs = pairs[16:] {
		p := (*lowered)(unsafe.Pointer(unsafe.SliceData(pairs)))
		out.Headers = append(out.Headers, Header{
			Key:   abi.TakeString(p.keyAt, p.keyLen),
			Value: abi.TakeString(p.valueAt, p.valueLen),
		})
	}
	return out
}

func at(s string) uint32 { return abi.Pointer(unsafe.Slice(unsafe.StringData(s), len(s))) }
