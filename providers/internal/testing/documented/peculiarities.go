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
// and HEAD, the wrapped handler calls the given function. Only then does it send the response.
func watchRequests(fn func(r *http.Request)) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				next.ServeHTTP(w, r) // send the response directly: its body may be too long to buffer
				return
			}
			response := httptest.NewRecorder()
			next.ServeHTTP(response, r)
			if response.Code < http.StatusMultipleChoices {
				fn(r)
			}
			for name, values := range response.Header() {
				w.Header()[name] = values
			}
			w.WriteHeader(response.Code)
			_, _ = response.Body.WriteTo(w)
		})
	}
}
