package wasi

import (
	"context"
	"io"

	"github.com/astrid-go/astrid/wasm/canon"
)

// terminalInput and terminalOutput are terminals, of which there is none.
type (
	terminalInput  struct{}
	terminalOutput struct{}
)

func (*terminalInput) WITResource() string  { return "terminal-input" }
func (*terminalOutput) WITResource() string { return "terminal-output" }

func cliInterfaces() []canon.Interface {
	output := func(iface, fn string, to func(*Env) io.Writer) canon.Interface {
		return canon.Interface{Name: name(iface), Funcs: []canon.HostFunc{
			canon.Func0(fn, func(context.Context) canon.Own[*outputStream] {
				return canon.Own[*outputStream]{Value: &outputStream{to}}
			}),
		}}
	}
	terminal := func(context.Context) canon.Option[canon.Own[*terminalOutput]] {
		return canon.None[canon.Own[*terminalOutput]]()
	}
	return []canon.Interface{
		{Name: name("cli/environment"), Funcs: []canon.HostFunc{
			canon.Func0("get-environment", func(context.Context) []canon.Tuple2[string, string] { return nil }),
			canon.Func0("get-arguments", func(context.Context) []string { return nil }),
			canon.Func0("initial-cwd", func(context.Context) canon.Option[string] { return canon.None[string]() }),
		}},
		{Name: name("cli/exit"), Funcs: []canon.HostFunc{
			canon.Proc1("exit", func(_ context.Context, status canon.Result[canon.Unit, canon.Unit]) {
				if status.IsErr {
					panic(&Exit{1})
				}
				panic(&Exit{0})
			}),
		}},
		{Name: name("cli/stdin"), Funcs: []canon.HostFunc{
			canon.Func0("get-stdin", func(context.Context) canon.Own[*inputStream] { return canon.Own[*inputStream]{Value: &inputStream{}} }),
		}},
		output("cli/stdout", "get-stdout", func(e *Env) io.Writer { return e.Stdout }),
		output("cli/stderr", "get-stderr", func(e *Env) io.Writer { return e.Stderr }),
		{Name: name("cli/terminal-input"), Funcs: []canon.HostFunc{canon.Drop[*terminalInput]()}},
		{Name: name("cli/terminal-output"), Funcs: []canon.HostFunc{canon.Drop[*terminalOutput]()}},
		{Name: name("cli/terminal-stdin"), Funcs: []canon.HostFunc{
			canon.Func0("get-terminal-stdin", func(context.Context) canon.Option[canon.Own[*terminalInput]] {
				return canon.None[canon.Own[*terminalInput]]()
			}),
		}},
		{Name: name("cli/terminal-stdout"), Funcs: []canon.HostFunc{canon.Func0("get-terminal-stdout", terminal)}},
		{Name: name("cli/terminal-stderr"), Funcs: []canon.HostFunc{canon.Func0("get-terminal-stderr", terminal)}},
	}
}
