package sdkerror

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"syscall"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/transport"
)

// NetworkHints are the hints for errors of the network.
type NetworkHints struct {
	UnknownHost    string
	BadCertificate string
}

// WithoutResponse returns the error for a request that got no response.
// isInterrupted says that err is from the HTTP client or about a response that was
// cut off, whatever its type is.
func WithoutResponse(err error, isInterrupted bool, hints NetworkHints) *storage.Error {
	if e := FromNetwork(err, hints); e != nil {
		return e
	}
	if isInterrupted {
		return &storage.Error{Code: storage.Unavailable, Retryable: true, Err: err}
	}
	return &storage.Error{Code: storage.Internal, Err: err}
}

// FromNetwork returns the error for a request that failed on the network. It
// returns nil if err is no error of the network.
func FromNetwork(err error, hints NetworkHints) *storage.Error {
	var certificate *tls.CertificateVerificationError
	var dns *net.DNSError
	var network net.Error
	e := &storage.Error{Err: err}
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		e.Code, e.Retryable, e.Hint = storage.RateLimited, true, "raise the limit of open files (ulimit -n), or make fewer calls at once"
	case errors.As(err, &certificate):
		e.Code, e.Hint = storage.Internal, hints.BadCertificate
	case errors.As(err, &dns) && dns.IsNotFound:
		e.Code, e.Retryable, e.Hint = storage.Unavailable, true, hints.UnknownHost
	case errors.Is(err, context.Canceled) && !transport.Stalled(err):
		e.Code = storage.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		e.Code = storage.DeadlineExceeded
	case errors.As(err, &network):
		e.Code, e.Retryable = storage.Unavailable, true
	default:
		return nil
	}
	return e
}
