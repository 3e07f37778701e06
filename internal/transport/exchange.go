package transport

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// An exchange is one request with its response, which the watchdog observes. The watchdog is a
// timer that ends the exchange. It runs only while the exchange waits for the server. It stops
// while the caller's body is read, and while nobody reads the response.
type exchange struct {
	parent      context.Context
	ctx         context.Context // context of the request; the watchdog cancels it with ErrStalled
	cancel      context.CancelCauseFunc
	stall       time.Duration
	answer      time.Duration
	length      int64       // length of the request's body in bytes; -1 if unknown
	usersBase   bool        // true if the user gave the base transport, which may not report what happens to the request
	stopClosing func() bool // stops the context.AfterFunc that closes the bodies; may be nil

	mu           sync.Mutex
	timer        *time.Timer
	hasResponse  bool // true after the head of the response arrived
	ended        bool
	reportsConns bool           // true if the base transport reports its connections
	hasConn      bool           // true if the request has a connection; only set if reportsConns
	headSent     bool           // true if the head of the request was written
	bodyRead     bool           // true if net/http has read the request's body to its end
	bodies       []*requestBody // the request's body, and a new one for each replay by net/http on another connection

	// The following fields are part of the exchange so that they need no allocations of their own.
	firstBody   requestBody     // what bodies[0] points to
	firstBodies [1]*requestBody // initial array of bodies
	trace       httptrace.ClientTrace
	reply       responseBody
}

// newExchange returns the exchange of a request. The server may be silent for stall within a body,
// and for answer before its response.
func newExchange(parent context.Context, r *http.Request, stall, answer time.Duration) *exchange {
	x := &exchange{
		parent: parent,
		stall:  stall,
		answer: answer,
		length: r.ContentLength,
	}
	x.ctx, x.cancel = context.WithCancelCause(parent)

	// A small body is sent together with the head.
	if !hasBody(r) || isSmall(r) {
		x.bodyRead = true
		return x
	}
	if x.length == 0 {
		// For net/http, length 0 with a body means that the length is unknown.
		x.length = -1
	}
	return x
}

// stalled is called by the timer if the server is silent for too long. It ends the exchange.
func (x *exchange) stalled() {
	x.cancel(ErrStalled)
	x.closeBodies()
}

// startTimer makes the timer end the exchange after d, unless it is stopped or started again before.
func (x *exchange) startTimer(d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.startTimerLocked(d)
}

// startTimerLocked is like startTimer. The caller must hold x.mu.
func (x *exchange) startTimerLocked(d time.Duration) {
	if x.ended {
		return
	}
	if x.timer == nil {
		x.timer = time.AfterFunc(d, x.stalled)
		return
	}
	x.timer.Reset(d)
}

// stopTimer stops the timer until the next call of startTimer.
func (x *exchange) stopTimer() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.stopTimerLocked()
}

// stopTimerLocked is like stopTimer. The caller must hold x.mu.
func (x *exchange) stopTimerLocked() {
	if x.timer != nil {
		x.timer.Stop()
	}
}

// beforeBodyRead stops the timer before each Read of the request's body. Once the response has
// begun, it does nothing, because the timer may then belong to a Read of the response.
func (x *exchange) beforeBodyRead() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.hasResponse {
		x.stopTimerLocked()
	}
}

// requestContext returns the context for net/http, with a trace that reports when the head of the
// request was written.
func (x *exchange) requestContext() context.Context {
	// Without a user's transport, the first Read of a large body of known length shows that the head was
	// written, so no trace is needed.
	hasLargeBody := !x.bodyRead && x.length > 0
	if hasLargeBody && !x.usersBase {
		return x.ctx
	}

	if x.usersBase {
		// The timer must not run while the request waits for a connection.
		x.trace.GetConn = x.connecting
		x.trace.ConnectStart = func(string, string) {
			x.dialed()
		}
		x.trace.TLSHandshakeStart = x.dialed
		x.trace.GotConn = x.connected
	}
	x.trace.WroteHeaders = x.wroteHeaders
	return httptrace.WithClientTrace(x.ctx, &x.trace)
}

