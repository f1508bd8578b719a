package component_test

import (
	"context"
	"fmt"
	"log"

	"github.com/tetratelabs/wazero"

	"github.com/astrid-go/astrid/wasm/canon"
	"github.com/astrid-go/astrid/wasm/component"
)

// A component is decoded, planned and linked once, and instantiated as often as
// wanted.
func Example() {
	ctx := context.Background()
	runtime := wazero.NewRuntime(ctx)
	defer runtime.Close(ctx)

	decoded, err := component.Decode(adder, component.Limits{})
	check(err)
	plan, err := component.NewPlan(ctx, component.NewEngine(runtime), decoded)
	check(err)
	program, err := plan.Link(component.Host{})
	check(err)
	instance, err := program.Instantiate(ctx, component.Config{})
	check(err)
	defer instance.Close(ctx)

	add, err := instance.Func("add")
	check(err)
	sum, err := canon.NewExport2[uint32, uint32, uint32]("add").Call(ctx, add, 20, 22)
	fmt.Println(sum, err)
	// Output: 42 <nil>
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// adder exports add: func(a: u32, b: u32) -> u32.
var adder = build(
	section(1, coreModule(
		section(1, []byte{1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f}),
		section(3, []byte{1, 0}),
		section(7, []byte{1, 1, 'f', 0, 0}),
		section(10, []byte{1, 7, 0, 0x20, 0, 0x20, 1, 0x6a, 0x0b}),
	)),
	section(2, []byte{1, 0x00, 0, 0}),
	section(6, []byte{1, 0x00, 0x00, 0x01, 0, 1, 'f'}),
	section(7, []byte{1, 0x40, 2, 1, 'a', 0x79, 1, 'b', 0x79, 0x00, 0x79}),
	section(8, []byte{1, 0x00, 0x00, 0, 0, 0}),
	section(11, []byte{1, 0x00, 3, 'a', 'd', 'd', 0x01, 0, 0x00}),
)
