package storage

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/omnibucket/storage/internal/core/bodyerror"
	"github.com/omnibucket/storage/internal/core/seam"
	"github.com/omnibucket/storage/internal/redact"
)

// A Code says what went wrong, in the same terms for every provider. A Code is itself an error, like syscall.Errno, so
// that errors.Is finds it.
type Code string

// The codes of this package. Some of them also match an error of the standard library, which their
// comment names.
const (
	ObjectNotFound Code = "object not found" // also fs.ErrNotExist
	BucketNotFound Code = "bucket not found" // also fs.ErrNotExist
	BucketExists   Code = "bucket exists"    // also fs.ErrExist
	BucketNotEmpty Code = "bucket not empty"
	// PreconditionFailed means that IfAbsent or IfRevision of this call does not hold. If IfAbsent
	// fails, the error is also fs.ErrExist.
	PreconditionFailed Code = "precondition failed"
	// Changed means that the object was replaced or removed while it was read. Reading from a ReaderAt, ReadRanges,
	// Copy and Compose can fail with Changed. A Download can fail with Changed after it has reconnected.
	Changed             Code = "object changed while it was read"
	NotModified         Code = "not modified"          // the object still has the revision of IfRevisionNot
	InvalidArgument     Code = "invalid argument"      // also fs.ErrInvalid
	RangeNotSatisfiable Code = "range not satisfiable" // the offset is past the end
	PermissionDenied    Code = "permission denied"     // also fs.ErrPermission
	Unauthenticated     Code = "unauthenticated"       // no, wrong or expired credentials
	NotPublic           Code = "not public"            // PublicURL was called, and the bucket was not opened as public
	ChecksumMismatch    Code = "checksum mismatch"     // bytes were damaged on their way or at rest
	TooLarge            Code = "too large"             // larger than the largest object of the provider
	// Archived means that the object must be restored from its storage class before it can be read.
	Archived Code = "archived"
	Locked   Code = "locked" // by a retention, a legal hold or a lease
	// BodyFailed means that the caller's code failed, and not the store. The reader of the body
	// failed, the body has another size than WithSize, or the function passed to Update failed.
	// errors.As finds the caller's error. errors.Is matches no Code inside the caller's error.
	BodyFailed  Code = "reading the body failed"
	RateLimited Code = "rate limited" // too many requests; retries have not helped
	Unavailable Code = "unavailable"  // the store is out of reach or failing; retries have not helped
	Unsupported Code = "unsupported"  // also errors.ErrUnsupported
	// OutcomeUnknown means that the response to a write was lost, and that the library could not find out whether the
	// write took effect. errors.Is also matches it for any *Error whose Unknown is true.
	OutcomeUnknown   Code = "outcome unknown"
	Canceled         Code = "canceled"          // also context.Canceled
	DeadlineExceeded Code = "deadline exceeded" // also context.DeadlineExceeded
	// Internal is the code of all other errors, such as that of a file that cannot be written.
	// errors.As reaches the cause.
	Internal Code = "internal"
)

// sentinels maps each Code to the error of the standard library with the same meaning.
var sentinels = map[Code]error{
	ObjectNotFound:   fs.ErrNotExist,
	BucketNotFound:   fs.ErrNotExist,
	BucketExists:     fs.ErrExist,
	InvalidArgument:  fs.ErrInvalid,
	PermissionDenied: fs.ErrPermission,
	Unsupported:      errors.ErrUnsupported,
	Canceled:         context.Canceled,
	DeadlineExceeded: context.DeadlineExceeded,
}

// Error returns the code as text.
func (c Code) Error() string { return string(c) }

// Is makes errors.Is(c, target) true for the error of the standard library that means the same as
// c, such as fs.ErrNotExist for ObjectNotFound.
func (c Code) Is(target error) bool {
	sentinel := sentinels[c] // nil if the standard library has no error for c
	return sentinel != nil && sentinel == target
}

// An Error is the error of every function of this package, except that [RemoveAll] joins several. Test for its Code by
// errors.Is, or switch on [CodeOf].
type Error struct {
	Code       Code
	Op         string // method or function, such as "Upload"
	Provider   string // such as "s3"
	Bucket     string
	Key        string
	Version    string        // version that may still exist; set by RemoveVersions
	Hint       string        // what the caller can check or do, or ""
	Status     int           // HTTP status, or 0
	RequestID  string        // id of the request, for the provider's support
	Retryable  bool          // true if the same call may succeed later
	RetryAfter time.Duration // time that the provider asks to wait, or 0
	// Unknown is true if the write may have taken effect, although it failed. The Code tells why
	// the response is missing, such as Canceled or Unavailable. Drivers set this field.
	Unknown bool
	Err     error // the provider's own error, for errors.As

	state seam.ErrorState
}

// Error returns operation, object, code, cause and hint in one line. It masks the queries of URLs,
// which may contain a signature, and shortens a long key.
func (e *Error) Error() string {
	// Name the operation, and what it was about.
	var where []string
	if e.Op != "" {
		where = append(where, e.Op)
	}
	if e.Key != "" {
		where = append(where, redact.Quoted(e.Key))
	}
	if e.Version != "" {
		where = append(where, "version", redact.Quoted(e.Version))
	}
	if e.Bucket != "" {
		where = append(where, "in", strings.TrimSpace(e.Provider+" bucket"), redact.Quoted(e.Bucket))
	}

	// Add what has failed, why, and what the user can do about it.
	text := "storage: "
	if len(where) > 0 {
		text += strings.Join(where, " ") + ": "
	}
	text += cmp.Or(e.state.Text, string(e.Code))
	if e.Unknown && e.Code != OutcomeUnknown {
		text += ", outcome unknown"
	}
	if e.Err != nil {
		// A cause that is only the code would repeat it.
		if cause := e.Err.Error(); cause != string(e.Code) {
			text += ": " + redact.Secrets(cause)
		}
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Unwrap returns the provider's own error.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the Code of e, or an error of the standard library with the same
// meaning. If Unknown is set, OutcomeUnknown matches, too.
func (e *Error) Is(target error) bool {
	if code, ok := target.(Code); ok {
		return code == e.Code || code == OutcomeUnknown && e.Unknown
	}
	// The condition that failed was IfAbsent, so the object exists.
	if e.state.Absent && target == fs.ErrExist {
		return true
	}
	return e.Code.Is(target)
}

// CodeOf returns the code of the first *Error or Code in err's tree, "" if err is nil, and Internal
// if the tree has no code.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if code, ok := findCode(err); ok {
		return code
	}
	return Internal
}

