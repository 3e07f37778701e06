package nullserver

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// CountsPath is the path of a request that returns the number of requests so far, by operation, as
// JSON. A bucket cannot have this name.
const CountsPath = "/-counts"

type handler struct {
	service Service
	options Options
	served  atomic.Int64 // number of requests so far
	counts  counts
}

// ServeHTTP counts a request, waits as long as the options demand, discards the body of the
// request, and lets the service respond.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == CountsPath {
		h.counts.serve(w)
		return
	}

	operation := h.service.Operation(r)
	h.counts.add(operation)
	time.Sleep(h.options.Latency)
	h.stall(r)

	isComplete := drainBody(r)
	if !isComplete {
		return // the client has closed the connection
	}
	h.service.Respond(w, r, operation)
}

// stall delays one of [Options.StallEvery] responses. The delay ends early if the client closes the
// connection.
func (h *handler) stall(r *http.Request) {
	if every := h.options.StallEvery; every == 0 || h.served.Add(1)%every != 0 {
		return
	}
	timer := time.NewTimer(h.options.Stall)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

var buffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// drainBody reads the body of a request to its end. It returns false if the client closes the
// connection before.
func drainBody(r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody {
		return true
	}
	buffer := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buffer)
	_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body}, buffer[:])
	return err == nil
}

// A counts holds the number of requests for each operation.
type counts struct {
	mu          sync.Mutex
	byOperation map[string]int
}

func (c *counts) add(operation string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byOperation == nil {
		c.byOperation = map[string]int{}
	}
	c.byOperation[operation]++
}

func (c *counts) serve(w http.ResponseWriter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = json.NewEncoder(w).Encode(c.byOperation)
}

// Counts returns how many requests the server at a URL has received so far, by operation.
func Counts(client *http.Client, server string) (map[string]int, error) {
	response, err := client.Get(server + CountsPath)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	counts := map[string]int{}
	return counts, json.NewDecoder(response.Body).Decode(&counts)
}
