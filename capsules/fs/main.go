//go:build wasip1

// Command fs is the capsule of file tools: read, write, replace, list, create,
// delete, move and search, over whatever its manifest grants.
//
// It holds no state. Every path goes to the kernel as the model gave it; what a
// path may name is decided there and not here.
package main

import (
	"github.com/astrid-go/astrid/sdk"
)

var (
	_ = sdk.Tool("read_file", read)
	_ = sdk.Tool("write_file", write)
	_ = sdk.Tool("replace_in_file", replace)
	_ = sdk.Tool("list_directory", list)
	_ = sdk.Tool("create_directory", create)
	_ = sdk.Tool("delete_file", remove)
	_ = sdk.Tool("move_file", move)
	_ = sdk.Tool("grep_search", grep)
)

func main() {}
