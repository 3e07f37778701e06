// Package client is a Go client for the HTTP API of package filesapi ([filesapi.New]). It has a
// method for each operation of the OpenAPI description. [Client.UploadLarge] sends a file of any
// size in parts, several at the same time, and retries failed parts.
//
//	client, err := client.New("https://example.com/api", httpClient)
//	record, err := client.Upload(ctx, "invoice.pdf", body, "invoices")
//
// The http.Client authenticates the user, by a transport that adds a token or by a cookie jar.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// A Client sends requests to one handler. It is safe for concurrent use.
type Client struct {
	base   *url.URL
	client *http.Client
	wait   func(ctx context.Context, d time.Duration) error
	jitter func(max time.Duration) time.Duration
}

// New returns a client for the handler that is mounted at baseURL. It makes no request. If client
// is nil, it uses [http.DefaultClient]. Redirects are followed as client follows them, except
// redirects that would change the method, such as from POST to GET. If baseURL is not an http or
// https URL, New fails with storage.InvalidArgument.
func New(baseURL string, client *http.Client) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(baseURL, "/"))
	if err != nil || !isBase(base) {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "client.New",
			Hint: "give a base address such as https://example.com/api, without a query",
		}
	}
	if client == nil {
		client = http.DefaultClient
	}
	return &Client{
		base:   base,
		client: withoutMethodChange(client),
		wait:   running.Sleep,
		jitter: rand.N[time.Duration],
	}, nil
}

// isBase reports whether u is an http or https URL with a host, and without a query or fragment.
func isBase(u *url.URL) bool {
	if u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	return u.Host != "" && u.RawQuery == "" && u.Fragment == ""
}

// maxRedirects is the default limit of net/http.
const maxRedirects = 10

// withoutMethodChange returns a copy of client that follows only redirects that keep the method. Others
// would turn an upload or a deletion into a GET, which succeeds and does nothing.
func withoutMethodChange(client *http.Client) *http.Client {
	clone := *client
	clone.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if next.Method != via[0].Method {
			// Return the redirect as the response. It then becomes an error, because the API sends no redirects.
			return http.ErrUseLastResponse
		}
		if client.CheckRedirect != nil {
			return client.CheckRedirect(next, via)
		}
		if len(via) >= maxRedirects {
			return errors.New("stopped after " + strconv.Itoa(maxRedirects) + " redirects")
		}
		return nil
	}
	return &clone
}

// A request is one request to the handler. path is escaped, and relative to the base URL.
type request struct {
	method, path string
	query        url.Values
	header       http.Header
	body         io.Reader
	length       int64 // bytes of body; -1 means not known
	success      []int // the status codes that mean success
}

// do sends a request, and returns the response, which the caller must close, if its status is one of
// r.success.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	// An ID must not change the path to that of another operation.
	if !isPlainPath(r.path) {
		return nil, &uploads.Error{
			Field:   "id",
			Code:    uploads.InvalidValue,
			Message: "This is not the ID of a file.",
			Err:     storage.InvalidArgument,
		}
	}

	// Build the request.
	address := *c.base
	address.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, address.JoinPath(r.path).String(), r.body)
	if err != nil {
		return nil, err
	}

	// A length of -1 means that it is not known.
	if r.body != nil {
		req.ContentLength = r.length
	}
	maps.Copy(req.Header, r.header)

	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(r.success, resp.StatusCode) {
		defer resp.Body.Close()
		return nil, readError(resp)
	}
	return resp, nil
}

// isPlainPath reports whether no segment of a path is empty or refers to a directory.
func isPlainPath(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// maxDocument limits a JSON response, in bytes. Even a page of records with the longest names is
// shorter.
const maxDocument = 32 << 20

// doJSON sends a request, and decodes the JSON response as readJSON does.
func doJSON[T any](ctx context.Context, c *Client, r request, isValid func(T) bool) (*T, error) {
	resp, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return readJSON(resp, isValid)
}

// readJSON decodes a JSON response, and fails unless isValid accepts the value. The response may be a login page, or
// come from another server.
func readJSON[T any](resp *http.Response, isValid func(T) bool) (*T, error) {
	document, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument))
	if err != nil {
		return nil, err
	}
	var value T
	err = json.Unmarshal(document, &value)
	if err != nil || !isValid(value) {
		return nil, foreignResponse(resp)
	}
	return &value, nil
}

