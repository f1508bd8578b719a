//go:build wasip1

// Command probe is the guest of the kernel's own tests: its tool "host" calls
// any host function, its other tools misbehave in every way that a guest can.
//
// Its module path lies below the SDK's, so that it may bind those functions
// which the SDK has no words for.
package main

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/astrid-go/astrid/sdk"
)

var (
	_ = sdk.Tool("host", callHost)
	_ = sdk.Tool("misbehave", misbehave)
	_ = sdk.Handle("guard", guard)
	_ = sdk.Handle("observe", observe)
)

func main() {}

// args name a host function and what it gets; each takes what it needs.
type args struct {
	Fn string `json:"fn"`
	A  string `json:"a"`
	B  string `json:"b"`
	C  string `json:"c"`
	N  uint64 `json:"n"`
	// Fill replaces B by that many bytes.
	Fill    int         `json:"fill"`
	Headers [][2]string `json:"headers"`
}

// reply is what the function came to: a value, or the code of its error.
type reply struct {
	Value any    `json:"value"`
	Code  string `json:"code"`
	Text  string `json:"text"`
}

func callHost(_ *sdk.Call, a args) (reply, error) {
	f, known := functions[a.Fn]
	if !known {
		return reply{}, errors.New("probe binds no host function " + a.Fn)
	}
	if a.Fill > 0 {
		a.B = strings.Repeat("x", a.Fill)
	}
	v, err := f(a)
	var failed *sdk.Error
	if errors.As(err, &failed) {
		return reply{Code: failed.Code, Text: failed.Text}, nil
	}
	return reply{Value: v}, err
}

type how struct {
	How string `json:"how"`
}

// kept holds what grow allocates.
var kept [][]byte

func misbehave(_ *sdk.Call, h how) (string, error) {
	switch h.How {
	case "trap":
		panic("probe was told to trap")
	case "loop":
		for n := uint64(1); n != 0; n += 2 {
		}
	case "grow":
		for {
			kept = append(kept, make([]byte, 1<<20))
		}
	case "recurse":
		return deeper(1), nil
	}
	return "behaved", nil
}

func deeper(n int) string {
	s := deeper(n + 1)
	return s + s[:0]
}

func guard(_ *sdk.Call, payload []byte) (sdk.Verdict, error) {
	if strings.Contains(string(payload), "forbidden") {
		return sdk.Deny("the word is forbidden"), nil
	}
	return sdk.Continue(), nil
}

// observe writes what it saw where a test can look.
func observe(_ *sdk.Call, payload []byte) (sdk.Verdict, error) {
	if !json.Valid(payload) {
		return sdk.Deny("no JSON"), nil
	}
	_, err := functions["kv-set"](args{A: "observed", B: string(payload)})
	return sdk.Continue(), err
}
