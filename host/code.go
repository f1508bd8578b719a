package host

import (
	"errors"

	"github.com/astrid-go/astrid/wasm/canon"
)

// Each interface has a variant error-code whose last case is unknown(string).
// Their Go forms differ in their cases alone, which the canonical ABI reads from
// the type; coded makes any of them from the case's name.

// maxUnknown bounds the text of an unknown error. It is best effort and holds
// no host path: it is made from errors whose texts do not either.
const maxUnknown = 512

// cases is an enumeration of error codes.
type cases interface {
	~uint8
	WITCases() []string
}

// codeError is a failure whose code is known.
type codeError struct {
	code string
	err  error
}

func (e *codeError) Error() string { return e.code + ": " + e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

// WithCode gives an error the code that the guest is to see, for errors that
// come from whoever the host functions were given.
func WithCode(code string, err error) error { return &codeError{code, err} }

func failed(code, why string) error { return &codeError{code, errors.New(why)} }

// caseOf returns the case for an error, and the text when it is unknown. A code
// that was given to the error comes first, then a denial, then the interface's
// own mapping.
func caseOf[C cases](err error, own func(error) string) (C, string) {
	code := ""
	var coded *codeError
	switch {
	case errors.As(err, &coded):
		code = coded.code
	case denied(err):
		code = "capability-denied"
	default:
		code = own(err)
	}
	var zero C
	names := zero.WITCases()
	for n, name := range names[:len(names)-1] {
		if name == code {
			return C(n), ""
		}
	}
	text := err.Error()
	if len(text) > maxUnknown {
		text = text[:maxUnknown]
	}
	return C(len(names) - 1), text
}

// result makes a function's answer. make builds the interface's error-code.
func result[T, E any](v T, err error, make func(error) E) canon.Result[T, E] {
	if err != nil {
		return canon.Err[T](make(err))
	}
	return canon.Ok[T, E](v)
}
