// Package request has a request in progress: what its URL and its headers name, its caller, its body,
// its documents, and its response with the effects of a fault. Its main type is [Request], which [New]
// returns. It knows the store as [state.Store], and no operation.
package request

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/s3server/internal/events"
	"github.com/omnibucket/storage/s3server/internal/faults"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A Request is the state of one request in progress.
type Request struct {
	HTTP      *http.Request
	Server    *Server
	Writer    http.ResponseWriter
	ID        string
	Target    Target
	Operation string
	Query     url.Values
	Caller    Caller
	found     *state.Bucket   // the bucket; nil until it is looked up
	lookup    versionLookup   // version whose permissions were checked; kept until the request reads it
	Fault     *faults.Effects // has no effect if no fault applies
	body      *impatientBody
	Events    []events.Event // events that are sent when the request succeeds
	Failure   *s3error.Error // error of the response, or nil

	// In each of these channels, the request occupies a slot until it calls releaseSlots (see takeSlot). The
	// channels limit how many large documents and listings are handled at the same time.
	slots []chan struct{}
}

// New returns a request to a server. Its URL is not read yet.
func New(s *Server, w http.ResponseWriter, req *http.Request) *Request {
	return &Request{HTTP: req, Server: s, Writer: w, ID: NewID()}
}

// Open wraps the body and the response of the request. From then on, the effects of the fault apply to
// the response, and the client must send the body and read the response in time.
func (r *Request) Open() *ResponseWriter {
	r.body = &impatientBody{
		ReadCloser: r.HTTP.Body,
		control:    http.NewResponseController(r.Writer),
		idle:       r.Server.Limits.IdleTimeout,
	}
	r.HTTP.Body = r.body
	response := &ResponseWriter{ResponseWriter: r.Writer, request: r}
	r.Writer = response
	return response
}

// Release frees what the request holds at its end.
func (r *Request) Release() {
	r.releaseSlots()
	r.Server.Store.Release(r.lookup.version)
}

// ParseQuery is like [url.ParseQuery], but treats semicolons as ordinary characters, as S3 does.
func ParseQuery(raw string) (url.Values, error) {
	query := url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}

		escapedName, escapedValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(escapedName)
		if err != nil {
			return nil, s3error.New("InvalidURI")
		}
		value, err := url.QueryUnescape(escapedValue)
		if err != nil {
			return nil, s3error.New("InvalidURI")
		}
		query[name] = append(query[name], value)
	}
	return query, nil
}

// Has reports whether the request has a query parameter, with or without a value.
func (r *Request) Has(parameter string) bool {
	_, ok := r.Query[parameter]
	return ok
}

// IsTrue reports whether the value of a header is true. boto3 before version 1.38 sends "True".
func IsTrue(header http.Header, name string) bool { return strings.EqualFold(header.Get(name), "true") }

// Number returns the value of a query parameter as a number, or fallback if the parameter is missing or
// empty. It fails if the value is not an integer of at least 0.
func (r *Request) Number(parameter string, fallback int) (int, error) {
	value := r.Query.Get(parameter)
	if value == "" {
		return fallback, nil
	}

	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0, s3error.New("InvalidArgument", "ArgumentName", parameter, "ArgumentValue", value).
			WithMessage("Argument %s must be an integer between 0 and 2147483647", parameter)
	}
	return n, nil
}

// Done responds with a status and no body.
func (r *Request) Done(status int) error {
	r.Writer.WriteHeader(status)
	return nil
}

// Refuse sends the response that respond writes. If the client is still sending the body, Refuse also
// reads the rest of it, because the client could otherwise get a connection reset instead of the
// response.
func (r *Request) Refuse(respond func()) {
	const maxDrain = 64 << 20 // bytes of the body

	// A client that waits for "100 Continue" sends no body.
	isWaiting := r.HTTP.Header.Get("Expect") != "" && !r.body.read
	if isWaiting || r.Fault.DropResponse || r.body.err != nil || r.body.ReadCloser == http.NoBody {
		respond()
		return
	}
	webserver.Refuse(r.HTTP.Context(), r.Writer, r.body.ReadCloser, maxDrain, respond)
}

// Now returns the time of the server, changed by Fault.ClockSkew.
func (r *Request) Now() time.Time { return r.Server.Now().Add(r.Fault.ClockSkew) }

// NewID returns the id of a new request.
func NewID() string { return rand.Text()[:16] }
