package kernel_test

import (
	"testing"
	"time"
)

// eventually waits for something that another goroutine or process does. The
// bound is for a broken kernel, not a promise about speed.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain: %s", what)
}
