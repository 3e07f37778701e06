package console

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage/s3server"
)

// These constants bound the memory of a Record: the number of requests, and the bytes of each text
// in a request.
const (
	maxRequests  = 100
	maxText      = 1 << 10
	maxCanonical = 8 << 10
)

// A Record keeps the latest 100 requests, without secrets. It truncates each text to 1 KiB, and
// canonical requests to 8 KiB. Its zero value is empty. It may be used by several goroutines.
type Record struct {
	mu       sync.Mutex
	lastID   int
	requests []request // the latest requests, the oldest first
}

// A request is the JSON of one request on the page.
type request struct {
	ID        int       `json:"id"`
	Time      time.Time `json:"time"`
	Seconds   float64   `json:"seconds"`
	RequestID string    `json:"requestId"`
	Client    string    `json:"client"`
	AccessKey string    `json:"accessKey"`
	Operation string    `json:"operation"`
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	Query     string    `json:"query"`
	Status    int       `json:"status"`
	Error     string    `json:"error"`
	Message   string    `json:"message"`
	Canonical string    `json:"canonical"`
	Received  int64     `json:"received"`
	Sent      int64     `json:"sent"`
	Agent     string    `json:"agent"`
}

// Add records a request, so that the console can show it, in the place of the oldest one if the record is full. It is a
// value for [s3server.Config].Log.
func (r *Record) Add(e s3server.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastID++

	// The record is full: the oldest request must go.
	if len(r.requests) == maxRequests {
		r.requests = slices.Delete(r.requests, 0, 1)
	}

	r.requests = append(r.requests, request{
		ID:        r.lastID,
		Time:      e.Time,
		Seconds:   e.Duration.Seconds(),
		RequestID: e.RequestID,
		Client:    e.RemoteAddr,
		AccessKey: clip(e.AccessKeyID, maxText),
		Operation: e.Operation,
		Method:    clip(e.Method, maxText),
		Path:      clip(e.Path, maxText),
		Query:     clip(e.Query.Encode(), maxText),
		Status:    e.Status,
		Error:     e.Error,
		Message:   clip(e.Message, maxText),
		Canonical: clip(e.CanonicalRequest, maxCanonical),
		Received:  e.Received,
		Sent:      e.Sent,
		Agent:     clip(e.UserAgent, maxText),
	})
}

// clip returns a copy of the text, or of its first limit bytes, so that the record does not keep a longer text in
// memory.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return strings.Clone(text)
	}
	return strings.ToValidUTF8(strings.Clone(text[:limit]), "") + "…"
}

// latestRequests returns the requests, the newest first.
func (r *Record) latestRequests() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := append([]request{}, r.requests...)
	slices.Reverse(all)
	return all
}

func (r *Record) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = nil
}
