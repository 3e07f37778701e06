// Package sdkerror translates the errors of providers' SDKs to *storage.Error. Each driver has a
// [Translator] for its SDK, and a [Table] of the provider's error codes.
package sdkerror

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/transport"
)

// A Translator translates the errors of one SDK.
type Translator struct {
	// FromResponse returns the error for the response in err, or nil if err contains no response.
	// It sets Unknown if a server other than the store sent the response.
	FromResponse func(err error) *storage.Error
	// WithoutResponse returns the error for a request that got no response.
	WithoutResponse func(err error) *storage.Error
	// MaybeSent reports whether err is an error of the HTTP client. In this case, the client may
	// have sent the request.
	MaybeSent func(err error) bool
	// MaybeApplied reports whether a request may have taken effect although its
	// response has the given status.
	MaybeApplied func(status int) bool
}

// Translate returns a new *storage.Error for err, which is an error of the SDK. The caller may change it.
func (t *Translator) Translate(err error) *storage.Error {
	if storageErr, ok := errors.AsType[*storage.Error](err); ok {
		// The credentials or the body have failed. Their error may be shared, so it is copied.
		e := *storageErr
		return &e
	}
	if code, ok := errors.AsType[storage.Code](err); ok {
		return &storage.Error{Code: code, Err: err}
	}
	if e := t.FromResponse(err); e != nil {
		e.Err = withShortText(e.Err)
		return e
	}
	return t.WithoutResponse(err)
}

// IsType reports whether err, or an error that it wraps, has the type E.
func IsType[E error](err error) bool {
	_, is := errors.AsType[E](err)
	return is
}

// AsError returns err itself if it is a *storage.Error. Otherwise it translates err.
func (t *Translator) AsError(err error) *storage.Error {
	if storageErr, ok := err.(*storage.Error); ok {
		return storageErr
	}
	return t.Translate(err)
}

// Read translates the error of a request that changes nothing. If err is nil, it returns nil.
func (t *Translator) Read(err error) error {
	if err == nil {
		return nil
	}
	storageErr := t.Translate(err)
	storageErr.Unknown = false
	return storageErr
}

// WithoutEffect returns a copy of err for a request that changes no object, such as the upload of a
// part. Its Unknown is false, because no effect can be unknown. A 412 of a gateway becomes
// Unavailable, because the store has checked no condition. If err is not a *storage.Error,
// WithoutEffect returns err itself.
func WithoutEffect(err error) error {
	storageErr, ok := errors.AsType[*storage.Error](err)
	if !ok {
		return err
	}

	// The original may be shared, so change a copy.
	e := *storageErr
	e.Unknown = false

	// FromResponse sets Unknown if the response is not from the store.
	isOfGateway := storageErr.Unknown && storageErr.Code == storage.PreconditionFailed
	if isOfGateway {
		e.Code = storage.Unavailable
		e.Retryable = true
	}
	return &e
}

// Write calls do, which makes a request that changes something, and translates the error that do returns. It
// sets [storage.Error.Unknown] if the request may have taken effect.
func (t *Translator) Write(ctx context.Context, do func(context.Context) error) error {
	ctx, counter := transport.CountRequests(ctx)
	err := do(ctx)
	if err == nil {
		return nil
	}

	storageErr := t.Translate(err)
	if storageErr.Unknown && storageErr.Code == storage.ObjectNotFound {
		// A 404 from a gateway does not prove that the object is missing.
		storageErr.Code = storage.Unavailable
		storageErr.Retryable = true
	}
	if errors.Is(err, ErrNoEvidence) || t.isUnknown(err, storageErr.Status, counter) {
		storageErr.Unknown = true
	}
	return storageErr
}

// isUnknown reports whether a failed request may have taken effect. counter has counted the
// requests that the SDK made.
func (t *Translator) isUnknown(err error, status int, counter *transport.Counter) bool {
	_, isOwnError := errors.AsType[*storage.Error](err)
	switch {
	case counter.Unanswered() > 0:
		// One of the attempts was sent, and no response to it arrived.
		return true
	case isOwnError:
		// The error comes from the credentials or from the body, before the request was sent.
		return false
	case transport.Sent(err):
		// The response to the last attempt broke off, or was too long.
		return true
	case status != 0:
		return t.MaybeApplied(status)
	case counter.LastAnswered() && t.MaybeSent(err):
		// A response arrived when ctx ended, and the SDK has dropped it.
		return true
	case counter.Requests() > 0:
		// A transport.Transport has seen that no request was sent completely.
		return false
	default:
		// No transport.Transport was used, so only err may tell what was sent.
		return !transport.Unconnected(err) && t.MaybeSent(err)
	}
}

// WithHint returns a copy of err with the given hint. If err is not a *storage.Error, it returns
// err itself.
func WithHint(err error, hint string) error {
	storageErr, ok := err.(*storage.Error)
	if !ok {
		return err
	}
	hinted := *storageErr
	hinted.Hint = hint
	return &hinted
}
