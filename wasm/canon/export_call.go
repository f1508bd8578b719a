package canon

import "context"

// Exports of each number of parameters. NewExportN panics if a Go type has no
// WIT type. Call returns a *Trap if the guest breaks the canonical ABI, and
// what the core call returned if that fails; afterwards the instance cannot be
// called again. An export that is missing, or has another core signature, is
// ErrNoExport.

// Export0 is a guest's function of 0 parameters.
type Export0[R any] struct{ export }

// NewExport0 describes the export called name.
func NewExport0[R any](name string) Export0[R] {
	return Export0[R]{newExport(name, typeOf[R]())}
}

// Call calls the function in callee.
func (e Export0[R]) Call(ctx context.Context, callee Callee) (r R, err error) {
	err = e.call(ctx, callee, pointer(&r))
	return r, err
}

// ExportProc0 is a guest's function of 0 parameters, without a result.
type ExportProc0 struct{ export }

// NewExportProc0 describes the export called name.
func NewExportProc0(name string) ExportProc0 {
	return ExportProc0{newExport(name, nil)}
}

// Call calls the function in callee.
func (e ExportProc0) Call(ctx context.Context, callee Callee) error {
	return e.call(ctx, callee, nil)
}

// Export1 is a guest's function of 1 parameter.
type Export1[A, R any] struct{ export }

// NewExport1 describes the export called name.
func NewExport1[A, R any](name string) Export1[A, R] {
	return Export1[A, R]{newExport(name, typeOf[R](), typeOf[A]())}
}

// Call calls the function in callee.
func (e Export1[A, R]) Call(ctx context.Context, callee Callee, a A) (r R, err error) {
	err = e.call(ctx, callee, pointer(&r), pointer(&a))
	return r, err
}

// ExportProc1 is a guest's function of 1 parameter, without a result.
type ExportProc1[A any] struct{ export }

// NewExportProc1 describes the export called name.
func NewExportProc1[A any](name string) ExportProc1[A] {
	return ExportProc1[A]{newExport(name, nil, typeOf[A]())}
}

// Call calls the function in callee.
func (e ExportProc1[A]) Call(ctx context.Context, callee Callee, a A) error {
	return e.call(ctx, callee, nil, pointer(&a))
}

// Export2 is a guest's function of 2 parameters.
type Export2[A, B, R any] struct{ export }

// NewExport2 describes the export called name.
func NewExport2[A, B, R any](name string) Export2[A, B, R] {
	return Export2[A, B, R]{newExport(name, typeOf[R](), typeOf[A](), typeOf[B]())}
}

// Call calls the function in callee.
func (e Export2[A, B, R]) Call(ctx context.Context, callee Callee, a A, b B) (r R, err error) {
	err = e.call(ctx, callee, pointer(&r), pointer(&a), pointer(&b))
	return r, err
}

// ExportProc2 is a guest's function of 2 parameters, without a result.
type ExportProc2[A, B any] struct{ export }

// NewExportProc2 describes the export called name.
func NewExportProc2[A, B any](name string) ExportProc2[A, B] {
	return ExportProc2[A, B]{newExport(name, nil, typeOf[A](), typeOf[B]())}
}

// Call calls the function in callee.
func (e ExportProc2[A, B]) Call(ctx context.Context, callee Callee, a A, b B) error {
	return e.call(ctx, callee, nil, pointer(&a), pointer(&b))
}

// Export3 is a guest's function of 3 parameters.
type Export3[A, B, C, R any] struct{ export }

// NewExport3 describes the export called name.
func NewExport3[A, B, C, R any](name string) Export3[A, B, C, R] {
	return Export3[A, B, C, R]{newExport(name, typeOf[R](), typeOf[A](), typeOf[B](), typeOf[C]())}
}

// Call calls the function in callee.
func (e Export3[A, B, C, R]) Call(ctx context.Context, callee Callee, a A, b B, c C) (r R, err error) {
	err = e.call(ctx, callee, pointer(&r), pointer(&a), pointer(&b), pointer(&c))
	return r, err
}

// ExportProc3 is a guest's function of 3 parameters, without a result.
type ExportProc3[A, B, C any] struct{ export }

// NewExportProc3 describes the export called name.
func NewExportProc3[A, B, C any](name string) ExportProc3[A, B, C] {
	return ExportProc3[A, B, C]{newExport(name, nil, typeOf[A](), typeOf[B](), typeOf[C]())}
}

// Call calls the function in callee.
func (e ExportProc3[A, B, C]) Call(ctx context.Context, callee Callee, a A, b B, c C) error {
	return e.call(ctx, callee, nil, pointer(&a), pointer(&b), pointer(&c))
}

// Export4 is a guest's function of 4 parameters.
type Export4[A, B, C, D, R any] struct{ export }

// NewExport4 describes the export called name.
func NewExport4[A, B, C, D, R any](name string) Export4[A, B, C, D, R] {
	return Export4[A, B, C, D, R]{newExport(name, typeOf[R](), typeOf[A](), typeOf[B](), typeOf[C](), typeOf[D]())}
}

// Call calls the function in callee.
func (e Export4[A, B, C, D, R]) Call(ctx context.Context, callee Callee, a A, b B, c C, d D) (r R, err error) {
	err = e.call(ctx, callee, pointer(&r), pointer(&a), pointer(&b), pointer(&c), pointer(&d))
	return r, err
}

// ExportProc4 is a guest's function of 4 parameters, without a result.
type ExportProc4[A, B, C, D any] struct{ export }

// NewExportProc4 describes the export called name.
func NewExportProc4[A, B, C, D any](name string) ExportProc4[A, B, C, D] {
	return ExportProc4[A, B, C, D]{newExport(name, nil, typeOf[A](), typeOf[B](), typeOf[C](), typeOf[D]())}
}

// Call calls the function in callee.
func (e ExportProc4[A, B, C, D]) Call(ctx context.Context, callee Callee, a A, b B, c C, d D) error {
	return e.call(ctx, callee, nil, pointer(&a), pointer(&b), pointer(&c), pointer(&d))
}
