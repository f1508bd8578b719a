package bench

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// calls measures a whole tool call, socket to socket: a read of a 4 KB file. The
// calls of one principal to one tool run one after the other, by promise; those
// of others run beside them.
func (b *run) calls(ctx context.Context) error {
	for i := range extraPrincipals {
		if err := b.addPrincipal(fmt.Sprintf("bench-%d", i)); err != nil {
			return err
		}
	}
	d, err := b.start(ctx)
	if err != nil {
		return err
	}
	for _, who := range []struct {
		label string
		name  func(client int) string
	}{
		{"of one principal", func(int) string { return "default" }},
		{"of 8 principals", func(client int) string { return fmt.Sprintf("bench-%d", client%8) }},
	} {
		for _, clients := range []int{1, 8, 64} {
			took, elapsed, err := b.load(ctx, clients, who.name)
			if err != nil {
				return fmt.Errorf("%d clients %s: %w", clients, who.label, err)
			}
			b.line(fmt.Sprintf("tool call, %d clients %s", clients, who.label), "p50 %s  p99 %s  %.0f calls/s  (n=%d)",
				ms(quantile(took, 0.5)), ms(quantile(took, 0.99)), float64(len(took))/elapsed.Seconds(), len(took))
		}
	}
	return d.stop()
}

// load makes the configured number of calls over so many connections. Every
// goroutine ends with its share of calls or at the first error.
func (b *run) load(ctx context.Context, clients int, who func(int) string) (took []time.Duration, elapsed time.Duration, err error) {
	each := max(b.Calls/clients, 10)
	times := make([][]time.Duration, clients)
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for i := range clients {
		group.Go(func() error {
			c, err := b.dial(ctx, who(i))
			if err != nil {
				return err
			}
			defer c.Close()
			for range each {
				start := time.Now()
				r, err := c.CallTool(ctx, "read_file", json.RawMessage(`{"path":"small.txt"}`))
				if err != nil {
					return err
				}
				if r.IsError {
					return fmt.Errorf("read_file: %s", r.Content)
				}
				times[i] = append(times[i], time.Since(start))
			}
			return nil
		})
	}
	err = group.Wait()
	for _, t := range times {
		took = append(took, t...)
	}
	return took, time.Since(began), err
}

// extraPrincipals is how many principals the memory figure is an average over.
const extraPrincipals = 20

// memory measures the resident set of an idle daemon, and what each principal
// with a warm instance adds.
func (b *run) memory(ctx context.Context) error {
	d, err := b.start(ctx)
	if err != nil {
		return err
	}
	idle, err := resident(d.cmd.Process.Pid)
	if err != nil {
		return err
	}
	b.line("resident, idle", "%.1f MB", idle)
	for i := range extraPrincipals {
		c, err := b.dial(ctx, fmt.Sprintf("bench-%d", i))
		if err != nil {
			return err
		}
		defer c.Close()
		r, err := c.CallTool(ctx, "read_file", json.RawMessage(`{"path":"small.txt"}`))
		if err != nil || r.IsError {
			return fmt.Errorf("call as bench-%d: %s %w", i, r.Content, err)
		}
	}
	full, err := resident(d.cmd.Process.Pid)
	if err != nil {
		return err
	}
	b.line("resident, each extra principal", "%.2f MB (average of %d, each with a warm instance)", (full-idle)/extraPrincipals, extraPrincipals)
	return d.stop()
}

// addPrincipal writes a key and a profile, as an operator would by hand.
func (b *run) addPrincipal(name string) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.home, "keys", name+".key"), private.Seed(), 0o600); err != nil {
		return err
	}
	profile := fmt.Sprintf("profile_version = 1\nenabled = true\ngroups = [\"agent\"]\ncapsules = [\"fs\"]\n\n"+
		"[auth]\nmethods = [\"keypair\"]\npublic_keys = [\"ed25519:%s\"]\n", hex.EncodeToString(public))
	return os.WriteFile(filepath.Join(b.home, "etc", "profiles", name+".toml"), []byte(profile), 0o600)
}

// resident returns the resident set of a process in MB (Linux; proc(5)).
func resident(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("measure memory: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1000, err
		}
	}
	return 0, fmt.Errorf("measure memory: no VmRSS of process %d", pid)
}

func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range bytes.Lines(b) {
		if key, value, ok := strings.Cut(string(line), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
