// Package rawclient sends S3's requests that carry an object, a part or attributes, without the
// SDK. The SDK's middleware takes several times as long as all the rest of a small request. A
// [Client] sends what the SDK sends, without the headers that describe the SDK. The SDK reads every
// response that is not a success, and so its errors are the same.
package rawclient

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// A Client sends requests for the objects of one bucket. It ignores the fields of the SDK's inputs
// that the driver of package s3 never sets.
type Client struct {
	SDK       *awss3.Client // reads the responses that are not a success
	Transport *transport.Transport

	URL  *url.URL // URL of the bucket
	Host string   // in the form that is signed: without the scheme's default port
	Path string   // path of the bucket, escaped: "" or "/bucket"

	Region      string
	Credentials aws.CredentialsProvider // nil if requests are anonymous
	Keys        *signature.Keys
	Now         func() time.Time

	Payer            string // value of the header X-Amz-Request-Payer, or ""
	Owner            string // value of the header X-Amz-Expected-Bucket-Owner, or ""
	UnsignedEncoding bool   // true if Accept-Encoding is "gzip" and not part of the signature

	// ContentMD5 returns the value of the header Content-MD5 for a body. It is nil if bodies are
	// sent without their MD5.
	ContentMD5 func(ctx context.Context, body io.Reader, size int64) (string, error)
	// See is called with each response.
	See func(*http.Response)
	// Check returns an error for a successful response that does not come from an S3 server.
	Check func(response *http.Response) error
}

type request struct {
	method, key string
	query       string // escaped, sorted by name
	header      header
	body        io.Reader
	size        int64
	sha256      string
}

// A header is an http.Header in which each name has one value. All values are in one slice, to save
// allocations.
type header struct {
	http.Header
	values []string
}

const headerCapacity = 8 // enough for a request without metadata

func newHeader() header {
	return header{make(http.Header, headerCapacity), make([]string, 0, headerCapacity)}
}

// set sets a header. The name must be in the form of http.CanonicalHeaderKey.
func (h *header) set(name, value string) {
	h.values = append(h.values, value)
	end := len(h.values)
	h.Header[name] = h.values[end-1 : end : end]
}

// setOptional sets a header if value is not nil.
func (h *header) setOptional(name string, value *string) {
	if value != nil {
		h.set(name, *value)
	}
}

// sendBody sends a request whose body is the content of an object, with an MD5 if the server needs
// one. Its results are those of send.
func (c *Client) sendBody(ctx context.Context, r *request) (response *http.Response, fail *failure, err error) {
	if c.ContentMD5 != nil {
		sum, err := c.ContentMD5(ctx, r.body, r.size)
		if err != nil {
			return nil, nil, err
		}
		r.header.set("Content-Md5", sum)
	}
	return c.send(ctx, r)
}

// send sends the request. The caller must check the results in this order:
//
//   - If err is not nil, the request was not sent, or the response is not from an S3 server.
//   - If fail is not nil, the server sent an error, or no response. The caller must then call the
//     SDK with the option fail.replay, with which the SDK sends nothing and returns its error.
//   - Otherwise the response is a success.
func (c *Client) send(ctx context.Context, r *request) (response *http.Response, fail *failure, err error) {
	path := c.Path + "/" + escape.Path(r.key)
	if err := c.authorize(ctx, r, path); err != nil {
		return nil, nil, err
	}

	// A failure without a response is also for the SDK.
	response, err = c.Transport.Send(ctx, c.httpRequest(r, path))
	if err != nil {
		return nil, &failure{err: err}, nil
	}
	c.See(response)
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, &failure{response: response}, nil
	}
	if err := c.Check(response); err != nil {
		_ = response.Body.Close()
		return nil, nil, err
	}

	// S3 may send the error of a write after status 200.
	if r.method == http.MethodPut {
		return response, lateError(response), nil
	}
	return response, nil, nil
}

