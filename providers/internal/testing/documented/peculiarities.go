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

// refusing returns the wrap function of an account that refuses some requests. The function refuse
// returns the answer to such a request, and nil for a request to pass on.
func refusing(refuse func(r *http.Request) *Answer) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if a := refuse(r); a != nil {
				a.give(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// watching returns the wrap function of an account that calls done for each successful request,
// before it sends the response.
func watching(done func(r *http.Request)) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				next.ServeHTTP(w, r) // not recorded first, because the body may be long
				return
			}
			response := httptest.NewRecorder()
			next.ServeHTTP(response, r)
			if response.Code < http.StatusMultipleChoices {
				done(r)
			}
			for name, values := range response.Header() {
				w.Header()[name] = values
			}
			w.WriteHeader(response.Code)
			_, _ = response.Body.WriteTo(w)
		})
	}
}
