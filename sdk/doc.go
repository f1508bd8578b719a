// Package sdk is what a capsule written in Go is written with.
//
// A capsule is a program without rights of its own: it runs inside the kernel
// as WebAssembly, and everything it does to the world goes through a host
// function that the kernel checks against the capsule's manifest. The author
// writes a typed function and a manifest, nothing else:
//
//	package main
//
//	import "github.com/astrid-go/astrid/sdk"
//
//	type greet struct {
//		Name string `json:"name"`
//	}
//
//	var _ = sdk.Tool("greet", func(c *sdk.Call, a greet) (string, error) {
//		return "hello " + a.Name, nil
//	})
//
//	func main() {}
//
// and in Capsule.toml
//
//	[package]
//	name = "greeter"
//	version = "0.1.0"
//
//	[[component]]
//	id = "greeter"
//	file = "greeter.wasm"
//
//	[[tool]]
//	name = "greet"
//	description_for_llm = "Greets somebody by name."
//	input_schema = { type = "object", properties = { name = { type = "string" } }, required = ["name"] }
//
// It is compiled with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -o greeter.wasm .
//
// Registration happens in package variables because the module is a reactor:
// the Go runtime runs package initialisation when the kernel starts an
// instance, and main is never called.
//
// One instance serves one principal and one call at a time, so package
// variables are that principal's state, live as long as the instance is warm,
// and need no lock. Nothing may be kept there that has to survive: an idle
// instance is closed, a trapped one is discarded. Use package kv.
//
// The packages below this one are the host functions, one package for each
// astrid:* interface: fs, kv, ipc, sys, approval, http. Their errors are
// [*Error] and carry the code of the interface, which is the part to branch on.
//
// The module needs nothing but the standard library. What touches the host is
// built for GOOS=wasip1 alone.
package sdk