// httpRequest returns the request in the form of net/http. path is the escaped path of the object,
// which was signed.
func (c *Client) httpRequest(r *request, path string) *http.Request {
	u := &url.URL{Scheme: c.URL.Scheme, Host: c.URL.Host, Path: path, RawQuery: r.query}
	escapedKey := strings.TrimPrefix(path[len(c.Path):], "/")
	if escapedKey != r.key {
		// RawPath keeps the escapes of the signed path, which url.URL might write in another way.
		u.Path = c.Path + "/" + r.key
		u.RawPath = path
	}

	req := &http.Request{
		Method:        r.method,
		URL:           u,
		Host:          c.Host,
		Header:        r.header.Header,
		ContentLength: r.size,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
	}
	if r.size != 0 && r.body != nil {
		// The transport must not close the body, which the engine may read again.
		req.Body = io.NopCloser(r.body)
	}
	return req
}

// minExpectSize is the size in bytes from which a body waits for the server's
// "100 Continue", as in the SDK.
const minExpectSize = 2 << 20

// authorize signs the request with all of its headers, and then adds those that are not signed.
func (c *Client) authorize(ctx context.Context, r *request, path string) error {
	const encoding = "Accept-Encoding"
	h := &r.header

	// Set the headers that the signature covers.
	h.set("X-Amz-Content-Sha256", r.sha256)
	if c.Payer != "" {
		h.set(PayerHeader, c.Payer)
	}
	if c.Owner != "" {
		h.set(OwnerHeader, c.Owner)
	}
	if !c.UnsignedEncoding {
		h.set(encoding, "identity")
	}

	// Anonymous requests have no signature.
	if c.Credentials != nil {
		if err := c.sign(ctx, r, path); err != nil {
			return err
		}
	}

	// Add the headers that are not signed.
	h.set("User-Agent", "omnibucket")
	isLambda := os.Getenv("AWS_LAMBDA_FUNCTION_NAME") != ""
	if trace := os.Getenv("_X_AMZN_TRACE_ID"); trace != "" && isLambda {
		// A write of a Lambda function may trigger the same function again. AWS uses this header to
		// stop such an endless loop.
		h.set("X-Amzn-Trace-Id", trace)
	}
	if r.body != nil && r.size >= minExpectSize {
		h.set("Expect", "100-continue")
	}
	if c.UnsignedEncoding {
		// With gzip, the server does not decompress stored content.
		h.set(encoding, "gzip")
	}
	return nil
}

// sign adds the signature of the request, which covers all headers that are set, and the headers
// that the signature needs.
func (c *Client) sign(ctx context.Context, r *request, path string) error {
	credentials, err := c.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	t := c.Now()
	h := &r.header
	h.set("X-Amz-Date", t.Format(signature.TimeFormat))
	if credentials.SessionToken != "" {
		h.set("X-Amz-Security-Token", credentials.SessionToken)
	}

	key := c.Keys.Get(&credentials, c.Region, t)
	h.set("Authorization", key.Authorization(&signature.Request{
		Method: r.method,
		Host:   c.Host,
		Path:   path,
		Query:  r.query,
		Header: h.Header,
		Length: r.size,
		SHA256: r.sha256,
		At:     t,
	}))
	return nil
}

// lateError returns a failure if a response with status 200 to a write has a body. S3 sends errors
// in this way, and the results of a write in the header. Without a body, lateError closes the
// response and returns nil.
func lateError(response *http.Response) *failure {
	if response.Body == http.NoBody {
		return nil
	}
	// Only a read shows whether there is a body.
	firstByte := make([]byte, 1)
	n, err := io.ReadFull(response.Body, firstByte)
	isEmpty := n == 0 && err == io.EOF
	if isEmpty {
		_ = response.Body.Close()
		return nil
	}

	// Put the first byte back before the rest.
	rest := response.Body
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(firstByte[:n]), rest), rest}
	return &failure{response: response}
}

// A failure is an HTTP client for the SDK. It sends no request. It returns the response or the
// error that a Client has received. From this, the SDK makes its own output or error.
type failure struct {
	response *http.Response
	err      error
}

// Do returns the response that the client already received. It sends no request.
func (f *failure) Do(*http.Request) (*http.Response, error) { return f.response, f.err }

// replay is an option that makes the SDK read f instead of signing and sending a request.
func (f *failure) replay(o *awss3.Options) {
	o.HTTPClient = f
	o.Credentials = nil
}
