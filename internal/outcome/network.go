package outcome

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/transport"
)

// Hints are what to check where a server was not reached.
type Hints struct {
	Host        string // that is not known
	Certificate string // that is another host's
}

// OfNetwork is what a failure on the way to a server, or back, means; nil where
// the error is none of a network's.
func OfNetwork(err error, hints Hints) *storage.Error {
	var certificate *tls.CertificateVerificationError
	var dns *net.DNSError
	var network net.Error
	e := &storage.Error{Err: err}
	switch {
	case errors.As(err, &certificate):
		e.Code, e.Hint = storage.Internal, hints.Certificate
	case errors.As(err, &dns) && dns.IsNotFound:
		e.Code, e.Retryable, e.Hint = storage.Unavailable, true, hints.Host
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
