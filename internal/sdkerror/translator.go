// Package sdkerror translates the errors of SDKs to *storage.Error. Each driver
// has a Translator for its SDK, and a Table of its provider's error codes.
package sdkerror

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/transport"
)

// A Translator adapts one SDK.
type Translator struct {
	// FromResponse returns the error for the response that err contains, or nil if
	// it contains none. It sets Unknown if the response is not the provider's own.
	FromResponse func(err error) *storage.Error
	// WithoutResponse returns the error for a request that got no response.
	WithoutResponse func(err error) *storage.Error
	// MaybeSent reports whether err is an error of the HTTP client, so that the
	// request may have been sent. It is called only for requests that were not made
	// through a [transport.Transport].
	MaybeSent func(err error) bool
	// MaybeApplied reports whether a request may have taken effect although its
	// response has the given status.
	MaybeApplied func(status int) bool
}

// Translate returns err as a new *storage.Error.
func (t *Translator) Translate(err error) *storage.Error {
	if own, ok := errors.AsType[*storage.Error](err); ok { // from the credentials or the body
		e := *own
		return &e
	}
	if bare, ok := errors.AsType[storage.Code](err); ok {
		return &storage.Error{Code: bare, Err: err}
	}
	if e := t.FromResponse(err); e != nil {
		e.Err = withShortText(e.Err)
		return e
	}
	return t.WithoutResponse(err)
}

// IsType reports whether err contains an error of a type.
func IsType[E error](err error) bool {
	_, is := errors.AsType[E](err)
	return is
}

// AsError returns err itself if it is a *storage.Error, as Read and Write return
// it. It translates any other error.
func (t *Translator) AsError(err error) *storage.Error {
	if e, ok := err.(*storage.Error); ok {
		return e
	}
	return t.Translate(err)
}

// Read translates the error of a request that changes nothing. It returns nil if
// err is nil.
func (t *Translator) Read(err error) error {
	if err == nil {
		return nil
	}
	e := t.Translate(err)
	e.Unknown = false
	return e
}

// WithoutEffect returns a copy of err for a request that changes no object, as a part does not, or a
// read within a write. If a gateway made the response, its 412 is no condition that failed. It returns
// err itself if err is not a *storage.Error.
func WithoutEffect(err error) error {
	own, ok := errors.AsType[*storage.Error](err)
	if !ok {
		return err
	}
	e := *own
	if e.Unknown && e.Code == storage.PreconditionFailed {
		e.Code, e.Retryable = storage.Unavailable, true
	}
	e.Unknown = false
	return &e
}

// Write calls do, which makes a request that changes something, and translates
// its error. It sets [storage.Error.Unknown] if the request may have taken effect.
func (t *Translator) Write(ctx context.Context, do func(context.Context) error) error {
	ctx, counter := transport.CountRequests(ctx)
	err := do(ctx)
	if err == nil {
		return nil
	}
	e := t.Translate(err)
	if e.Unknown && e.Code == storage.ObjectNotFound { // a gateway's 404 proves nothing
		e.Code, e.Retryable = storage.Unavailable, true
	}
	e.Unknown = e.Unknown || errors.Is(err, ErrNoEvidence) || t.isUnknown(err, e.Status, counter)
	return e
}

// isUnknown reports whether a failed request may have taken effect.
func (t *Translator) isUnknown(err error, status int, counter *transport.Counter) bool {
	_, own := errors.AsType[*storage.Error](err)
	switch {
	case counter.Unanswered() > 0:
		return true
	case own:
		return false // from the credentials or the body
	case transport.Sent(err):
		return true
	case status != 0:
		return t.MaybeApplied(status)
	case counter.LastAnswered() && t.MaybeSent(err):
		return true // the SDK has dropped a response, because ctx ended when it came
	case counter.Requests() > 0:
		return false // a transport.Transport has counted: the request was not sent whole
	}
	return !transport.Unconnected(err) && t.MaybeSent(err)
}

// WithHint returns a copy of err with another hint. It returns err itself if err
// is not a *storage.Error.
func WithHint(err error, hint string) error {
	e, ok := err.(*storage.Error)
	if !ok {
		return err
	}
	hinted := *e
	hinted.Hint = hint
	return &hinted
}
