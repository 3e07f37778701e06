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
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// A Request describes a request that the server has received. Tests can check what a client has
// sent.
type Request struct {
	Operation string      `json:"operation"` // AWS's name of the operation, or "Unknown"
	Method    string      `json:"method"`
	Host      string      `json:"host"`
	Path      string      `json:"path"` // path as the client sent it
	Bucket    string      `json:"bucket,omitempty"`
	Key       string      `json:"key,omitempty"`
	Query     url.Values  `json:"query,omitempty"`
	Header    http.Header `json:"header,omitempty"`
	Trailers  bool        `json:"-"`      // true if a checksum follows the body
	Status    int         `json:"status"` // 0 before the response, or if there was none
}

// A recorder counts requests and keeps the latest ones.
type recorder struct {
	limit    int // maximum number of kept requests
	inFlight atomic.Int64

	mu     sync.Mutex
	latest []*Request // the latest requests; the first is the oldest
	counts map[string]int
	total  int
}

// begin counts a request, and returns the description that it keeps for [Handler.Requests], or nil if
// the server keeps none.
func (c *recorder) begin(r *request.Request) *Request {
	c.inFlight.Add(1)

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}

	// Counts have no limit, unlike the descriptions.
	c.counts[r.Operation]++
	c.total++
	if c.limit <= 0 {
		return nil
	}

	req := &Request{
		Operation: r.Operation,
		Method:    r.HTTP.Method,
		Host:      r.HTTP.Host,
		Path:      r.HTTP.URL.EscapedPath(),
		Bucket:    r.Target.Bucket,
		Key:       r.Target.Key,
		Query:     maps.Clone(r.Query),
		Header:    r.HTTP.Header.Clone(),
		Trailers:  r.HTTP.Header.Get("X-Amz-Trailer") != "",
	}
	isFull := len(c.latest) == c.limit
	if isFull {
		// The memory of the oldest request is freed later, when append moves the others to a new array.
		c.latest = c.latest[1:]
	}
	c.latest = append(c.latest, req)
	return req
}

// end counts the end of a request, and records its status in req, the description that begin has
// returned. req is nil if the server records no descriptions.
func (c *recorder) end(req *Request, status int) {
	c.inFlight.Add(-1)
	if req == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	req.Status = status
}

// Requests returns the latest requests since the last [Handler.Reset], in the order of their arrival
// and at most Config.Record of them.
func (h *Handler) Requests() []Request {
	c := &h.recorder
	c.mu.Lock()
	defer c.mu.Unlock()

	requests := make([]Request, 0, len(c.latest))
	for _, r := range c.latest {
		requests = append(requests, *r)
	}
	return requests
}

// Count returns the number of requests of an operation since the start or the last [Handler.Reset].
// If operation is "", it counts the requests of all operations. The count includes requests that
// are too old for [Handler.Requests].
func (h *Handler) Count(operation string) int {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	if operation == "" {
		return h.recorder.total
	}
	return h.recorder.counts[operation]
}

// counts returns the result of Count for each operation.
func (h *Handler) counts() map[string]int {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	return maps.Clone(h.recorder.counts)
}

// Busy returns the number of requests in progress.
func (h *Handler) Busy() int { return int(h.recorder.inFlight.Load()) }

// Reset removes the recorded requests and sets all counts to 0.
func (h *Handler) Reset() {
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	h.recorder.latest = nil
	h.recorder.counts = nil
	h.recorder.total = 0
}

// An Entry describes a request and its response, for logs, metrics and consoles. It has no
// signatures, tokens or keys.
type Entry struct {
	Time        time.Time // time at which the request arrived
	Duration    time.Duration
	RequestID   string // value of x-amz-request-id
	RemoteAddr  string
	AccessKeyID string // access key, if the signature was valid
	Operation   string // AWS's name of the operation, or "Unknown"
	Method      string
	Path        string     // path as the client sent it
	Query       url.Values // without signatures, tokens and keys
	Bucket, Key string
	Status      int    // 0 means that the connection was closed without a response
	Error       string // S3's error code, or ""
	Message     string // S3's message, the error of the store, and a note if a [Fault] applied
	// CanonicalRequest is the text for which the server computed the signature. It is set if Error
	// is SignatureDoesNotMatch. Values of headers that may be secret are hidden.
	CanonicalRequest string
	Received         int64 // bytes of the request body
	Sent             int64 // bytes of the response body
	UserAgent        string
}

// A loggedBody counts the bytes that are read from the body of a request.
type loggedBody struct {
	io.ReadCloser
	n atomic.Int64
}

