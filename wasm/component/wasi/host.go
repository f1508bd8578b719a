package wasi

import (
	"slices"
	"time"

	"github.com/astrid-go/astrid/wasm/component"
)

// version is the version of WASI that is offered, and stands for all of 0.2.
const version = "0.2.12"

func name(iface string) string { return "wasi:" + iface + "@" + version }

// Host returns all of WASI 0.2 that guests are given. The monotonic clock of
// guests begins with it.
func Host() component.Host {
	return component.Host{
		Interfaces: slices.Concat(ioInterfaces(), cliInterfaces(), clockInterfaces(time.Now()), randomInterfaces(), deniedInterfaces()),
		Dynamic:    unreachableFuncs(),
	}
}
