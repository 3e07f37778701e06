package s3server

import (
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
)

// A Request is what came in and what was answered, for tests that pin the wire.
type Request struct {
	Operation   string // AWS's name; "Unknown" for an address without one
	Method      string
	Host        string
	Path        string // as it was sent
	Bucket, Key string
	Query       url.Values
	Header      http.Header
	Trailers    bool // the body came with a checksum behind it
	Status      int  // 0: not answered yet, or the answer was lost
}

type recorder struct {
	mu     sync.Mutex
	all    []Request
	counts map[string]int
	epoch  int // raised by Reset, so that what ends later is not written down
	busy   atomic.Int64
}

// A mark is a request's place in the record.
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

// Requests are all since the start or the last Reset, in the order in which
// they came.
func (h *Handler) Requests() []Request {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	return append([]Request(nil), h.recorder.all...)
}

// Count is how many requests of an operation came; "" counts all.
func (h *Handler) Count(operation string) int {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	if operation == "" {
		return len(h.recorder.all)
	}
	return h.recorder.counts[operation]
}

// Busy is how many requests are being answered.
func (h *Handler) Busy() int { return int(h.recorder.busy.Load()) }

// Reset forgets the requests so far.
func (h *Handler) Reset() {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	h.recorder.all, h.recorder.counts = nil, nil
	h.recorder.epoch++
}