// IsTemporary reports whether the same call may succeed later, because the store was busy, out of
// reach, or had a failure of its own. The library has already retried the call ([RetryPolicy]), so
// wait for minutes. If err joins several errors, the first one decides.
func IsTemporary(err error) bool {
	first, ok := errors.AsType[*Error](err)
	return ok && first.Retryable
}

// findCode returns the code of the first *Error or Code in the tree of err, or false if there is none.
func findCode(err error) (Code, bool) {
	switch err := err.(type) {
	case *Error:
		return err.Code, true
	case Code:
		return err, true
	case interface{ Unwrap() error }:
		inner := err.Unwrap()
		if inner == nil {
			return "", false
		}
		return findCode(inner)
	case interface{ Unwrap() []error }:
		for _, inner := range err.Unwrap() {
			if code, ok := findCode(inner); ok {
				return code, true
			}
		}
	}
	return "", false
}

// invalid returns an error with the code InvalidArgument. It names the argument and the rule that it breaks.
func invalid(argument, rule string) *Error {
	return &Error{Code: InvalidArgument, Err: errors.New(argument + " " + rule)}
}

// unsupported returns an error with the code Unsupported. It says what is not supported, and gives a
// hint if that is not "".
func unsupported(what, hint string) *Error {
	return &Error{Code: Unsupported, Err: errors.New(what), Hint: hint}
}

// AsError returns a new *Error for err, the error of a driver or a [Core], or nil for nil. It copies
// the first *Error in the tree of err. If the tree has none, the Code is Unavailable for a dropped
// connection, and Internal for an unknown error. If ctx ended before the store responded, the Code
// is Canceled or DeadlineExceeded. If ctx has not ended, AsError replaces these two by Unavailable.
func AsError(ctx context.Context, err error) *Error {
	clone := ownError(err)
	if clone != nil {
		clone.attributeToContext(ctx.Err())
	}
	return clone
}

// ownError returns err as a new *Error, which may be changed without changing err, or nil for nil.
func ownError(err error) *Error {
	if err == nil {
		return nil
	}
	clone := newError(err)
	if clone.Code == Unavailable || clone.Code == RateLimited {
		// Such a Code is always retryable.
		clone.Retryable = true
	}
	return clone
}

// newError returns a new *Error for err, which is not nil: a copy of the *Error in its tree, if there
// is one.
func newError(err error) *Error {
	switch typed := err.(type) {
	case *Error:
		if typed == nil {
			return &Error{Code: Internal, Err: errors.New("a nil *Error was returned as an error")}
		}
		clone := *typed
		return &clone
	case Code:
		return &Error{Code: typed}
	}

	if inner, ok := errors.AsType[*Error](err); ok {
		clone := *inner
		clone.Err = err
		return &clone
	}
	return &Error{Code: classify(err), Err: err}
}

// mayBeInterruption reports whether an error with this code may come from the end of a context.
func mayBeInterruption(code Code) bool {
	switch code {
	case Internal, Unavailable, RateLimited, Canceled, DeadlineExceeded:
		return true
	}
	return false
}

// attributeToContext sets the Code to Canceled or DeadlineExceeded if the end of the caller's ctx may
// have caused the error, and only then. ctxErr is ctx.Err().
func (e *Error) attributeToContext(ctxErr error) {
	if !mayBeInterruption(e.Code) {
		// The store has responded, so the error does not come from the end of ctx.
		return
	}

	if ctxErr == nil {
		if e.Code == Canceled || e.Code == DeadlineExceeded {
			// The transport reached a time limit.
			e.Code = Unavailable
			e.Retryable = true
		}
		return
	}

	// The end of ctx may have interrupted the request, so a retry would fail, too.
	e.Code = Canceled
	if errors.Is(ctxErr, context.DeadlineExceeded) {
		e.Code = DeadlineExceeded
	}
	e.Retryable = false
	if e.Err == nil {
		e.Err = ctxErr
	}
}

// classify returns the Code of an error that no driver has translated, or Internal if it is unknown.
func classify(err error) Code {
	if code, ok := findCode(err); ok {
		return code
	}
	if errors.Is(err, context.Canceled) {
		return Canceled
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return DeadlineExceeded
	}
	if isDropped(err) {
		return Unavailable
	}
	return Internal
}

// isDropped reports whether err means that the network has failed, for example because a connection was
// refused or dropped.
func isDropped(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.ECONNREFUSED) ||
		errors.Is(err, syscall.EPIPE)
}

// stateOf returns the unexported state of err, which is an *Error.
func stateOf(err error) *seam.ErrorState { return &err.(*Error).state }

// bodyFailed returns the error for a body whose Read failed with err.
func bodyFailed(err error) *Error {
	return &Error{Code: BodyFailed, Err: bodyerror.Of[Code](err)}
}