// start starts the timer for the first phase of a request. That is the wait for a connection or, with
// a user's transport, the wait for the response if the whole request is sent at once. Otherwise it is
// the wait until net/http reads the body.
func (x *exchange) start() {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case !x.usersBase:
		x.startTimerLocked(connectionWait)
	case x.bodyRead:
		// A user's transport may not tell when the request was sent, so the timer must start now.
		x.startTimerLocked(x.answer)
	default:
		x.startTimerLocked(x.stall)
	}
}

// connecting is called by net/http before the request waits for a connection, and stops the timer.
// The wait may be long, because another request may have to release its connection first, and only
// the user's transport can limit it.
func (x *exchange) connecting(string) {
	x.stopTimer()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.reportsConns = true
	x.hasConn = false
}

// dialed is called by net/http when it opens a connection for this request. It starts the timer,
// because the user's transport may limit neither the dialing nor the TLS handshake.
func (x *exchange) dialed() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.hasConn {
		// Otherwise the request already uses another connection.
		x.startTimerLocked(x.stall)
	}
}

// connected is called by net/http when the request has a connection and is about to be written.
func (x *exchange) connected(httptrace.GotConnInfo) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.hasConn = true
	x.stopTimerLocked()
}

// wroteHeaders is called by net/http when the head of the request was sent, or will be sent
// together with the first bytes of the body.
func (x *exchange) wroteHeaders() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.headSent = true
	if x.bodyRead && !x.hasResponse {
		x.startTimerLocked(x.answer)
	}
}

// afterBodyRead starts the timer after a Read of the request's body, of which sent bytes were read
// in total. After the last Read, it allows the time before the response, which includes sending the
// bytes that are still in buffers.
func (x *exchange) afterBodyRead(sent int64, isEnd bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.length > 0 {
		// net/http writes the head before it reads a body of known length.
		x.headSent = true
	}
	if x.hasResponse {
		// The response came early, and the rest of the body no longer matters.
		return
	}

	hasReadAll := isEnd || x.length >= 0 && sent >= x.length
	if !hasReadAll {
		x.startTimerLocked(sendPatience * x.stall)
		return
	}
	x.bodyRead = true
	x.startTimerLocked(x.answer)
}

// sendPatience multiplies the time limit for a stalled connection while a body is sent. The
// operating system accepts a body in steps of a megabyte or more. It reports no progress within a
// step. On a slow line, one step takes a minute.
const sendPatience = 4

// responseArrived stops the timer when the head of the response has arrived.
func (x *exchange) responseArrived() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.hasResponse = true
	x.stopTimerLocked()
}

// fail returns err as an *Error that says whether the request was sent. If the exchange stalled,
// its Err is ErrStalled.
func (x *exchange) fail(err error) *Error {
	reason := err
	if errors.Is(context.Cause(x.ctx), ErrStalled) {
		// In this case err is "context canceled", although the caller did not cancel.
		reason = ErrStalled
	} else if x.parent.Err() != nil {
		// In this case err may only say that the body was closed.
		reason = context.Cause(x.parent)
	}

	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.usersBase {
		return &Error{Sent: x.headSent && x.bodyRead, Err: reason}
	}

	// A user's transport may read the body before it has a connection, and may not report the head.
	headMayBeSent := x.headSent || !x.reportsConns
	return &Error{Sent: headMayBeSent && x.bodyRead && !Unconnected(reason), Err: reason}
}

// abort ends the exchange of r, for which RoundTrip returned err. The returned error has no secrets
// of r.
func (x *exchange) abort(r *http.Request, err error) *Error {
	failure := x.fail(err)
	failure.Err = maskError(failure.Err, r)
	x.end()
	return failure
}

// finish stops the timer for good, and releases the context.
func (x *exchange) finish() {
	if x.stopClosing != nil {
		x.stopClosing()
	}

	x.mu.Lock()
	x.ended = true
	x.stopTimerLocked()
	x.mu.Unlock()
	x.cancel(nil)
}

// end ends the exchange, and waits for a Read in progress. net/http then no longer reads the
// caller's body.
func (x *exchange) end() {
	x.finish()
	x.closeBodies()
	for _, b := range x.watchedBodies() {
		b.waitIdle()
	}
}

func (x *exchange) closeBodies() {
	for _, b := range x.watchedBodies() {
		_ = b.Close()
	}
}

// watchedBodies returns the current list of the request's bodies. A replay by net/http may add a body to
// the list at the same time.
func (x *exchange) watchedBodies() []*requestBody {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.bodies
}