func (b *loggedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

// A requestLog has the beginning of a request that [Config.Log] will receive at its end.
type requestLog struct {
	request    *request.Request
	body       *loggedBody
	start      time.Time
	serverTime time.Time // start by the server's own clock
}

// beginLog begins to log a request, and counts the bytes of its body. It returns nil if there is no [Config.Log].
func (h *Handler) beginLog(r *request.Request) *requestLog {
	if h.config.Log == nil {
		return nil
	}

	body := &loggedBody{ReadCloser: r.HTTP.Body}
	if r.HTTP.Body != http.NoBody {
		r.HTTP.Body = body
	}
	return &requestLog{request: r, body: body, start: time.Now(), serverTime: h.server.Now()}
}

// entry returns the log's entry of a request that has ended with the response w. hasFault is true if a fault has
// selected the request.
func (l *requestLog) entry(w *request.ResponseWriter, hasFault bool) Entry {
	r := l.request
	code, message, canonical := explain(r.Failure)
	if hasFault {
		message = strings.TrimSpace(message + " (a fault of this server selects the request)")
	}
	return Entry{
		Time:             l.serverTime,
		Duration:         time.Since(l.start),
		RequestID:        r.ID,
		RemoteAddr:       r.HTTP.RemoteAddr,
		AccessKeyID:      r.Caller.AccessKey,
		Operation:        r.Operation,
		Method:           r.HTTP.Method,
		Bucket:           r.Target.Bucket,
		Key:              r.Target.Key,
		Path:             r.HTTP.URL.EscapedPath(),
		Query:            withoutSecrets(r.Query),
		Message:          message,
		CanonicalRequest: canonical,
		Status:           w.Status,
		Error:            code,
		Received:         l.body.n.Load(),
		Sent:             w.BytesSent,
		UserAgent:        r.HTTP.UserAgent(),
	}
}

// plainHeaders has the headers whose values the log may show: they have no secrets, and often are
// the reason of a wrong signature.
var plainHeaders = []string{
	"content-encoding", "content-length", "content-md5", "content-type", "date", "host", "range",
	"x-amz-content-sha256", "x-amz-date", "x-amz-decoded-content-length",
}

// hidden replaces a text that may be secret.
const hidden = "(hidden)"

// explain returns the code of an error, its message with details of the error response, and the
// canonical request if a signature is wrong. The results contain no secrets. err may be nil.
func explain(err *s3error.Error) (code, message, canonical string) {
	if err == nil {
		return "", "", ""
	}
	message = withoutSecretCondition(err.Message)

	// Fields has names and values, alternating.
	for i := 0; i+1 < len(err.Fields); i += 2 {
		name := err.Fields[i]
		value := err.Fields[i+1]
		switch name {
		case "CanonicalRequest":
			canonical = hideSecrets(value)
		case "AWSAccessKeyId", "ArgumentName", "Condition", "Expires", "HeadersNotSigned", "Region", "RequestTime",
			"ServerTime":
			message += " (" + name + ": " + value + ")"
		}
	}

	// The cause of a 404 adds nothing to its message.
	if err.Err != nil && err.Status != http.StatusNotFound {
		message += " (" + redact.Secrets(err.Err.Error()) + ")"
	}
	return err.Code, message, canonical
}

// withoutSecretCondition returns the message of an error without the failed condition of a form's policy, if the
// condition has a value that may be secret.
func withoutSecretCondition(message string) string {
	prefix, condition, hasCondition := strings.Cut(message, "Condition")
	if hasCondition && isSecret(condition) {
		return prefix + "Condition " + hidden
	}
	return message
}

// hideSecrets returns a canonical request without the values that may be secret, which are those of
// most headers and the tokens in the query.
func hideSecrets(canonical string) string {
	// The lines are the method, the path, the query, and then each header.
	const queryLine = 2
	lines := strings.Split(canonical, "\n")
	for i, line := range lines {
		if i < queryLine {
			continue
		}
		if i == queryLine {
			lines[i] = hideParameters(line)
			continue
		}
		name, _, isHeader := strings.Cut(line, ":")
		if isHeader && !slices.Contains(plainHeaders, name) {
			lines[i] = name + ":" + hidden
		}
	}
	return strings.Join(lines, "\n")
}

// hideParameters returns a query with its secret values replaced. A name that cannot be decoded may be
// that of a secret.
func hideParameters(query string) string {
	parameters := strings.Split(query, "&")
	for i, parameter := range parameters {
		escapedName, _, _ := strings.Cut(parameter, "=")
		name, err := url.QueryUnescape(escapedName)
		if err != nil || isSecret(name) {
			parameters[i] = escapedName + "=" + hidden
		}
	}
	return strings.Join(parameters, "&")
}
