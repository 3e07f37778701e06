// Package permissions is for tests of the public package of this name, whose table is
// docs/permissions.md. The tests of each driver perform every operation on a server. They compare
// the permissions that the requests need with the table.
package permissions

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// An Exchange is a request of a driver, together with the parts of its response that matter for
// permissions.
type Exchange struct {
	Method, Host string
	Path         string // unescaped, without the leading slash
	Query        url.Values
	Header       http.Header
	Body         string
	Status       int
	Response     http.Header
}

// hasHeader reports whether the request has at least one of these headers.
func (x *Exchange) hasHeader(names ...string) bool {
	for _, name := range names {
		if x.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

// split returns the bucket and the key of a path.
func (x *Exchange) split() (bucket, key string) {
	bucket, key, _ = strings.Cut(x.Path, "/")
	return bucket, key
}

// A Recorder records the exchanges with a server.
type Recorder struct {
	mu         sync.Mutex
	all        []Exchange
	setupCount int // number of exchanges that belong to the setup
	losesNext  bool
}

// Begin ends the setup. The requests until then are not counted.
func (r *Recorder) Begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.setupCount = len(r.all)
}

// Lose makes the next write lose its response: the connection breaks after the write has taken
// effect.
func (r *Recorder) Lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.losesNext = true
}

// exchanges returns the exchanges of the setup and the exchanges after it.
func (r *Recorder) exchanges() (setup, operation []Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[:r.setupCount:r.setupCount], r.all[r.setupCount:len(r.all):len(r.all)]
}

// denied reports whether a response after the setup had the status 403.
func (r *Recorder) denied() bool {
	_, exchanges := r.exchanges()
	return slices.ContainsFunc(exchanges, func(x Exchange) bool { return x.Status == http.StatusForbidden })
}

// Wrap returns a handler that passes requests on to next, and records them with their responses.
func (r *Recorder) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			// The client has closed the connection.
			panic(http.ErrAbortHandler)
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		// The path of a parsed URL is always valid.
		path, _ := url.PathUnescape(strings.TrimPrefix(req.URL.EscapedPath(), "/"))
		exchange := Exchange{
			Method: req.Method,
			Host:   req.Host,
			Path:   path,
			Query:  req.URL.Query(),
			Header: req.Header.Clone(),
			Body:   string(body),
		}

		resp := httptest.NewRecorder()
		next.ServeHTTP(resp, req)
		exchange.Status = resp.Code
		exchange.Response = resp.Header().Clone()
		mustLose := r.add(exchange)
		if mustLose {
			// Close the connection without a response.
			panic(http.ErrAbortHandler)
		}

		maps.Copy(w.Header(), resp.Header())
		w.WriteHeader(resp.Code)
		_, _ = w.Write(resp.Body.Bytes())
	})
}

// add records an exchange, and reports whether its response must be lost on the way to the client. That
// is so for the first PUT or POST request after a call of Lose.
func (r *Recorder) add(x Exchange) (lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, x)
	isWrite := x.Method == http.MethodPut || x.Method == http.MethodPost
	if !r.losesNext || !isWrite {
		return false
	}
	r.losesNext = false
	return true
}
