package wasi

import (
	"context"
	"strings"

	"github.com/astrid-go/astrid/wasm/canon"
	"github.com/astrid-go/astrid/wasm/component"
)

// Resources that no guest comes by: nothing returns one.
type (
	descriptor     struct{}
	entryStream    struct{}
	tcpSocket      struct{}
	udpSocket      struct{}
	resolveStream  struct{}
	datagramInput  struct{}
	datagramOutput struct{}
)

func (*descriptor) WITResource() string     { return "descriptor" }
func (*entryStream) WITResource() string    { return "directory-entry-stream" }
func (*tcpSocket) WITResource() string      { return "tcp-socket" }
func (*udpSocket) WITResource() string      { return "udp-socket" }
func (*resolveStream) WITResource() string  { return "resolve-address-stream" }
func (*datagramInput) WITResource() string  { return "incoming-datagram-stream" }
func (*datagramOutput) WITResource() string { return "outgoing-datagram-stream" }

// network is a network on which nothing is allowed.
type network struct{}

func (*network) WITResource() string { return "network" }

type addressFamily uint8

func (addressFamily) WITCases() []string { return []string{"ipv4", "ipv6"} }

// socketError is wasi:sockets/network's error-code.
type socketError uint8

const accessDenied socketError = 1

func (socketError) WITCases() []string {
	return strings.Fields(`unknown access-denied not-supported invalid-argument out-of-memory timeout
		concurrency-conflict not-in-progress would-block invalid-state new-socket-limit address-not-bindable
		address-in-use remote-unreachable connection-refused connection-reset connection-aborted
		datagram-too-large name-unresolvable temporary-resolver-failure permanent-resolver-failure`)
}

// fileError is wasi:filesystem/types' error-code.
type fileError uint8

func (fileError) WITCases() []string {
	return strings.Fields(`access would-block already bad-descriptor busy deadlock quota exist file-too-large
		illegal-byte-sequence in-progress interrupted invalid io is-directory loop too-many-links message-size
		name-too-long no-device no-entry no-lock insufficient-memory insufficient-space not-directory not-empty
		not-recoverable unsupported no-tty no-such-device overflow not-permitted pipe read-only invalid-seek
		text-file-busy cross-device`)
}

func deniedInterfaces() []canon.Interface {
	noFileError := func(context.Context, canon.Borrow[*ioError]) canon.Option[fileError] { return canon.None[fileError]() }
	noSocketError := func(context.Context, canon.Borrow[*ioError]) canon.Option[socketError] {
		return canon.None[socketError]()
	}
	return []canon.Interface{
		{Name: name("filesystem/types"), Funcs: []canon.HostFunc{
			canon.Func1("filesystem-error-code", noFileError),
			canon.Drop[*descriptor](), canon.Drop[*entryStream](),
		}},
		{Name: name("filesystem/preopens"), Funcs: []canon.HostFunc{
			canon.Func0("get-directories", func(context.Context) []canon.Tuple2[canon.Own[*descriptor], string] { return nil }),
		}},
		{Name: name("sockets/network"), Funcs: []canon.HostFunc{
			canon.Func1("network-error-code", noSocketError), canon.Drop[*network](),
		}},
		{Name: name("sockets/instance-network"), Funcs: []canon.HostFunc{
			canon.Func0("instance-network", func(context.Context) canon.Own[*network] { return canon.Own[*network]{Value: &network{}} }),
		}},
		{Name: name("sockets/tcp"), Funcs: []canon.HostFunc{canon.Drop[*tcpSocket]()}},
		{Name: name("sockets/tcp-create-socket"), Funcs: []canon.HostFunc{
			canon.Func1("create-tcp-socket", denied[addressFamily, canon.Own[*tcpSocket]]),
		}},
		{Name: name("sockets/udp"), Funcs: []canon.HostFunc{
			canon.Drop[*udpSocket](), canon.Drop[*datagramInput](), canon.Drop[*datagramOutput](),
		}},
		{Name: name("sockets/udp-create-socket"), Funcs: []canon.HostFunc{
			canon.Func1("create-udp-socket", denied[addressFamily, canon.Own[*udpSocket]]),
		}},
		{Name: name("sockets/ip-name-lookup"), Funcs: []canon.HostFunc{
			canon.Func2("resolve-addresses", func(context.Context, canon.Borrow[*network], string) canon.Result[canon.Own[*resolveStream], socketError] {
				return canon.Err[canon.Own[*resolveStream]](accessDenied)
			}),
			canon.Drop[*resolveStream](),
		}},
	}
}

func denied[A, R any](context.Context, A) canon.Result[R, socketError] {
	return canon.Err[R](accessDenied)
}

// unreachable are the methods of the resources that no guest comes by.
var unreachable = []struct{ iface, resource, methods string }{
	{"filesystem/types", "descriptor", `read-via-stream write-via-stream append-via-stream advise sync-data get-flags
		get-type set-size set-times read write read-directory sync create-directory-at stat stat-at set-times-at link-at
		open-at readlink-at remove-directory-at rename-at symlink-at unlink-file-at is-same-object metadata-hash
		metadata-hash-at`},
	{"filesystem/types", "directory-entry-stream", `read-directory-entry`},
	{"sockets/tcp", "tcp-socket", `start-bind finish-bind start-connect finish-connect start-listen finish-listen accept
		local-address remote-address is-listening address-family set-listen-backlog-size keep-alive-enabled
		set-keep-alive-enabled keep-alive-idle-time set-keep-alive-idle-time keep-alive-interval set-keep-alive-interval
		keep-alive-count set-keep-alive-count hop-limit set-hop-limit receive-buffer-size set-receive-buffer-size
		send-buffer-size set-send-buffer-size subscribe shutdown`},
	{"sockets/udp", "udp-socket", `start-bind finish-bind stream local-address remote-address address-family
		unicast-hop-limit set-unicast-hop-limit receive-buffer-size set-receive-buffer-size send-buffer-size
		set-send-buffer-size subscribe`},
	{"sockets/udp", "incoming-datagram-stream", `receive subscribe`},
	{"sockets/udp", "outgoing-datagram-stream", `check-send send subscribe`},
	{"sockets/ip-name-lookup", "resolve-address-stream", `resolve-next-address subscribe`},
}

// unreachableFuncs are never entered: lifting self fails before.
func unreachableFuncs() []component.Dynamic {
	var funcs []component.Dynamic
	for _, u := range unreachable {
		for _, m := range strings.Fields(u.methods) {
			funcs = append(funcs, component.Dynamic{
				Interface: name(u.iface), Name: "[method]" + u.resource + "." + m,
				Call: func(context.Context, []canon.Value) (canon.Value, error) {
					return canon.Value{}, &canon.Trap{Reason: "there is no " + u.resource}
				},
			})
		}
	}
	return funcs
}
