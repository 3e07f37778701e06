// Package shelfserver is a small object store in memory. It has its own HTTP interface, for which
// the library has no driver. Package shelf shows how to write a driver for it.
//
//	PUT    /key                        stores an object
//	GET    /key                        reads it; also with Range
//	HEAD   /key                        reads its headers
//	DELETE /key                        removes it
//	GET    /?prefix=&delimiter=&after=&limit=
//	                                   lists a page, in the order of the bytes of keys
//	POST   /key?parts                  begins an upload in parts; the header Upload of the response names it
//	PUT    /key?upload=name&part=1     stores a part
//	POST   /key?upload=name            makes an object of the parts that the body lists
//	DELETE /key?upload=name            drops an upload
//
// PUT, GET, HEAD and DELETE check the headers If-Match and If-None-Match. So does the POST that
// joins parts. GET returns the headers of the PUT that describe the content or begin with Meta-. If
// the header Crc32c of a PUT does not match the body, the response has the status 422.
package shelfserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Server is one shelf, which is one bucket in memory. It is an http.Handler.
type Server struct {
	mu      sync.Mutex
	objects map[string]*object
	uploads map[string]*upload
	writes  int // number of writes so far, which makes every ETag unique
}

// An object is a stored object. It is never changed: a write replaces it.
type object struct {
	header   http.Header // headers that a GET returns
	content  []byte
	etag     string
	modified time.Time
}

// New returns an empty shelf.
func New() *Server {
	return &Server{objects: map[string]*object{}, uploads: map[string]*upload{}}
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "shelf")
	key := strings.TrimPrefix(r.URL.Path, "/")
	query := r.URL.Query()
	switch {
	case key == "" && r.Method == http.MethodGet:
		s.list(w, query)
	case query.Has("parts") || query.Has("upload"):
		s.serveUpload(w, r, key, query)
	case r.Method == http.MethodPut:
		if content, ok := readBody(w, r); ok {
			s.put(w, r, key, content)
		}
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		s.get(w, r, key)
	case r.Method == http.MethodDelete:
		s.delete(w, r, key)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// readBody reads the whole body, before the caller changes anything. If that fails, it returns
// false.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		// The client has disconnected.
		w.WriteHeader(http.StatusBadRequest)
		return nil, false
	}
	return content, checkSum(w, r, content)
}

func checkSum(w http.ResponseWriter, r *http.Request, content []byte) bool {
	if want := r.Header.Get("Crc32c"); want != "" && want != checksum(content) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return false
	}
	return true
}

func checksum(content []byte) string {
	return fmt.Sprintf("%08x", crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli)))
}

// put stores an object if the conditions of the request are met. It writes the response, and
// reports whether the object was stored.
func (s *Server) put(w http.ResponseWriter, r *http.Request, key string, content []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	old := s.objects[key]
	mustBeAbsent := r.Header.Get("If-None-Match") == "*"
	if (mustBeAbsent && old != nil) || !matches(r, old) {
		w.WriteHeader(http.StatusPreconditionFailed)
		return false
	}

	o := &object{
		header:   http.Header{},
		content:  content,
		etag:     s.newTag(),
		modified: time.Now().UTC().Truncate(time.Second),
	}
	for name, values := range r.Header {
		if describes(name) {
			o.header[name] = values
		}
	}
	o.header.Set("Crc32c", checksum(content))
	s.objects[key] = o
	o.setHeader(w.Header())
	w.WriteHeader(http.StatusCreated)
	return true
}

// matches reports whether an object meets the condition If-Match of a request. Without that header,
// it returns true.
func matches(r *http.Request, o *object) bool {
	want := r.Header.Get("If-Match")
	return want == "" || o != nil && want == o.etag
}

// describes reports whether a header describes the content, so that the server stores it with the
// object.
func describes(name string) bool {
	switch name {
	case "Content-Type", "Content-Encoding", "Content-Disposition", "Content-Language", "Cache-Control":
		return true
	}
	return strings.HasPrefix(name, "Meta-")
}

func (s *Server) newTag() string {
	s.writes++
	return strconv.Quote(strconv.Itoa(s.writes))
}

func (o *object) setHeader(h http.Header) {
	for name, values := range o.header {
		h[name] = values
	}
	h.Set("ETag", o.etag)
	h.Set("Last-Modified", o.modified.Format(http.TimeFormat))
	h.Set("Object-Size", strconv.Itoa(len(o.content)))
}

// get responds with an object. Package net/http handles ranges and conditions.
func (s *Server) get(w http.ResponseWriter, r *http.Request, key string) {
	s.mu.Lock()
	o := s.objects[key]
	s.mu.Unlock()
	if o == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	o.setHeader(w.Header())
	http.ServeContent(w, r, "", o.modified, bytes.NewReader(o.content))
}

func (s *Server) delete(w http.ResponseWriter, r *http.Request, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	switch {
	case o == nil:
		w.WriteHeader(http.StatusNotFound)
	case !matches(r, o):
		w.WriteHeader(http.StatusPreconditionFailed)
	default:
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
	}
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	// Encode fails only if the client has disconnected.
	_ = json.NewEncoder(w).Encode(value)
}
