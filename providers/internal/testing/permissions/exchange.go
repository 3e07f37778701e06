// Package permissions lists the permissions that each operation of the public API needs. [Rows] is
// the table of docs/permissions.md. The tests of the drivers run each row against a server, and
// compare the permissions of the requests with the row's.
package permissions

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
)

// An Exchange is a request that a driver sent, and what its response says about permissions.
type Exchange struct {
	Method, Host string
	Path         string // decoded, without the slash at its beginning
	Query        url.Values
	Header       http.Header
	Body         string
	Status       int
	Response     http.Header
}

// has reports whether the request has one of these headers.
func (x *Exchange) has(names ...string) bool {
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

// A Recorder keeps the exchanges of a server.
type Recorder struct {
	mu    sync.Mutex
	all   []Exchange
	begun int // exchanges before this one belong to the setup
	lose  bool
}

// Begin ends the setup, whose requests do not count.
func (r *Recorder) Begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun = len(r.all)
}

// Lose makes the connection break after the next request that writes, in place of its response.
func (r *Recorder) Lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lose = true
}

// exchanges returns the exchanges of the setup, and those after it.
func (r *Recorder) exchanges() (setup, counted []Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[:r.begun:r.begun], r.all[r.begun:len(r.all):len(r.all)]
}

// Wrap returns a handler that serves next and records.
func (r *Recorder) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		body, err := io.ReadAll(in.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the client is gone
		}
		in.Body = io.NopCloser(bytes.NewReader(body))
		path, _ := url.PathUnescape(strings.TrimPrefix(in.URL.EscapedPath(), "/"))
		x := Exchange{
			Method: in.Method, Host: in.Host, Path: path, Query: in.URL.Query(),
			Header: in.Header.Clone(), Body: string(body),
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, in)
		x.Status, x.Response = answer.Code, answer.Header().Clone()
		if r.add(x) {
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// add reports whether the response gets lost.
func (r *Recorder) add(x Exchange) (lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, x)
	lost = r.lose && (x.Method == http.MethodPut || x.Method == http.MethodPost)
	r.lose = r.lose && !lost
	return lost
}