// isRecord reports whether a decoded response is the record of a file.
func isRecord(r filesapi.Record) bool { return r.ID != "" }

// An Error is an error response of the API. uploads.CodeOf and errors.As find its [*uploads.Error],
// which has the code, the field and a message for a person. errors.Is finds its [storage.Code],
// such as storage.ObjectNotFound for a missing file.
type Error struct {
	Status    int // the HTTP status
	RequestID string
	// how long the server asks the client to wait before it tries again; 0 if the server does not
	// say
	RetryAfter time.Duration
	Err        *uploads.Error
	Record     *filesapi.Record // set only if the code is uploads.Completed, and nil if the file has been deleted since
}

// Error returns a text for logs.
func (e *Error) Error() string {
	text := "uploads/client: " + http.StatusText(e.Status) + ": " + e.Err.Error()
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// foreignResponse returns the error for a response that the handler cannot have sent, such as an
// error page of a proxy.
func foreignResponse(resp *http.Response) *Error {
	p := problem{Code: uploads.Internal, Message: "The response is not one of the file API."}
	return newError(resp, p.uploadsError())
}

// maxProblem limits the JSON of an error, in bytes.
const maxProblem = 64 << 10

// A problem is the JSON of an error.
type problem struct {
	Code    uploads.Code     `json:"code"`
	Field   string           `json:"field"`
	Message string           `json:"message"`
	Record  *filesapi.Record `json:"record"`
}

// uploadsError returns the error of package uploads that the server has sent.
func (p *problem) uploadsError() *uploads.Error {
	return &uploads.Error{Code: p.Code, Field: p.Field, Message: p.Message, Err: p.Code.Storage()}
}

// headCodes maps the status of a response to HEAD to its code, because such a response has no body
// with the code.
var headCodes = map[int]uploads.Code{
	http.StatusBadRequest:         uploads.InvalidValue,
	http.StatusUnauthorized:       uploads.Unauthenticated,
	http.StatusForbidden:          uploads.NotAllowed,
	http.StatusNotFound:           uploads.NotFound,
	http.StatusServiceUnavailable: uploads.StoreFailed,
}

// readError returns the error that a response describes.
func readError(resp *http.Response) *Error {
	p, err := readProblem(resp)
	if err != nil || p.Code == "" || resp.StatusCode < http.StatusBadRequest {
		return foreignResponse(resp)
	}
	respErr := newError(resp, p.uploadsError())
	respErr.Record = p.Record
	return respErr
}

// readProblem decodes the body of an error response or, for HEAD, makes a problem of its status.
func readProblem(resp *http.Response) (problem, error) {
	isJSON := resp.Header.Get("Content-Type") == "application/json"
	if resp.Request.Method == http.MethodHead && isJSON {
		return problem{
			Code:    headCodes[resp.StatusCode],
			Message: http.StatusText(resp.StatusCode),
		}, nil
	}

	document, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil {
		return problem{}, err
	}
	var p problem
	err = json.Unmarshal(document, &p)
	return p, err
}

// newError returns an Error with err and with the status and the headers of a response.
func newError(resp *http.Response, err *uploads.Error) *Error {
	return &Error{
		Status:     resp.StatusCode,
		RequestID:  resp.Header.Get("X-Request-Id"),
		RetryAfter: retryAfter(resp),
		Err:        err,
	}
}

// retryAfter returns the time in the header Retry-After, or 0 if it has none in seconds.
func retryAfter(resp *http.Response) time.Duration {
	seconds := resp.Header.Get("Retry-After")
	wait, err := time.ParseDuration(seconds + "s")
	if err != nil {
		return 0
	}
	return max(0, wait)
}
