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

// WithoutResponse returns the error for a request that got no complete response. isInterrupted says
// that err comes from the HTTP client or a truncated response, even if its type does not show that.
func WithoutResponse(err error, isInterrupted bool) *storage.Error {
	var certificate *tls.CertificateVerificationError
	var dns *net.DNSError
	var network net.Error
	hasTooManyFiles := errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)

	storageErr := &storage.Error{Err: err}
	switch {
	case hasTooManyFiles:
		storageErr.Code = storage.RateLimited
		storageErr.Retryable = true
		storageErr.Hint = "raise the limit of open files (ulimit -n), or make fewer calls at once"
	case errors.As(err, &certificate):
		storageErr.Code = storage.Internal
		storageErr.Hint = "the server's certificate is not trusted or is for another host"
	case errors.As(err, &dns) && dns.IsNotFound:
		storageErr.Code = storage.Unavailable
		storageErr.Retryable = true
		storageErr.Hint = "no such host: check the endpoint, the region and the account's name"
	case errors.Is(err, context.Canceled) && !transport.Stalled(err):
		storageErr.Code = storage.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		storageErr.Code = storage.DeadlineExceeded
	case errors.As(err, &network) || isInterrupted:
		storageErr.Code = storage.Unavailable
		storageErr.Retryable = true
	default:
		storageErr.Code = storage.Internal
	}
	return storageErr
}
