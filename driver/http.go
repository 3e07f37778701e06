package driver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/internal/transport"
)

// TransportOptions are the options of [NewTransport]. A zero field means the default.
type TransportOptions struct {
	// Stall is a limit for the time in which no byte of a body is sent or received. After that
	// time, the connection counts as dropped. The default is 30 seconds. If a bucket has a
	// RetryPolicy with a field Stall, the value of that field is used instead.
	Stall time.Duration
	// Response is how long the server may take from the end of the request to the
	// beginning of its response. The default is one minute.
	Response time.Duration
	// TLS has the certificates to trust and to present. The default trusts the
	// system's certificates.
	TLS *tls.Config
}

// NewTransport returns a transport for bulk transfers. It uses HTTP/1.1, because HTTP/2 would put
// all requests to a host on one connection.
//
// The transport limits how much of a response is read. For an error response, the limit is 64 KiB.
// For any other response, it is 16 MiB. The bytes of an object that the engine reads have no limit.
// If an error response quotes the credentials of the request, the transport masks them.
func NewTransport(o TransportOptions) http.RoundTripper {
	return transport.New(transport.Options{Stall: o.Stall, Answer: o.Response, TLS: o.TLS})
}

// WrapTransport returns a transport that sends requests through the given transport. It applies the
// stall limit and counts requests, as a transport of [NewTransport] does. If base is nil, it sends
// requests through [http.DefaultTransport].
func WrapTransport(base http.RoundTripper) http.RoundTripper { return transport.Over(base) }

// NetworkError returns the error for a request without a response, or for a response whose body was
// cut off. If err contains a [storage.Error], such as the error of a request body, it returns a
// copy of that error. The error text leaves out the query of the URL, which may contain a
// signature.
func NetworkError(err error) *storage.Error { return translator.Translate(err) }

// StatusError returns the error for an unsuccessful response. Its Code is the usual one for the
// status: ObjectNotFound for 404, Internal for 409, and InvalidArgument with a hint for redirects.
// The driver replaces the Code if it has better information. StatusError does not read the body.
//
// If the response lacks something that the store always sends, it may come from a gateway. The
// request may still have taken effect at the store. For such a response, the driver must set the
// field Unknown of the error.
func StatusError(response *http.Response) *storage.Error {
	meaning, isRedirect := sdkerror.Redirect(response.StatusCode, response.Header)
	if !isRedirect {
		meaning.Code = sdkerror.CodeFromStatus(response.StatusCode)
	}
	return meaning.NewError(response.StatusCode, response.Header, errors.New("HTTP status "+response.Status))
}

// UnexpectedResponse returns the error for a response that has a successful status but does not
// come from the store. Such a response lacks something that the store always sends; the login page
// of a proxy is an example. The Code is Unavailable. For a write, [SendWrite] also sets the
// field Unknown. problem says what is wrong with the response.
func UnexpectedResponse(response *http.Response, problem string) *storage.Error {
	meaning := sdkerror.Meaning{Code: storage.Unavailable, Hint: "check the endpoint: it responds like a web page"}
	return meaning.NewError(response.StatusCode, response.Header, errors.New("unexpected response: "+problem))
}

// SendWrite calls do, which sends the requests of one write, and returns its error as a
// *[storage.Error]. It sets [storage.Error.Unknown] if the write may have taken effect. This is the
// case if a request was sent and got no response, if the response was cut off, or if its status is
// 499 or a server error other than 501 and 503.
func SendWrite(ctx context.Context, do func(context.Context) error) error {
	err := translator.Write(ctx, do)
	if failure, ok := err.(*storage.Error); ok {
		failure.Unknown = failure.Unknown || sdkerror.MaybeApplied(failure.Status) || MaybeSent(failure.Err)
	}
	return err
}

// MaybeSent reports whether a request that failed with err may have reached the store. It returns
// false only if no connection was made, or if a transport of [NewTransport] has seen that nothing was
// sent. [SendWrite] calls it.
func MaybeSent(err error) bool {
	if watched, ok := errors.AsType[*transport.Error](err); ok {
		return watched.Sent
	}
	return isClientError(err) && !transport.Unconnected(err)
}

var translator = &sdkerror.Translator{
	FromResponse:    func(error) *storage.Error { return nil },
	WithoutResponse: withoutResponse,
	MaybeSent:       MaybeSent,
	MaybeApplied:    sdkerror.MaybeApplied,
}

// isClientError reports whether err is from sending a request by an [http.Client].
func isClientError(err error) bool { return sdkerror.IsType[*url.Error](err) }

// withoutResponse translates the error of a request without a response, and drops the query of the
// URL from it, which may contain a signature.
func withoutResponse(err error) *storage.Error {
	if client, ok := errors.AsType[*url.Error](err); ok {
		address, _, _ := strings.Cut(client.URL, "?")
		err = &url.Error{Op: client.Op, URL: address, Err: client.Err}
	}
	return sdkerror.WithoutResponse(err, isClientError(err) || errors.Is(err, io.ErrUnexpectedEOF))
}
