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

	"github.com/omnibucket/storage/internal/bodyerror"
	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/internal/seam"
)

// A Code says what went wrong, in the same terms for every provider. It is an error itself,
// as syscall.Errno is, so that errors.Is finds it.
type Code string

// The codes. Some match a sentinel error of the standard library, too.
const (
	ObjectNotFound Code = "object not found" // also fs.ErrNotExist
	BucketNotFound Code = "bucket not found" // also fs.ErrNotExist
	BucketExists   Code = "bucket exists"    // also fs.ErrExist
	BucketNotEmpty Code = "bucket not empty"
	// PreconditionFailed means that a condition of this call does not hold. A failed IfAbsent is
	// also fs.ErrExist.
	PreconditionFailed Code = "precondition failed"
	// Changed means that the object was replaced or removed while it was read. A Download that reconnects, a
	// ReaderAt, ReadRanges, Copy and Compose fail with it.
	Changed             Code = "object changed while it was read"
	NotModified         Code = "not modified"          // IfRevisionNot: the object still has that revision
	InvalidArgument     Code = "invalid argument"      // also fs.ErrInvalid
	RangeNotSatisfiable Code = "range not satisfiable" // the offset is past the end
	PermissionDenied    Code = "permission denied"     // also fs.ErrPermission
	Unauthenticated     Code = "unauthenticated"       // no, wrong or expired credentials
	NotPublic           Code = "not public"            // PublicURL, if the bucket was not opened as public
	ChecksumMismatch    Code = "checksum mismatch"     // bytes were damaged on their way or at rest
	TooLarge            Code = "too large"             // more than the provider stores in one object
	// Archived means that the object must be restored from its storage class first.
	Archived Code = "archived"
	Locked   Code = "locked" // retention, legal hold or lease
	// BodyFailed means that the caller's reader or Update's change failed, and not the store. errors.As reaches its
	// error; errors.Is matches no Code of it.
	BodyFailed  Code = "reading the body failed"
	RateLimited Code = "rate limited" // and was still so after the retries
	Unavailable Code = "unavailable"  // and was still so after the retries
	Unsupported Code = "unsupported"  // also errors.ErrUnsupported
	// OutcomeUnknown means that the response to a write was lost, and that it could not be reconciled. It also matches
	// any *Error with Unknown.
	OutcomeUnknown   Code = "outcome unknown"
	Canceled         Code = "canceled"          // also context.Canceled
	DeadlineExceeded Code = "deadline exceeded" // also context.DeadlineExceeded
	// Internal is everything else, such as a file that cannot be written. errors.As reaches the cause.
	Internal Code = "internal"
)

// sentinels are the errors of the standard library with the same meaning.
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

// Is reports whether target is the standard library's name for c.
func (c Code) Is(target error) bool {
	s := sentinels[c]
	return s != nil && s == target
}

// An Error is what every function of this package fails with; [RemoveAll] joins several.
// Test for its Code by errors.Is, or switch on [CodeOf].
type Error struct {
	Code       Code
	Op         string // the method or function: "Upload"
	Provider   string // "s3"
	Bucket     string
	Key        string
	Version    string        // the version that may still be there; set by RemoveVersions
	Hint       string        // what to check or do, if that is known
	Status     int           // HTTP status, or 0
	RequestID  string        // the provider's, for its support
	Retryable  bool          // the same call may succeed later
	RetryAfter time.Duration // how long the provider asks to wait; 0 means it does not
	// Unknown says that the write may have taken effect. The Code tells why the response is missing (Canceled,
	// Unavailable, …). Drivers set it.
	Unknown bool
	Err     error // the provider's own error, for errors.As

	state seam.ErrorState
}

// Error returns operation, object, code, cause and hint in one line. Queries of addresses,
// which may hold a signature, are masked, and a long key is cut.
func (e *Error) Error() string {
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
	text := "storage: "
	if len(where) > 0 {
		text += strings.Join(where, " ") + ": "
	}
	text += cmp.Or(e.state.Text, string(e.Code))
	if e.Unknown && e.Code != OutcomeUnknown {
		text += ", outcome unknown"
	}
	if e.Err != nil {
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

// Is matches the Code, OutcomeUnknown if Unknown is set, and sentinel errors.
func (e *Error) Is(target error) bool {
	if c, ok := target.(Code); ok {
		return c == e.Code || c == OutcomeUnknown && e.Unknown
	}
	if e.state.Absent && target == fs.ErrExist {
		return true
	}
	return e.Code.Is(target)
}

// CodeOf returns the code of the first *Error or Code in err's tree: "" if err is nil, and
// Internal if the tree has none. Prefer it to errors.Is if the body of an upload can fail
// with an error of this package.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if c, ok := findCode(err); ok {
		return c
	}
	return Internal
}

