// Package transport is the HTTP transport of all drivers. It has a tuned http.Transport, a watchdog
// that drops the connection to a silent server, and a counter of requests. If a request fails, its
// error reports whether the server may have received the request.
//
// A driver passes a Transport to its SDK as the RoundTripper of the HTTP client. It turns off the
// retries and timeouts of the SDK, because the engine retries.
package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/omnibucket/storage/internal/serving"
)

// These are the defaults of [Options]. For its own requests, the engine may replace Stall by a value
// that package wire passes to the Transport.
const (
	DefaultStall  = 30 * time.Second
	DefaultAnswer = 60 * time.Second

	dialTimeout     = 10 * time.Second // limit for opening a connection; the TLS handshake has the same limit
	idleConnections = 256              // per host; more than the parallel transfers of most processes
	idleTimeout     = 90 * time.Second // shorter than the four minutes after which load balancers drop a connection
	keepAlive       = 30 * time.Second
	// connectionWait is the longest time that a request waits for a free connection. It ends a
	// deadlock of calls that hold a connection and wait for another one.
	connectionWait = 5 * time.Minute
	// bufferSize is the size in bytes of the buffer for each direction of a connection. It is the
	// size of a TLS record. Buffers of four times that size need 96 MiB more for a thousand
	// connections, and are not faster with TLS.
	bufferSize = 16 << 10
	// maxHeader is the largest size in bytes of the head of a response. Go's servers have the same
	// limit for requests. The metadata in the head has at most 8 KiB.
	maxHeader = 1 << 20
)

// Options tunes a [Transport]. The zero value of each field selects its default.
type Options struct {
	// Stall is the longest time in which a body makes no progress. If no byte moves for that time,
	// the connection counts as dropped. The time in which the caller produces the request body does
	// not count. The time between the caller's Reads of the response does not count, either.
	Stall time.Duration
	// Answer is how long the server may take between the end of the request and the head of its
	// response. [WithAnswer] permits a longer time for single requests.
	Answer time.Duration
	// TLS is the TLS configuration of the client. If it is nil, the default of Go is used.
	TLS *tls.Config
	// DialContext opens connections. If it is nil, they are TCP connections.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// A Transport is an http.RoundTripper for large transfers. It is safe for concurrent use. Its
// errors have the type [*Error].
//
// It no longer uses the body of a request after RoundTrip has failed, or after the body of the
// response was closed. If a Read of the request body is in progress, it waits for that Read.
type Transport struct {
	base      http.RoundTripper // nil means http.DefaultTransport
	usersBase bool              // true if the user gave base, which may be of any type
	stall     time.Duration
	answer    time.Duration
}

var _ http.RoundTripper = (*Transport)(nil)

// New returns a Transport with its own connections. It opens none before the first request.
func New(o Options) *Transport {
	dialContext := o.DialContext
	if dialContext == nil {
		dialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext
	}

	// Only HTTP/1.1 is used. HTTP/2 would send all requests to a host over one connection, whose
	// flow control would limit their total rate.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &Transport{
		// A negative duration selects the default, as zero does.
		stall:  cmp.Or(max(o.Stall, 0), DefaultStall),
		answer: cmp.Or(max(o.Answer, 0), DefaultAnswer),
		base: observed(&http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialContext,
			TLSClientConfig:        o.TLS,
			TLSHandshakeTimeout:    dialTimeout,
			Protocols:              &protocols,
			DisableCompression:     true, // net/http must not decompress objects that are stored in compressed form
			MaxIdleConnsPerHost:    idleConnections,
			MaxConnsPerHost:        maxConnections(),
			IdleConnTimeout:        idleTimeout,
			ExpectContinueTimeout:  time.Second,
			ReadBufferSize:         bufferSize,
			MaxResponseHeaderBytes: maxHeader,
			WriteBufferSize:        bufferSize,
		}),
	}
}

// Over returns a Transport that sends its requests through base, or through http.DefaultTransport
// if base is nil. It does not change base, and does not watch requests that the engine did not
// make.
func Over(base http.RoundTripper) *Transport {
	if t, ok := base.(*Transport); ok {
		return t
	}
	return &Transport{base: base, usersBase: true, stall: DefaultStall, answer: DefaultAnswer}
}

// next returns the transport that sends the requests.
func (t *Transport) next() http.RoundTripper {
	if t.base == nil {
		return http.DefaultTransport
	}
	return t.base
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.Send(r.Context(), r)
}

// Send is like RoundTrip, but uses ctx in place of the request's context.
func (t *Transport) Send(ctx context.Context, r *http.Request) (*http.Response, error) {
	// The context of a request that the engine makes has a counter or a call.
	counter := counterOf(ctx)
	call := serving.CallOf(ctx)
	isOfEngine := counter != nil || call != nil
	if t.usersBase && !isOfEngine {
		// The user makes this request with a transport of the user, so no timer may end it.
		return t.next().RoundTrip(r.WithContext(ctx))
	}

	counter.addRequest()
	x, req, err := t.prepare(ctx, r, call)
	if err != nil {
		return nil, &Error{Err: err}
	}
	if call != nil {
		call.Requests.Add(1)
	}

	x.start()
	resp, err := t.next().RoundTrip(req)
	if err != nil {
		failure := x.abort(r, err)
		if failure.Sent {
			counter.addUnanswered()
		}
		return nil, failure
	}

	x.responseArrived()
	counter.addAnswer()
	return x.limitBody(r, resp, call)
}

// prepare returns the exchange that watches r, and the copy of r to send. The body of the copy is in
// memory if it is small, and otherwise the exchange watches it.
func (t *Transport) prepare(
	ctx context.Context, r *http.Request, call *serving.Call,
) (*exchange, *http.Request, error) {
	content, err := readSmall(ctx, r)
	if err != nil {
		return nil, nil, err
	}

	// A large body may have a longer timeout.
	hasSmallBody := content != nil || !hasBody(r)
	stall, answer := t.timeouts(call, hasSmallBody)
	x := newExchange(ctx, r, stall, max(answer, AnswerOf(ctx)))
	x.usersBase = t.usersBase

	req := r.WithContext(x.requestContext())
	if content != nil {
		replaceBody(req, content)
	} else {
		x.wrapBody(req)
	}
	return x, req, nil
}

// CloseIdleConnections closes the connections that no request uses. It may be called several times.
// http.Client.CloseIdleConnections calls it.
func (t *Transport) CloseIdleConnections() {
	if closer, ok := t.next().(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// timeouts returns how long the server may stay silent within a body (stall) and before its
// response (answer).
func (t *Transport) timeouts(call *serving.Call, hasSmallBody bool) (stall, answer time.Duration) {
	if call == nil || call.Stall == 0 {
		return t.stall, t.answer
	}
	if hasSmallBody {
		return call.Stall, call.Stall
	}

	// Buffers of the system may still hold a part of a large body.
	return call.Stall, 2 * call.Stall
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

// wrapBody makes the watchdog observe the request's body, and each new body with which net/http
// repeats the request on another connection.
func (x *exchange) wrapBody(req *http.Request) {
	if !hasBody(req) {
		return
	}
	req.Body = x.watchBody(req.Body)
	if getBody := req.GetBody; getBody != nil {
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := getBody()
			if err != nil {
				return nil, err
			}
			return x.watchBody(body), nil
		}
	}
	// When the context ends, net/http waits for a Read in progress. Only Close ends a Read of a
	// pipe to which nobody writes.
	if x.parent.Done() != nil {
		x.stopClosing = context.AfterFunc(x.parent, x.closeBodies)
	}
}
