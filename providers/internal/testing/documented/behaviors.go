package documented

import (
	"net/http"
	"net/http/httptest"
	"slices"
)

// A Behavior is the documented behavior of one kind of account, such as that it refuses some
// requests. Unlike an Answer, it applies to every request.
type Behavior struct {
	Name       string
	Source     string // URL of a page, or an issue of a repository on GitHub
	middleware func(next http.Handler) http.Handler
}

// Before returns a handler that makes next behave like an account with these behaviors, of which
// the first one gets a request first.
func Before(next http.Handler, behaviors ...Behavior) http.Handler {
	for _, b := range slices.Backward(behaviors) {
		next = b.middleware(next)
	}
	return next
}

// Like returns a handler that makes next behave like an account with all these behaviors, of which the
// last one gets a request first.
func Like(next http.Handler, behaviors ...Behavior) http.Handler {
	for _, b := range behaviors {
		next = b.middleware(next)
	}
	return next
}

// refuseRequests returns a middleware for a Behavior. It sends the Answer that refuse returns for a
// request, or passes the request on if that is nil.
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

// watchRequests returns a middleware for a Behavior. It calls watch after each successful request other
// than GET and HEAD, before the client gets the response.
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
