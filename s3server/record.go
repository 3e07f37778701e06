package s3server

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// A Request is a request and the status of its response, for tests of the wire format.
type Request struct {
	Operation string      `json:"operation"` // AWS's name; "Unknown" if there is none
	Method    string      `json:"method"`
	Host      string      `json:"host"`
	Path      string      `json:"path"` // path as it was sent
	Bucket    string      `json:"bucket,omitempty"`
	Key       string      `json:"key,omitempty"`
	Query     url.Values  `json:"query,omitempty"`
	Header    http.Header `json:"header,omitempty"`
	Trailers  bool        `json:"-"`      // whether a checksum follows the body
	Status    int         `json:"status"` // 0 before the response, or if it was dropped
}

// A recorder counts requests, and keeps the latest.
type recorder struct {
	limit int // number of requests to keep
	busy  atomic.Int64

	mu     sync.Mutex
	latest []*Request // the latest requests, the oldest first
	counts map[string]int
	total  int
}

// begin counts a request. It returns the entry that is kept, or nil.
func (c *recorder) begin(r *request) *Request {
	c.busy.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[r.operation]++
	c.total++
	if c.limit <= 0 {
		return nil
	}
	kept := &Request{
		Operation: r.operation, Method: r.in.Method, Host: r.in.Host, Path: r.in.URL.EscapedPath(),
		Bucket: r.target.bucket, Key: r.target.key,
		Query: maps.Clone(r.query), Header: r.in.Header.Clone(), Trailers: r.in.Header.Get("X-Amz-Trailer") != "",
	}
	if len(c.latest) == c.limit {
		c.latest = c.latest[1:] // when append grows the slice, it copies only the rest
	}
	c.latest = append(c.latest, kept)
	return kept
}

func (c *recorder) end(kept *Request, status int) {
	c.busy.Add(-1)
	if kept != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		kept.Status = status
	}
}

// Requests returns the latest requests in the order in which they came, at most
// Config.Record, since the start or the last [Handler.Reset].
func (h *Handler) Requests() []Request {
	c := &h.recorder
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Request, 0, len(c.latest))
	for _, r := range c.latest {
		all = append(all, *r)
	}
	return all
}

// Count returns the number of requests of an operation since the start or the last
// [Handler.Reset], or of all operations if operation is "". It also counts requests that
// Config.Record does not keep.
func (h *Handler) Count(operation string) int {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	if operation == "" {
		return h.recorder.total
	}
	return h.recorder.counts[operation]
}

// counts returns how many requests of each operation came, as Count does for one.
func (h *Handler) counts() map[string]int {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	return maps.Clone(h.recorder.counts)
}

// Busy returns the number of requests in progress.
func (h *Handler) Busy() int { return int(h.recorder.busy.Load()) }

// Reset clears the record and the counts of requests.
func (h *Handler) Reset() {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	h.recorder.latest, h.recorder.counts, h.recorder.total = nil, nil, 0
}

// An Entry describes a request and its response, for logs, metrics and consoles. It has no secret:
// no signature, no token, no header with a key.
type Entry struct {
	Time        time.Time // time of the request
	Duration    time.Duration
	RequestID   string // value of x-amz-request-id
	RemoteAddr  string
	AccessKeyID string // key of a valid signature
	Operation   string // AWS's name; "Unknown" if there is none
	Method      string
	Path        string     // path as it was sent
	Query       url.Values // without signatures, tokens and keys
	Bucket, Key string
	Status      int    // 0 means that the connection was closed without a response
	Error       string // S3's code of the error
	Message     string // S3's message, with the store's error, and a note if a [Fault] applies
	// CanonicalRequest is the text for which the server computed the signature, if the error is
	// SignatureDoesNotMatch. Values of headers that may be secret are left out.
	CanonicalRequest string
	Received         int64 // bytes of the request's body
	Sent             int64 // bytes of the response's body
	UserAgent        string
}

// A loggedBody counts what is read of a request's body.
type loggedBody struct {
	io.ReadCloser
	n atomic.Int64
}

func (b *loggedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

// logged prepares a request for [Config.Log], and returns the function that calls it at the
// end.
func (r *request) logged() (end func(*responseWriter)) {
	log := r.server.config.Log
	if log == nil {
		return func(*responseWriter) {}
	}
	began, at := time.Now(), r.server.now()
	received := &loggedBody{ReadCloser: r.in.Body}
	if r.in.Body != http.NoBody {
		r.in.Body = received
	}
	return func(w *responseWriter) {
		code, message, canonical := explain(r.failure)
		if r.fault != &noFault {
			message = strings.TrimSpace(message + " (a fault of this server selects the request)")
		}
		log(Entry{
			Time: at, Duration: time.Since(began), RequestID: r.id, RemoteAddr: r.in.RemoteAddr,
			AccessKeyID: r.caller.accessKey,
			Operation:   r.operation, Method: r.in.Method, Bucket: r.target.bucket, Key: r.target.key,
			Path: r.in.URL.EscapedPath(), Query: withoutSecrets(r.query), Message: message, CanonicalRequest: canonical,
			Status: w.status, Error: code, Received: received.n.Load(), Sent: w.sent, UserAgent: r.in.UserAgent(),
		})
	}
}

// plainHeaders are the signed headers without secrets that most often make a signature fail.
var plainHeaders = []string{
	"content-encoding", "content-length", "content-md5", "content-type", "date", "host", "range",
	"x-amz-content-sha256", "x-amz-date", "x-amz-decoded-content-length",
}

// hidden replaces a text that may be secret.
const hidden = "(hidden)"

// explain returns the code and message of an error, with the element that says which check failed. If a
// signature is wrong, it also returns the canonical request. None of these has a secret. e may be nil.
func explain(e *s3error.Error) (code, message, canonical string) {
	if e == nil {
		return "", "", ""
	}
	message = e.Message
	// S3 says which condition of a form's policy failed, with its value.
	if before, condition, found := strings.Cut(message, "Condition"); found &&
		len(withoutSecrets(url.Values{condition: nil})) == 0 {
		message = before + "Condition " + hidden
	}
	for i := 0; i+1 < len(e.Fields); i += 2 {
		switch name, value := e.Fields[i], e.Fields[i+1]; name {
		case "CanonicalRequest":
			canonical = hideSecrets(value)
		case "AWSAccessKeyId",
			"ArgumentName",
			"Condition",
			"Expires",
			"HeadersNotSigned",
			"Region",
			"RequestTime",
			"ServerTime":
			message += " (" + name + ": " + value + ")"
		}
	}
	if e.Err != nil && e.Status != http.StatusNotFound {
		message += " (" + redact.Secrets(e.Err.Error()) + ")"
	}
	return e.Code, message, canonical
}

// hideSecrets replaces the values in a canonical request that may be secret: those of most headers, and of
// tokens in the query. A canonical request has one line each for method, path and query, and then one for
// each header.
func hideSecrets(canonical string) string {
	lines := strings.Split(canonical, "\n")
	for i, line := range lines {
		name, _, isHeader := strings.Cut(line, ":")
		switch {
		case i == 2:
			parameters := strings.Split(line, "&")
			for j, p := range parameters {
				name, _, _ := strings.Cut(p, "=")
				plain, err := url.QueryUnescape(name)
				if err != nil || len(withoutSecrets(url.Values{plain: nil})) == 0 {
					parameters[j] = name + "=" + hidden
				}
			}
			lines[i] = strings.Join(parameters, "&")
		case i > 2 && isHeader && !slices.Contains(plainHeaders, name):
			lines[i] = name + ":" + hidden
		}
	}
	return strings.Join(lines, "\n")
}
