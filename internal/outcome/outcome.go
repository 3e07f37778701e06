// Package outcome is what a request to a store has come to. A driver says how
// its SDK tells of answers; what follows from one that did not come is the same
// for all.
package outcome

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/transport"
)

// An SDK is how the errors of one are read.
type SDK struct {
	// Answered is the answer that an error came with; nil: it came with none.
	Answered func(err error) *storage.Error
	// Unanswered is what a failure before, or instead of, an answer means.
	Unanswered func(err error) *storage.Error
	// Left reports whether an error is one that an HTTP client has when a request
	// may have left. It is asked of those that are not ours, which count nothing.
	Left func(err error) bool
	// Acted reports whether a request may have had its effect that was answered so.
	Acted func(status int) bool
}

// Translate makes an error of its own of whatever the SDK answered.
func (s *SDK) Translate(err error) *storage.Error {
	var own *storage.Error
	if errors.As(err, &own) { // of the credentials, or of the body
		e := *own
		return &e
	}
	var bare storage.Code
	if errors.As(err, &bare) {
		return &storage.Error{Code: bare, Err: err}
	}
	if e := s.Answered(err); e != nil {
		return e
	}
	return s.Unanswered(err)
}

// AsError is the error itself that Read and Write answered with, or Translate's
// of any other.
func (s *SDK) AsError(err error) *storage.Error {
	if e, ok := err.(*storage.Error); ok {
		return e
	}
	return s.Translate(err)
}

// Read is what a request that changes nothing failed with; nil is nil.
func (s *SDK) Read(err error) error {
	if err == nil {
		return nil
	}
	return s.Translate(err)
}

// Write makes a request that changes something; of one whose answer did not
// come, or tells nothing, the error says so.
func (s *SDK) Write(ctx context.Context, do func(context.Context) error) error {
	ctx, counter := transport.CountRequests(ctx)
	err := do(ctx)
	if err == nil {
		return nil
	}
	e := s.Translate(err)
	e.Unknown = e.Unknown || s.lost(err, e.Status, counter)
	return e
}

// lost reports whether a request that failed may have had its effect.
func (s *SDK) lost(err error, status int, counter *transport.Counter) bool {
	var own *storage.Error
	var dial *net.OpError
	switch {
	case counter.Unanswered() > 0:
		return true
	case errors.As(err, &own):
		return false // of the credentials, or of the body
	case transport.Sent(err):
		return true
	case status != 0:
		return s.Acted(status)
	case counter.Requests() > 0:
		return false // our transport has counted: it did not leave whole
	case errors.As(err, &dial) && dial.Op == "dial":
		return false
	}
	return s.Left(err) // whatever failed behind the dial may have arrived
}

// MayHaveActed is SDK.Acted of stores that promise nothing about what came before
// a failure of their own, but whose 503 is a refusal.
func MayHaveActed(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	}
	return status >= 200 && status < 300 // it was done, and the answer broke off
}

// WithHint is an error with another hint. What a driver has not answered with is
// left as it is.
func WithHint(err error, hint string) error {
	e, ok := err.(*storage.Error)
	if !ok {
		return err
	}
	hinted := *e
	hinted.Hint = hint
	return &hinted
}
