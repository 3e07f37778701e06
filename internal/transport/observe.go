package transport

import (
	"net/http"
	"sync/atomic"
)

// observer makes the base of each new Transport. It is nil unless Observe was called.
var observer atomic.Pointer[func(http.RoundTripper) http.RoundTripper]

// Observe makes each Transport that New returns from now on send its requests through wrap(base),
// where base has the connections. It is for programs that record what all drivers send, such as
// "certify -record". The result of wrap must close idle connections as base does.
func Observe(wrap func(base http.RoundTripper) http.RoundTripper) { observer.Store(&wrap) }

// observed returns base as the observer wraps it, if there is one.
func observed(base http.RoundTripper) http.RoundTripper {
	if wrap := observer.Load(); wrap != nil {
		return (*wrap)(base)
	}
	return base
}
