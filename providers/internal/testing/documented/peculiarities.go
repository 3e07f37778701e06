package documented

import (
	"net/http"
	"net/http/httptest"
	"slices"
)

// A Peculiarity is the documented behavior of one kind of account, such as that it refuses some
// requests. Unlike an Answer, it applies to every request.
type Peculiarity struct {
	Name   string
	Source string // URL of a page, or an issue of a repository on GitHub
	wrap   func(next http.Handler) http.Handler
}

// Before returns a handler that makes next behave like an account with these peculiarities, of which
// the first one gets a request first.
func Before(next http.Handler, peculiarities ...Peculiarity) http.Handler {
	for _, p := range slices.Backward(peculiarities) {
		next = p.wrap(next)
	}
	return next
}

// refuseRequests returns a wrap function for a Peculiarity that refuses some requests: those for which
// refuse returns an Answer, which is the response. All others are passed on.
func refuseRequests(refuse func(r *http.Request) *Answer) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if answer := refuse(r); answer != nil {
				answer.send(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// watchRequests returns a wrap function for a Peculiarity that calls watch after each successful request
// other than GET and HEAD, before it sends the response.
func watchRequests(watch func(r *http.Request)) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isRead(r.Method) {
				// Send the response directly, because its body may be too long to buffer.
				next.ServeHTTP(w, r)
				return
			}

			// Record the response, because its status must be known before it is sent.
			resp := httptest.NewRecorder()
			next.ServeHTTP(resp, r)
			if resp.Code < http.StatusMultipleChoices {
				watch(r)
			}
			relay(w, resp)
		})
	}
}