// IsTemporary reports whether the same call may succeed later: the store was busy, out of
// reach, or had a failure of its own. The library has repeated it already ([RetryPolicy]):
// wait for minutes. Of joined errors, the first counts.
func IsTemporary(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Retryable
}

func findCode(err error) (Code, bool) {
	switch e := err.(type) {
	case *Error:
		return e.Code, true
	case Code:
		return e, true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return findCode(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if c, ok := findCode(inner); ok {
				return c, true
			}
		}
	}
	return "", false
}

// located adds the operation and key to e and, if b is a bucket of this library, the bucket.
func located(b any, op, key string, e *Error) *Error {
	e.Op, e.Key = op, key
	if f, ok := b.(*front); ok && f.core != nil {
		place := f.core.Place()
		e.Provider, e.Bucket = place.Provider, place.Bucket
	}
	return e
}

// invalid returns an InvalidArgument that names the argument and the rule that it breaks.
func invalid(argument, rule string) *Error {
	return &Error{Code: InvalidArgument, Err: errors.New(argument + " " + rule)}
}

func unsupported(what, hint string) *Error {
	return &Error{Code: Unsupported, Err: errors.New(what), Hint: hint}
}

// AsError returns an *Error of its own for an error of a driver or a [Core], and nil for nil. It copies the first
// *Error in the tree of err. If there is none, it makes one: a dropped connection is Unavailable, and an unknown error
// Internal. If the store has not responded, and ctx has ended, the Code is Canceled or DeadlineExceeded. If ctx has
// not ended, these two become Unavailable.
func AsError(ctx context.Context, err error) *Error {
	e := ownError(err)
	if e != nil {
		e.attributeToContext(ctx.Err())
	}
	return e
}

// ownError returns an *Error of its own for any error, and nil for nil.
func ownError(err error) *Error {
	if err == nil {
		return nil
	}
	e := &Error{}
	if own, ok := err.(*Error); ok && own == nil {
		e.Code, e.Err = Internal, errors.New("a nil *Error was returned as an error")
	} else if ok {
		*e = *own
	} else if inner := (*Error)(nil); errors.As(err, &inner) {
		*e = *inner
		e.Err = err
	} else if bare, ok := err.(Code); ok {
		e.Code = bare
	} else {
		e.Code, e.Err = classify(err), err
	}
	if e.Code == Unavailable || e.Code == RateLimited {
		e.Retryable = true // by its nature
	}
	return e
}

// attributeToContext decides whether the caller's ctx caused the error; interrupted
// is what ctx ended with.
func (e *Error) attributeToContext(interrupted error) {
	switch e.Code {
	case Internal, Unavailable, RateLimited, Canceled, DeadlineExceeded:
	default:
		return // the store has responded
	}
	switch {
	case interrupted != nil:
		e.Code, e.Retryable = Canceled, false
		if errors.Is(interrupted, context.DeadlineExceeded) {
			e.Code = DeadlineExceeded
		}
		if e.Err == nil {
			e.Err = interrupted
		}
	case e.Code == Canceled || e.Code == DeadlineExceeded:
		e.Code, e.Retryable = Unavailable, true // a time limit of the transport, not of the caller
	}
}

// classify returns the code of an error that no driver has translated.
func classify(err error) Code {
	if code, found := findCode(err); found {
		return code
	}
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EPIPE),
		errors.As(err, &network):
		return Unavailable
	}
	return Internal
}

// stateOf returns the part of an *Error that has no exported fields.
func stateOf(err error) *seam.ErrorState { return &err.(*Error).state }

func bodyFailed(err error) *Error {
	return &Error{Code: BodyFailed, Err: bodyerror.Of[Code](err)}
}
