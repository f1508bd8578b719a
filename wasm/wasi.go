package wasm

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// wasiModule is WASI preview 1, of which guests get clocks, randomness,
// output, and refusals.
const wasiModule = "wasi_snapshot_preview1"

// Error numbers of WASI preview 1.
const (
	wasiOK     = 0
	wasiBadFD  = 8
	wasiFault  = 21
	wasiInval  = 28
	wasiIO     = 29
	wasiNoSys  = 52
	wasiSeek   = 70
	wasiStdio  = 2       // the highest descriptor there is
	wasiArg    = "guest" // the program name, which is all of the arguments
	wasiCharFD = 2       // file type: character device
)

// Bounds of one call. A guest that wants more calls again.
const (
	maxVectors = 1024
	maxOutput  = 1 << 20 // bytes; writing less than asked is allowed
	maxRandom  = 1 << 20 // bytes
	maxPolls   = 1024
)

// wasiCall is one call: the arguments and where they point to.
type wasiCall struct {
	ctx   context.Context
	box   *Sandbox
	mem   api.Memory
	stack []uint64
}

func (c *wasiCall) arg(i int) uint32 { return uint32(c.stack[i]) }

// put stores v; false if the guest's pointer is bad.
func (c *wasiCall) put(at uint32, v uint32) bool { return c.mem.WriteUint32Le(at, v) }

type wasiFunc struct {
	name            string
	params, results []api.ValueType
	body            func(*wasiCall) uint32
}

// goFunc wraps a body as host functions are wrapped. A guest without a memory
// gets an error for everything.
func (f wasiFunc) goFunc() api.GoModuleFunc {
	return func(ctx context.Context, mod api.Module, stack []uint64) {
		defer notePanic(ctx)
		if ctx.Err() != nil {
			panic(stopped(ctx))
		}
		c := &wasiCall{ctx: ctx, mem: mod.Memory(), stack: stack}
		c.box, _ = ctx.Value(sandboxKey{}).(*Sandbox)
		errno := uint32(wasiFault)
		if (c.mem != nil || f.name == wasiExit) && c.box != nil {
			errno = f.body(c)
		}
		if len(f.results) > 0 {
			stack[0] = uint64(errno)
		}
	}
}

func wasiSignature(name string) (params, results []api.ValueType, ok bool) {
	for _, f := range wasiTable {
		if f.name == name {
			return f.params, f.results, true
		}
	}
	return nil, nil, false
}

// define reads a signature in which i is an i32 and l an i64.
func define(name, params string, body func(*wasiCall) uint32) wasiFunc {
	f := wasiFunc{name: name, body: body, results: []api.ValueType{api.ValueTypeI32}}
	for _, p := range params {
		t := api.ValueTypeI32
		if p == 'l' {
			t = api.ValueTypeI64
		}
		f.params = append(f.params, t)
	}
	if name == wasiExit {
		f.results = nil
	}
	return f
}

const wasiExit = "proc_exit"

// wasiTable is all of preview 1.
var wasiTable = []wasiFunc{
	define("args_get", "ii", argsGet),
	define("args_sizes_get", "ii", func(c *wasiCall) uint32 { return c.sizes(1, uint32(len(wasiArg)+1)) }),
	define("environ_get", "ii", func(*wasiCall) uint32 { return wasiOK }),
	define("environ_sizes_get", "ii", func(c *wasiCall) uint32 { return c.sizes(0, 0) }),
	define("clock_res_get", "ii", clockRes),
	define("clock_time_get", "ili", clockTime),
	define("random_get", "ii", randomGet),
	define("sched_yield", "", func(*wasiCall) uint32 { return wasiOK }),
	define("poll_oneoff", "iiii", pollOneoff),
	define(wasiExit, "i", procExit),
	define("proc_raise", "i", refuse),

	define("fd_write", "iiii", fdWrite),
	define("fd_read", "iiii", fdRead),
	define("fd_close", "i", standard),
	define("fd_fdstat_get", "ii", fdstatGet),
	define("fd_fdstat_set_flags", "ii", standard),
	define("fd_filestat_get", "ii", filestatGet),
	define("fd_seek", "ilii", unseekable),
	define("fd_tell", "ii", unseekable),
	define("fd_prestat_get", "ii", badFD),
	define("fd_prestat_dir_name", "iii", badFD),
	define("fd_advise", "illi", badFD),
	define("fd_allocate", "ill", badFD),
	define("fd_datasync", "i", badFD),
	define("fd_sync", "i", badFD),
	define("fd_fdstat_set_rights", "ill", badFD),
	define("fd_filestat_set_size", "il", badFD),
	define("fd_filestat_set_times", "illi", badFD),
	define("fd_pread", "iiili", badFD),
	define("fd_pwrite", "iiili", badFD),
	define("fd_readdir", "iiili", badFD),
	define("fd_renumber", "ii", badFD),

	define("path_create_directory", "iii", badFD),
	define("path_filestat_get", "iiiii", badFD),
	define("path_filestat_set_times", "iiiilli", badFD),
	define("path_link", "iiiiiii", badFD),
	define("path_open", "iiiiillii", badFD),
	define("path_readlink", "iiiiii", badFD),
	define("path_remove_directory", "iii", badFD),
	define("path_rename", "iiiiii", badFD),
	define("path_symlink", "iiiii", badFD),
	define("path_unlink_file", "iii", badFD),

	define("sock_accept", "iii", refuse),
	define("sock_recv", "iiiiii", refuse),
	define("sock_send", "iiiii", refuse),
	define("sock_shutdown", "ii", refuse),
}

