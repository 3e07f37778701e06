// Package shelfserver is a small object store in memory, with an HTTP interface of its own. It stands
// for a store that nobody has written a driver for. Package shelf is the driver.
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
// If-Match and If-None-Match are checked by PUT, GET, HEAD and DELETE, and when parts are joined. The
// headers of a PUT that describe the content, and those that begin with Meta-, are returned by GET.
// The header Crc32c of a PUT is compared with the body, and a difference has the status 422.
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

// A Server is one shelf.
type Server struct {
	mu      sync.Mutex
	objects map[string]*object
	uploads map[string]*upload
	writes  int // makes every ETag unique
}

// An object is never changed once it is on the shelf.
type object struct {
	header   http.Header // as a GET returns them
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
	key, query := strings.TrimPrefix(r.URL.Path, "/"), r.URL.Query()
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

// readBody reads the whole body before anything is changed.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	content, err := io.ReadAll(r.Body)
	if err != nil { // the client is gone
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

// put stores an object if the conditions of the request hold.
func (s *Server) put(w http.ResponseWriter, r *http.Request, key string, content []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.objects[key]
	if r.Header.Get("If-None-Match") == "*" && old != nil || !matches(r, old) {
		w.WriteHeader(http.StatusPreconditionFailed)
		return false
	}
	o := &object{
		header: http.Header{}, content: content, etag: s.newTag(), modified: time.Now().UTC().Truncate(time.Second),
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

// matches reports whether the object is the one that If-Match names, if there is one.
func matches(r *http.Request, o *object) bool {
	want := r.Header.Get("If-Match")
	return want == "" || o != nil && want == o.etag
}

// describes reports whether a header is kept with an object.
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

// get lets net/http serve ranges and conditions.
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
	switch o := s.objects[key]; {
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
	_ = json.NewEncoder(w).Encode(value) // the client is gone
}
