package principal

import "fmt"

// Quotas bound what one principal may use. The zero value allows nothing.
type Quotas struct {
	// MaxMemoryBytes bounds the linear memory of each of the principal's guest instances.
	MaxMemoryBytes uint64 `toml:"max_memory_bytes"`
	// MaxTimeoutSecs bounds one guest call, in seconds, 1 to 86400.
	MaxTimeoutSecs uint32 `toml:"max_timeout_secs"`
	// MaxIPCThroughputBytes bounds published payload bytes per second.
	MaxIPCThroughputBytes uint64 `toml:"max_ipc_throughput_bytes"`
	// MaxBackgroundProcesses bounds running native processes, at most 256.
	MaxBackgroundProcesses uint32 `toml:"max_background_processes"`
	// MaxStorageBytes bounds stored bytes: keys and values, home and overlay.
	MaxStorageBytes uint64 `toml:"max_storage_bytes"`
	// MaxCPUFuelPerSec bounds guest work per second, in units of the metering pass.
	MaxCPUFuelPerSec uint64 `toml:"max_cpu_fuel_per_sec"`
	// MaxInFlightCalls bounds guest calls that run at the same time, at most 1024.
	MaxInFlightCalls uint32 `toml:"max_in_flight_calls"`
}

// DefaultQuotas returns the quotas of a profile that says nothing about them.
func DefaultQuotas() Quotas {
	return Quotas{
		MaxMemoryBytes:         64 << 20,
		MaxTimeoutSecs:         300,
		MaxIPCThroughputBytes:  10 << 20,
		MaxBackgroundProcesses: 8,
		MaxStorageBytes:        1 << 30,
		MaxCPUFuelPerSec:       2_000_000_000,
		MaxInFlightCalls:       4,
	}
}

// quotaRange is the allowed range of one quota. The upper ends are what the kernel can honour: wasm32 addresses 4 GiB,
// TOML integers are int64.
type quotaRange struct {
	key      string
	value    uint64
	min, max uint64
}

func (q Quotas) ranges() []quotaRange {
	const maxInt64 = 1<<63 - 1
	return []quotaRange{
		{"max_memory_bytes", q.MaxMemoryBytes, 64 << 10, 4 << 30},
		{"max_timeout_secs", uint64(q.MaxTimeoutSecs), 1, 86400},
		{"max_ipc_throughput_bytes", q.MaxIPCThroughputBytes, 1, maxInt64},
		{"max_background_processes", uint64(q.MaxBackgroundProcesses), 0, 256},
		{"max_storage_bytes", q.MaxStorageBytes, 0, maxInt64},
		{"max_cpu_fuel_per_sec", q.MaxCPUFuelPerSec, 1, maxInt64},
		{"max_in_flight_calls", uint64(q.MaxInFlightCalls), 1, 1024},
	}
}

func (q Quotas) check() error {
	for _, r := range q.ranges() {
		if r.value < r.min || r.value > r.max {
			return &keyError{key: "quotas." + r.key, index: -1,
				problem: fmt.Sprintf("%d is outside %d to %d", r.value, r.min, r.max)}
		}
	}
	return nil
}
