package documented

import (
	"net/http"
	"net/http/httptest"
)

// A Peculiarity is the documented behavior of one kind of account, such as that it refuses some
// requests. Unlike an Answer, it applies to every request.
type Peculiarity struct {
	Name   string
	Source string // URL of a page, or an issue of a repository on GitHub
	wrap   func(next http.Handler) http.Handler
}

// Before returns a handler that makes next behave like an account with these peculiarities. The
// first one gets a request first.
func Before(next http.Handler, all ...Peculiarity) http.Handler {
	for i := len(all) - 1; i >= 0; i-- {
		next = all[i].wrap(next)
	}
	return next
}

// refuseRequests returns a wrap function for a Peculiarity that refuses some requests. If the function
// refuse returns an Answer, the request gets the Answer. If it returns nil, the request is passed
// on.
func refuseRequests(refuse func(r *http.Request) *Answer) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if a := refuse(r); a != nil {
				a.send(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// watchRequests returns a wrap function for a Peculiarity. After each successful request other than GET
// and HEAD, the wrapped handler calls the function watch. Only then does it send the response.
func watchRequests(watch func(r *http.Request)) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isRead(r.Method) {
				next.ServeHTTP(w, r) // send the response directly: its body may be too long to buffer
				return
			}
			resp := httptest.NewRecorder()
			next.ServeHTTP(resp, r)
			if resp.Code < http.StatusMultipleChoices {
				watch(r)
			}
			relay(w, resp)
		})
	}
}
