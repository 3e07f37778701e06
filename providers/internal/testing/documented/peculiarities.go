package documented

import (
	"net/http"
	"net/http/httptest"
)

// A Peculiarity is what a kind of account does at every request, as its provider documents it.
type Peculiarity struct {
	Name   string
	Source string // a page, or an issue of a repository at GitHub
	wrap   func(next http.Handler) http.Handler
}

// Before returns an account with peculiarities before next. The first sees a request first.
func Before(next http.Handler, all ...Peculiarity) http.Handler {
	for i := len(all) - 1; i >= 0; i-- {
		next = all[i].wrap(next)
	}
	return next
}

// refusing returns a wrap for an account that refuses some requests. refuse returns nil for others.
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

// watching returns a wrap that sees each request that has succeeded, before its response is sent.
func watching(done func(r *http.Request)) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				next.ServeHTTP(w, r) // the body may be long
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
