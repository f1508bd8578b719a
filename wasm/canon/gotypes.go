package canon

import "context"

// Char is a WIT char: a Unicode scalar value.
type Char rune

// Unit stands for no payload: Result[Unit, E] is result<_, E>.
type Unit struct{}

// Option is option<T>. The zero value is none.
type Option[T any] struct {
	Some  bool
	Value T // if Some
}

// Some returns an Option that holds v.
func Some[T any](v T) Option[T] { return Option[T]{Some: true, Value: v} }

// None returns an Option that holds nothing.
func None[T any]() Option[T] { return Option[T]{} }

func (Option[T]) wit() Kind { return OptionOf }

// Result is result<T, E>. Either may be Unit.
type Result[T, E any] struct {
	IsErr bool
	Value T // unless IsErr
	Err   E // if IsErr
}

// Ok returns a Result that succeeded.
func Ok[T, E any](v T) Result[T, E] { return Result[T, E]{Value: v} }

// Err returns a Result that failed.
func Err[T, E any](e E) Result[T, E] { return Result[T, E]{IsErr: true, Err: e} }

func (Result[T, E]) wit() Kind { return ResultOf }

// Tuple2 is tuple<A, B>.
type Tuple2[A, B any] struct {
	F0 A
	F1 B
}

func (Tuple2[A, B]) wit() Kind { return Tuple }

// Tuple3 is tuple<A, B, C>.
type Tuple3[A, B, C any] struct {
	F0 A
	F1 B
	F2 C
}

func (Tuple3[A, B, C]) wit() Kind { return Tuple }

// Tuple4 is tuple<A, B, C, D>.
type Tuple4[A, B, C, D any] struct {
	F0 A
	F1 B
	F2 C
	F3 D
}

func (Tuple4[A, B, C, D]) wit() Kind { return Tuple }

// HostResource is a Go type that guests hold handles to. Use a pointer type: it
// is the resource's identity, and costs no allocation to pass.
type HostResource interface {
	// WITResource returns the resource's name. It is called on a nil pointer.
	WITResource() string
}

// Dropper is a HostResource with a destructor, called when the guest drops its
// own handle, or dies with it.
type Dropper interface{ Drop(ctx context.Context) }

// Own is an own<T> handle: whoever receives one owns the resource. A host
// function that is given one must see to Drop itself.
type Own[T HostResource] struct{ Value T }

// Borrow is a borrow<T> handle: good for the call it is passed to.
type Borrow[T HostResource] struct{ Value T }

func (Own[T]) wit() Kind    { return OwnOf }
func (Borrow[T]) wit() Kind { return BorrowOf }

// handleType is Own or Borrow, for codecs: the receiver's value is not used.
type handleType interface {
	resource() *ResourceType
	put(p pointer, obj any)
	object(p pointer) any
}

func (Own[T]) resource() *ResourceType    { return resourceOf[T]() }
func (Borrow[T]) resource() *ResourceType { return resourceOf[T]() }
func (Own[T]) put(p pointer, obj any)     { *at[T](p) = obj.(T) }
func (Borrow[T]) put(p pointer, obj any)  { *at[T](p) = obj.(T) }
func (Own[T]) object(p pointer) any       { return *at[T](p) }
func (Borrow[T]) object(p pointer) any    { return *at[T](p) }

// Enumeration is an unsigned integer type that is a WIT enum: value i is case i.
type Enumeration interface{ WITCases() []string }

// FlagSet is an unsigned integer type that is WIT flags: bit i is label i.
type FlagSet interface{ WITFlags() []string }
