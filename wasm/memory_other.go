//go:build !linux && !darwin

package wasm

// area is a plain slice where address space cannot be reserved; growing copies.
// The zero value is empty.
type area struct{ space []byte }

func (a *area) commit(size, _ uint64) ([]byte, error) {
	if a.space == nil || size > uint64(len(a.space)) {
		space := make([]byte, size)
		copy(space, a.space)
		a.space = space
	}
	return a.space, nil
}

func (a *area) release() error {
	a.space = nil
	return nil
}
