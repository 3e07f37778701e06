package s3server

import (
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
)

// A Request is a request and the status of its response, for tests of the wire format.
type Request struct {
	Operation   string // AWS's name; "Unknown" if there is none
	Method      string
	Host        string
	Path        string // as it was sent
	Bucket, Key string
	Query       url.Values
	Header      http.Header
	Trailers    bool // a checksum follows the body
	Status      int  // 0 before the response, or if it was dropped
}

type recorder struct {
	mu     sync.Mutex
	all    []Request
	counts map[string]int
	epoch  int // raised by Reset, so that earlier requests are not recorded at their end
	busy   atomic.Int64
}

// A requestMark is the position of a request in the record.
type requestMark struct{ epoch, index int }

func (c *recorder) begin(r *request) requestMark {
	c.busy.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[r.operation]++
	c.all = append(c.all, Request{
		Operation: r.operation, Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Bucket: r.bucket, Key: r.key,
		Query: r.query, Header: r.Header.Clone(), Trailers: r.Header.Get("X-Amz-Trailer") != "",
	})
	return requestMark{c.epoch, len(c.all) - 1}
}

func (c *recorder) end(m requestMark, status int) {
	c.busy.Add(-1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.epoch == c.epoch {
		c.all[m.index].Status = status
	}
}

// Requests returns all requests since the start or the last [Handler.Reset], in order.
func (h *Handler) Requests() []Request {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	return append([]Request(nil), h.recorder.all...)
}

// Count returns the number of requests of an operation, or of all with "".
func (h *Handler) Count(operation string) int {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	if operation == "" {
		return len(h.recorder.all)
	}
	return h.recorder.counts[operation]
}

// Busy returns the number of requests in progress.
func (h *Handler) Busy() int { return int(h.recorder.busy.Load()) }

// Reset clears the record of requests.
func (h *Handler) Reset() {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	h.recorder.all, h.recorder.counts = nil, nil
	h.recorder.epoch++
}
