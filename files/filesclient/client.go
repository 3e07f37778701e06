// Package filesclient speaks to a files.Handler: each operation of its OpenAPI
// description is a method, and UploadLarge sends a file of any size in parts, at
// once, again where one failed.
//
//	client, err := filesclient.New("https://example.com/api", httpClient)
//	record, err := client.Upload(ctx, "invoice.pdf", body, "invoices")
//
// Who asks is a matter of the http.Client: a transport that adds a token, or a
// cookie jar.
package filesclient

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/internal/ctxtime"
)

// A Client asks one handler. It is safe for concurrent use.
type Client struct {
	base   *url.URL
	client *http.Client
	wait   func(ctx context.Context, d time.Duration) error
	jitter func(max time.Duration) time.Duration
}

// New is a client of the handler that is mounted at baseURL; nil is
// http.DefaultClient. It follows a redirect as client does, but none that would
// make another request of it, such as a GET of an upload. InvalidArgument (of
// storage) where baseURL is no http or https address. It makes no request.
func New(baseURL string, client *http.Client) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(baseURL, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.Fragment != "" {
		return nil, &storage.Error{
			Code: storage.InvalidArgument, Op: "filesclient.New",
			Hint: "the base address is one such as https://example.com/api, without a query",
		}
	}
	if client == nil {
		client = http.DefaultClient
	}
	return &Client{base: base, client: keepingMethod(client), wait: ctxtime.Sleep, jitter: rand.N[time.Duration]}, nil
}

// maxRedirects is net/http's own bound.
const maxRedirects = 10

// keepingMethod is a client that follows redirects where they keep the method: 301,
// 302 and 303 turn an upload or a deletion into a GET, which succeeds and has done
// nothing. The caller's own stays as it is.
func keepingMethod(client *http.Client) *http.Client {
	own := *client
	own.CheckRedirect = func(next *http.Request, before []*http.Request) error {
		switch {
		case next.Method != before[0].Method:
			return http.ErrUseLastResponse // which is no answer of the API
		case client.CheckRedirect != nil:
			return client.CheckRedirect(next, before)
		case len(before) >= maxRedirects:
			return errors.New("stopped after " + strconv.Itoa(maxRedirects) + " redirects")
		}
		return nil
	}
	return &own
}

// A request is one to the handler. path is relative to the base, and escaped.
type request struct {
	method, path string
	query        url.Values
	header       http.Header
	body         io.Reader
	length       int64 // of body; -1: not known
	success      []int // the statuses of an answer that is none of an error
}

// do answers with a response of the request's success. Its body is the caller's to
// close.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	address := *c.base
	address.RawQuery = r.query.Encode()
	made, err := http.NewRequestWithContext(ctx, r.method, address.JoinPath(r.path).String(), r.body)
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		made.ContentLength = r.length
	}
	for name, values := range r.header {
		made.Header[name] = values
	}
	response, err := c.client.Do(made)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(r.success, response.StatusCode) {
		defer func() { _ = response.Body.Close() }()
		return nil, readError(response)
	}
	return response, nil
}

// maxAnswer bounds what is read of a JSON answer: a page of records with names
// as long as they may be.
const maxAnswer = 32 << 20

// An answer is a document that tells whether it is one of the operation's own. A
// 200 may be a page to sign in at, or another server's.
type answer interface{ ours() bool }

// ask reads the JSON answer into to, where that is not nil.
func (c *Client) ask(ctx context.Context, r request, to answer) error {
	response, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if to == nil {
		return nil
	}
	return read(response, to)
}

func read(response *http.Response, to answer) error {
	document, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if json.Unmarshal(document, to) != nil || !to.ours() {
		return notOurs(response)
	}
	return nil
}

// An Error is an answer that says no. files.CodeOf and errors.As find the
// *files.Error in it, with the code, the field, the words for a person, and of
// files.Completed the record. errors.Is finds its storage.Code, as it does in the
// errors of files.Store: storage.ObjectNotFound for a file that is not there.
type Error struct {
	Status     int // of HTTP
	RequestID  string
	RetryAfter time.Duration // how long the server asks to wait; 0: it did not say
	Err        *files.Error
}

// Error is for logs.
func (e *Error) Error() string {
	text := "filesclient: " + http.StatusText(e.Status) + ": " + e.Err.Error()
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// Unwrap is Err.
func (e *Error) Unwrap() error { return e.Err }

// notOurs is the error of an answer that the handler cannot have made: a proxy's, or
// another server's.
func notOurs(response *http.Response) *Error {
	return errorOf(response, &files.Error{Code: files.Internal, Message: "The answer is not one of the file API."})
}

const maxProblem = 64 << 10

func readError(response *http.Response) *Error {
	var p struct {
		Code    files.Code    `json:"code"`
		Field   string        `json:"field"`
		Message string        `json:"message"`
		Record  *files.Record `json:"record"`
	}
	document, err := io.ReadAll(io.LimitReader(response.Body, maxProblem))
	if err = errors.Join(err, json.Unmarshal(document, &p)); err != nil || p.Code == "" || response.StatusCode < http.StatusBadRequest {
		return notOurs(response)
	}
	return errorOf(response, &files.Error{Code: p.Code, Field: p.Field, Message: p.Message, Record: p.Record})
}

func errorOf(response *http.Response, told *files.Error) *Error {
	if told.Err == nil {
		told.Err = told.Code.Storage()
	}
	e := &Error{Status: response.StatusCode, RequestID: response.Header.Get("X-Request-Id"), Err: told}
	if wait, err := time.ParseDuration(response.Header.Get("Retry-After") + "s"); err == nil {
		e.RetryAfter = max(0, wait)
	}
	return e
}