func refuse(*wasiCall) uint32 { return wasiNoSys }

func badFD(*wasiCall) uint32 { return wasiBadFD }

func standard(c *wasiCall) uint32 {
	if c.arg(0) > wasiStdio {
		return wasiBadFD
	}
	return wasiOK
}

func unseekable(c *wasiCall) uint32 {
	if c.arg(0) > wasiStdio {
		return wasiBadFD
	}
	return wasiSeek
}

func (c *wasiCall) sizes(count, bytes uint32) uint32 {
	if !c.put(c.arg(0), count) || !c.put(c.arg(1), bytes) {
		return wasiFault
	}
	return wasiOK
}

func argsGet(c *wasiCall) uint32 {
	if !c.put(c.arg(0), c.arg(1)) || !c.mem.WriteString(c.arg(1), wasiArg+"\x00") {
		return wasiFault
	}
	return wasiOK
}

// Clocks: 0 is the wall clock, 1 the monotonic one. The others of preview 1
// tell processor time, which is not for guests.
func clockRes(c *wasiCall) uint32 {
	if c.arg(0) > 1 {
		return wasiInval
	}
	if !c.mem.WriteUint64Le(c.arg(1), uint64(time.Microsecond)) {
		return wasiFault
	}
	return wasiOK
}

func clockTime(c *wasiCall) uint32 {
	now, ok := clock(c.arg(0))
	if !ok {
		return wasiInval
	}
	if !c.mem.WriteUint64Le(c.arg(2), uint64(now)) {
		return wasiFault
	}
	return wasiOK
}

// started is the zero of the guests' monotonic clock. Guests must not learn
// how long the machine has been up.
var started = time.Now()

func clock(id uint32) (nanoseconds int64, ok bool) {
	switch id {
	case 0:
		return time.Now().UnixNano(), true
	case 1:
		return int64(time.Since(started)), true
	}
	return 0, false
}

func randomGet(c *wasiCall) uint32 {
	if c.arg(1) > maxRandom {
		return wasiInval
	}
	buf, ok := c.mem.Read(c.arg(0), c.arg(1))
	if !ok {
		return wasiFault
	}
	_, _ = rand.Read(buf) // never fails
	return wasiOK
}

func procExit(c *wasiCall) uint32 {
	code := c.arg(0)
	panic(&GuestFault{Kind: FaultExit, ExitCode: code, Detail: "exit code " + itoa(code)})
}

func fdWrite(c *wasiCall) uint32 {
	var out io.Writer
	switch c.arg(0) {
	case 1:
		out = c.box.Stdout
	case 2:
		out = c.box.Stderr
	default:
		return wasiBadFD
	}
	written := uint32(0)
	for i := range min(c.arg(2), maxVectors) {
		vector, ok := c.mem.Read(c.arg(1)+8*i, 8)
		if !ok {
			return wasiFault
		}
		at, size := binary.LittleEndian.Uint32(vector), binary.LittleEndian.Uint32(vector[4:])
		data, ok := c.mem.Read(at, min(size, maxOutput-written))
		if !ok {
			return wasiFault
		}
		if out != nil {
			if _, err := out.Write(data); err != nil {
				return wasiIO
			}
		}
		if written += uint32(len(data)); written == maxOutput {
			break
		}
	}
	if !c.put(c.arg(3), written) {
		return wasiFault
	}
	return wasiOK
}

// fdRead finds the end of the standard input.
func fdRead(c *wasiCall) uint32 {
	if c.arg(0) != 0 {
		return wasiBadFD
	}
	if !c.put(c.arg(3), 0) {
		return wasiFault
	}
	return wasiOK
}

func fdstatGet(c *wasiCall) uint32 { return c.describe(24, 0) }

func filestatGet(c *wasiCall) uint32 { return c.describe(64, 16) }

// describe fills a structure of size bytes about a descriptor with nothing but
// its type, which is the byte at.
func (c *wasiCall) describe(size, at uint32) uint32 {
	if c.arg(0) > wasiStdio {
		return wasiBadFD
	}
	s, ok := c.mem.Read(c.arg(1), size)
	if !ok {
		return wasiFault
	}
	clear(s)
	s[at] = wasiCharFD
	return wasiOK
}
