package transport

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// An exchange is one request and its answer under the watchdog. Its timer runs only while the
// exchange waits for the server. It does not run while the caller's body is read, or while
// nobody reads the answer.
type exchange struct {
	parent  context.Context
	ctx     context.Context // of the request; canceled with ErrStalled by the watchdog
	cancel  context.CancelCauseFunc
	stall   time.Duration
	answer  time.Duration
	length  int64       // of the request's body; -1 means until its end
	foreign bool        // the base transport may report nothing about the request
	unhook  func() bool // from parent; nil means parent never ends, or there is no body

	mu      sync.Mutex
	timer   *time.Timer
	replied bool // the head of the answer has come
	ended   bool
	traced  bool           // the round tripper reports connection and head
	linked  bool           // traced: the request has its connection
	headed  bool           // the request's head was written
	whole   bool           // the request's body was handed over to its end
	bodies  []*requestBody // the request's, and those of net/http's replays on another connection

	// Made with the exchange, rather than each by itself.
	firstBody requestBody
	firstRoom [1]*requestBody // of bodies
	trace     httptrace.ClientTrace
	reply     responseBody
}

func newExchange(parent context.Context, r *http.Request, stall, answer time.Duration) *exchange {
	x := &exchange{parent: parent, stall: stall, answer: answer, length: r.ContentLength}
	if !hasBody(r) || isSmall(r) {
		x.whole = true // or it leaves with the head
	} else if x.length == 0 {
		x.length = -1 // net/http: a body with length 0 has an unknown one
	}
	x.ctx, x.cancel = context.WithCancelCause(parent)
	return x
}

// stalled is called by the watchdog when the server has fallen silent.
func (x *exchange) stalled() {
	x.cancel(ErrStalled)
	x.closeBodies()
}

// wait starts the clock. If it still runs after d, the server has fallen silent.
func (x *exchange) wait(d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waitLocked(d)
}

func (x *exchange) waitLocked(d time.Duration) {
	switch {
	case x.ended:
	case x.timer == nil:
		x.timer = time.AfterFunc(d, x.stalled)
	default:
		x.timer.Reset(d)
	}
}

// rest stops the clock until the next wait.
func (x *exchange) rest() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.restLocked()
}

func (x *exchange) restLocked() {
	if x.timer != nil {
		x.timer.Stop()
	}
}

// sourceReads is called before each Read of the request's body. When the head of the answer has
// come, the clock times only the answer, which may be read meanwhile.
func (x *exchange) sourceReads() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.replied {
		x.restLocked()
	}
}

// requestContext is the context for net/http. It reports when the head was written. A Read
// of the body would not: net/http reads the first bytes of a body without a length before it
// writes the head.
func (x *exchange) requestContext() context.Context {
	if !x.whole && x.length > 0 && !x.foreign {
		return x.ctx
	}
	if x.foreign {
		x.trace.GetConn = x.connecting
		x.trace.ConnectStart = func(string, string) { x.dialed() }
		x.trace.TLSHandshakeStart = x.dialed
		x.trace.GotConn = x.connected
	}
	x.trace.WroteHeaders = x.wroteHeaders
	return httptrace.WithClientTrace(x.ctx, &x.trace)
}

// begin starts the clock of a request. A client that the user gave may not report its connections.
// Our own waits for a connection first if the limit is reached.
func (x *exchange) begin() {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case !x.foreign:
		x.waitLocked(connectionWait)
	case x.whole:
		x.waitLocked(x.answer)
	default:
		x.waitLocked(x.stall)
	}
}

// net/http calls connecting before it waits for a connection. The clock stops, because another
// request may have to end first. The owner of the transport limits that wait.
func (x *exchange) connecting(string) {
	x.rest()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.traced, x.linked = true, false
}

// net/http calls dialed when it makes a connection for this request. The user's transport may
// have no limit for that, or for the TLS handshake.
func (x *exchange) dialed() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.linked { // else it has another connection by now
		x.waitLocked(x.stall)
	}
}

// net/http calls connected when the request is about to be written.
func (x *exchange) connected(httptrace.GotConnInfo) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.linked = true
	x.restLocked()
}

// net/http calls wroteHeaders when the head of the request was sent, or is in a buffer that is
// sent with the first bytes of the body.
func (x *exchange) wroteHeaders() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.headed = true
	if x.whole && !x.replied {
		x.waitLocked(x.answer)
	}
}

// handedOver is called after each Read of the request's body, with the bytes of
// that body so far. The last bytes are still in buffers when it is called for
// the last time, so that writing them shares the time of the answer.
func (x *exchange) handedOver(sofar int64, end bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.headed = x.headed || x.length > 0
	if x.replied {
		return // an answer that came early: what is still sent changes nothing
	}
	if end || x.length >= 0 && sofar >= x.length {
		x.whole = true
		x.waitLocked(x.answer)
		return
	}
	x.waitLocked(sendPatience * x.stall)
}

// sendPatience is how many times the stall a body may wait for the peer to take more
// of it. The system takes a body in steps of a megabyte or more, and tells nothing
// in between: a slow line needs a minute for one.
const sendPatience = 4

// answered is called when the head of the answer has come.
func (x *exchange) answered() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.replied = true
	x.restLocked()
}

// fail returns err as an *Error. It replaces the error of a stall by ErrStalled, and sets Sent.
func (x *exchange) fail(err error) *Error {
	switch {
	case errors.Is(context.Cause(x.ctx), ErrStalled):
		err = ErrStalled // rather than "context canceled", which the caller did not do
	case x.parent.Err() != nil:
		err = context.Cause(x.parent) // rather than what its end made fail: a closed body
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	sent := x.headed && x.whole
	if x.foreign { // it may have read the body before it had a connection
		sent = x.whole && (x.headed || !x.traced) && !Unconnected(err)
	}
	return &Error{Sent: sent, Err: err}
}

// finish stops the clock for good and releases the context.
func (x *exchange) finish() {
	if x.unhook != nil {
		x.unhook()
	}
	x.mu.Lock()
	x.ended = true
	x.restLocked()
	x.mu.Unlock()
	x.cancel(nil)
}

// end calls finish and releases the request's bodies: it waits for a Read in progress, and no
// later Read reaches the caller's body.
func (x *exchange) end() {
	x.finish()
	x.closeBodies()
	for _, b := range x.watched() {
		b.waitIdle()
	}
}

func (x *exchange) closeBodies() {
	for _, b := range x.watched() {
		_ = b.Close()
	}
}

// watched returns the request's bodies, of which there may be more later.
func (x *exchange) watched() []*requestBody {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.bodies
}
