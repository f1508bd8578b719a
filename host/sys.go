package host

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"time"

	"github.com/astrid-go/astrid/wasm/canon"
)

// Limits of astrid:sys.
const (
	maxLogBytes    = 8 << 10
	maxRandomBytes = 4096
	maxSleep       = 60 * time.Second
)

type sysCase uint8

// WITCases names the cases of astrid:sys's error-code.
func (sysCase) WITCases() []string {
	return []string{
		"capability-denied", "config-key-reserved", "too-large", "registry-unavailable", "cancelled", "unknown",
	}
}

type sysError struct {
	Case sysCase `wit:",case"`
	Text string  `wit:"unknown"`
}

func newSysError(err error) sysError {
	c, text := caseOf[sysCase](err, func(error) string { return "" })
	return sysError{c, text}
}

type sysResult[T any] = canon.Result[T, sysError]

func sysAnswer[T any](v T, err error) sysResult[T] { return result(v, err, newSysError) }

type logLevel uint8

// WITCases names the cases of astrid:sys's log-level.
func (logLevel) WITCases() []string { return []string{"trace", "debug", "info", "warn", "error"} }

type callerContext struct {
	Principal canon.Option[string]
	SourceID  string `wit:"source-id"`
	Timestamp string
}

// sysInterface needs no permit: nothing in it leaves the capsule's own walls.
func sysInterface() canon.Interface {
	return canon.Interface{Name: "astrid:sys/host@1.0.0", Funcs: []canon.HostFunc{
		canon.Func1("get-config", getConfig),
		canon.Func0("get-caller", getCaller),
		canon.Proc2("log", log),
		canon.Func0("clock-ms", func(context.Context) uint64 { return uint64(time.Now().UnixMilli()) }),
		canon.Func0("clock-monotonic-ns", func(context.Context) uint64 { return uint64(time.Since(processStart)) }),
		canon.Func1("sleep-ns", sleep),
		canon.Func1("random-bytes", randomBytes),
	}}
}

// processStart is the zero of the monotonic clock.
var processStart = time.Now()

// reservedKeys are configuration that would tell a guest about the host.
func reservedKey(key string) bool { return strings.HasPrefix(key, "ASTRID_") }

func getConfig(ctx context.Context, key string) sysResult[canon.Option[string]] {
	if reservedKey(key) {
		return sysAnswer(canon.None[string](), failed("config-key-reserved", "keys that begin with ASTRID_ are the host's"))
	}
	value, set := of(ctx).Env[key]
	return sysAnswer(canon.Option[string]{Some: set, Value: value}, nil)
}

func getCaller(ctx context.Context) sysResult[callerContext] {
	call := of(ctx).call
	c := callerContext{SourceID: call.Source.String(), Timestamp: call.Time.UTC().Format(time.RFC3339Nano)}
	if id := call.From.Principal(); !id.IsZero() {
		c.Principal = canon.Some(id.String())
	}
	return sysAnswer(c, nil)
}

// log writes to the capsule's own log. Long messages are cut: a log is no
// storage.
func log(ctx context.Context, level logLevel, message string) {
	if len(message) > maxLogBytes {
		message = strings.ToValidUTF8(message[:maxLogBytes], "") + "…"
	}
	i := of(ctx)
	levels := [...]slog.Level{slog.LevelDebug - 4, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	i.Log.Log(ctx, levels[level], message, "capsule", i.Capsule, "principal", i.Principal.String())
}

func sleep(ctx context.Context, nanoseconds uint64) sysResult[canon.Unit] {
	if nanoseconds > uint64(maxSleep) {
		return sysAnswer(canon.Unit{}, failed("too-large", "a sleep is at most 60 s"))
	}
	timer := time.NewTimer(time.Duration(nanoseconds))
	defer timer.Stop()
	select {
	case <-timer.C:
		return sysAnswer(canon.Unit{}, nil)
	case <-ctx.Done():
		return sysAnswer(canon.Unit{}, WithCode("cancelled", ctx.Err()))
	}
}

func randomBytes(_ context.Context, n uint64) sysResult[[]byte] {
	if n > maxRandomBytes {
		return sysAnswer[[]byte](nil, failed("too-large", "at most 4096 bytes at a time"))
	}
	b := make([]byte, n)
	rand.Read(b)
	return sysAnswer(b, nil)
}
