package wasm_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/astrid-go/astrid/wasm"
)

// A guest is compiled once, instantiated as often as wanted, and stopped when
// its time is over.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	engine, err := wasm.NewEngine(ctx, wasm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	module, err := engine.Compile(ctx, adder, nil)
	if err != nil {
		log.Fatal(err)
	}
	instance, err := module.Instantiate(ctx, wasm.InstanceConfig{MemoryLimitBytes: 1 << 20})
	if err != nil {
		log.Fatal(err)
	}
	stack := []uint64{20, 22}
	fmt.Println(instance.CallRaw(ctx, "add", stack), stack[0])
	// Output: <nil> 42
}

// adder is (func (export "add") (param i32 i32) (result i32) ...).
var adder = guest{funcs: []function{
	{export: "add", params: []byte{i32, i32}, results: []byte{i32}, code: []byte{0x20, 0, 0x20, 1, 0x6a}},
}}.encode()
