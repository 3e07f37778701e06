// Package transport is the HTTP transport of all drivers: one tuned http.Transport, a
// watchdog that turns a silent peer into a dropped connection, and a request counter. It
// also decides whether the server may have seen a request.
//
// A driver gives a Transport to its SDK as the HTTP client's RoundTripper, and turns the
// retries and timeouts of the SDK off: the core retries.
package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/omnibucket/storage/internal/wire"
)

// The defaults of Options. Requests of the core have their own Stall: see package wire.
const (
	DefaultStall  = 30 * time.Second
	DefaultAnswer = 60 * time.Second

	dialTimeout     = 10 * time.Second // for a connection, and again for its TLS handshake
	idleConnections = 256              // for one host: the most transfers that one process runs at once, with some to spare
	idleTimeout     = 90 * time.Second // below the four minutes after which load balancers forget a connection
	keepAlive       = 30 * time.Second
	connectionWait  = 5 * time.Minute // for another request to end; it ends a deadlock of calls that each hold a connection
	bufferSize      = 16 << 10        // bytes, each way: a TLS record. Four times that costs a thousand connections 96 MiB and gains nothing over TLS
	maxHeader       = 1 << 20         // bytes of the head of a response, as Go's servers take of a request; metadata has at most 8 KiB
)

// Options tune a Transport. Zero fields are the defaults.
type Options struct {
	// Stall is how long a body may move no byte, on its way out or in, before
	// its connection counts as dropped. Time that the request body's own Read
	// takes, and time in which nobody reads the response, does not count.
	Stall time.Duration
	// Answer is how long the server may take from the end of the request to the head of its
	// answer. WithAnswer sets another time for single requests.
	Answer time.Duration
	// TLS is the client's configuration; nil means the default of Go.
	TLS *tls.Config
	// DialContext makes connections; nil means TCP.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// A Transport is an http.RoundTripper for bulk transfers. It is safe for concurrent use. When
// RoundTrip has failed, or the response body was closed, the Transport does not use the
// request's body any more: it has waited for a Read in progress. Its errors are *Error.
type Transport struct {
	base    http.RoundTripper // nil means http.DefaultTransport
	foreign bool              // whether the user gave base, which may be any implementation
	stall   time.Duration
	answer  time.Duration
}

var _ http.RoundTripper = (*Transport)(nil)

// New makes a Transport. It opens no connection.
func New(o Options) *Transport {
	dialContext := o.DialContext
	if dialContext == nil {
		dialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext
	}
	// HTTP/2 puts all requests to a host on one connection, whose flow control
	// then bounds their sum; bulk transfers want connections of their own.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &Transport{
		stall:  cmp.Or(max(o.Stall, 0), DefaultStall),
		answer: cmp.Or(max(o.Answer, 0), DefaultAnswer),
		base: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialContext,
			TLSClientConfig:        o.TLS,
			TLSHandshakeTimeout:    dialTimeout,
			Protocols:              &protocols,
			DisableCompression:     true, // stored bytes, never decompressed
			MaxIdleConnsPerHost:    idleConnections,
			MaxConnsPerHost:        maxConnections(),
			IdleConnTimeout:        idleTimeout,
			ExpectContinueTimeout:  time.Second,
			ReadBufferSize:         bufferSize,
			MaxResponseHeaderBytes: maxHeader,
			WriteBufferSize:        bufferSize,
		},
	}
}

// Over returns a Transport that makes its requests with base and does not change base; nil
// means http.DefaultTransport. Requests that are not the core's are passed on unchanged.
func Over(base http.RoundTripper) *Transport {
	if own, ok := base.(*Transport); ok {
		return own
	}
	return &Transport{base: base, foreign: true, stall: DefaultStall, answer: DefaultAnswer}
}

func (t *Transport) next() http.RoundTripper {
	if t.base == nil {
		return http.DefaultTransport
	}
	return t.base
}

// RoundTrip makes one request. It does not change r.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.Send(r.Context(), r)
}

// Send is RoundTrip with ctx in place of the context of r.
func (t *Transport) Send(ctx context.Context, r *http.Request) (*http.Response, error) {
	counter, call := counterOf(ctx), wire.Of(ctx)
	if t.foreign && counter == nil && call == nil {
		return t.next().RoundTrip(r.WithContext(ctx))
	}
	counter.request()

	small, err := readSmall(ctx, r)
	if err != nil {
		return nil, &Error{Err: err}
	}
	stall, answer := t.patience(call, small != nil || !hasBody(r))
	x := newExchange(ctx, r, stall, max(answer, AnswerOf(ctx)))
	x.foreign = t.foreign
	out := r.WithContext(x.requestContext())
	if small != nil {
		replace(out, small)
	} else {
		x.wrapBody(out)
	}

	if call != nil {
		call.Requests.Add(1)
	}
	x.begin()
	response, err := t.next().RoundTrip(out)
	if err != nil {
		failure := x.fail(err)
		failure.Err = maskError(failure.Err, r)
		x.end()
		if failure.Sent {
			counter.lost()
		}
		return nil, failure
	}
	x.answered()
	counter.response()
	return x.bound(r, response, call)
}

// CloseIdleConnections closes connections that no request uses. It may be
// called any number of times; http.Client.CloseIdleConnections calls it.
func (t *Transport) CloseIdleConnections() {
	if closer, ok := t.next().(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// patience returns how long a request's connection may be silent within a body, and before
// the response. After a large body the response has twice the time, because the system's
// buffers may still hold a part of the body.
func (t *Transport) patience(call *wire.Call, short bool) (stall, answer time.Duration) {
	switch {
	case call == nil || call.Stall == 0:
		return t.stall, t.answer
	case short:
		return call.Stall, call.Stall
	}
	return call.Stall, 2 * call.Stall
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

// wrapBody makes the watchdog time the request's body, and the replay of the body that net/http
// makes on a new connection.
func (x *exchange) wrapBody(out *http.Request) {
	if !hasBody(out) {
		return
	}
	out.Body = x.watchBody(out.Body)
	if again := out.GetBody; again != nil {
		out.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			if err != nil {
				return nil, err
			}
			return x.watchBody(body), nil
		}
	}
	// net/http waits for the Read that is under way before it gives up; only
	// Close ends one of a pipe that nobody writes to.
	if x.parent.Done() != nil {
		x.unhook = context.AfterFunc(x.parent, x.closeBodies)
	}
}
