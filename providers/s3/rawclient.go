package s3

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage/internal/urlpath"
)

// objectAPI has the requests that carry an object, a part or attributes. A rawClient
// sends them without the SDK, and an sdkClient with it.
type objectAPI interface {
	PutObject(context.Context, *awss3.PutObjectInput, ...func(*awss3.Options)) (*awss3.PutObjectOutput, error)
	UploadPart(context.Context, *awss3.UploadPartInput, ...func(*awss3.Options)) (*awss3.UploadPartOutput, error)
	GetObject(context.Context, *awss3.GetObjectInput, ...func(*awss3.Options)) (*awss3.GetObjectOutput, error)
	// HeadObject returns the output of GetObject without a body.
	HeadObject(context.Context, *awss3.HeadObjectInput, ...func(*awss3.Options)) (*awss3.GetObjectOutput, error)
}

// A rawClient sends object requests without the SDK. The SDK's middleware takes
// several times as long as all the rest of a small request. A rawClient knows only the
// fields that this package sets. It sends what the SDK sends, without the headers that
// describe the SDK. The SDK reads every response that is not a success.
type rawClient struct {
	account *account
	bucket  *bucketEndpoint
}

// objectAPI returns a rawClient if it is known to behave like the SDK's client for requests with
// these options.
func (b *bucket) objectAPI(ctx context.Context, native ...any) objectAPI {
	if b.account.rawTransport == nil || hasFunctions(native) {
		return sdkClient{b.account.client}
	}
	endpoint, err := b.endpoint(ctx, "")
	if err != nil || !endpoint.raw { // the SDK reports an invalid address
		return sdkClient{b.account.client}
	}
	return &rawClient{b.account, endpoint}
}

// canUseRawClient reports whether a rawClient can do what the SDK would. The user's
// settings must change nothing between the SDK and the network.
func canUseRawClient(c Config, s *awss3.Options) bool {
	//lint:ignore SA1019 a configuration may still have one
	resolver := s.EndpointResolver
	switch {
	case c.Client != nil, c.AWS != nil && len(c.AWS.ServiceOptions) > 0: // they may have changed anything
		return false
	case len(s.APIOptions) > 0, resolver != nil, s.ClientLogMode != 0: // a rawClient does not log
		return false
	}
	for _, interceptors := range reflect.ValueOf(s.Interceptors).Fields() {
		if interceptors.Len() > 0 {
			return false
		}
	}
	return len(s.AuthSchemePreference) == 0 && s.AppID == "" && !s.DisableClockSkewCorrection
}

// A rawRequest is one request of a rawClient.
type rawRequest struct {
	method, key string
	query       string // escaped, sorted by name
	header      rawHeader
	body        io.Reader
	size        int64
	sha256      string
}

// A rawHeader is a header in which each name has one value.
type rawHeader struct {
	http.Header
	values []string
}

const headerCapacity = 8 // for a request without metadata

func newRawHeader() rawHeader {
	return rawHeader{make(http.Header, headerCapacity), make([]string, 0, headerCapacity)}
}

// set sets a header. The name must be in the form of http.CanonicalHeaderKey.
func (h *rawHeader) set(name, value string) {
	h.values = append(h.values, value)
	end := len(h.values)
	h.Header[name] = h.values[end-1 : end : end]
}

// setOptional sets a header if value is not nil.
func (h *rawHeader) setOptional(name string, value *string) {
	if value != nil {
		h.set(name, *value)
	}
}

// sendBody sends a request that has an object's content as the body.
func (c *rawClient) sendBody(ctx context.Context, r *rawRequest) (response *http.Response, failed *rawResponse, err error) {
	if c.account.sendsMD5(c.bucket) {
		if err := r.setMD5(ctx); err != nil {
			return nil, nil, err
		}
	}
	return c.send(ctx, r)
}

// send sends the request. If there is no response, or one that is not a success,
// failed is what the SDK must read. If the request was not sent, it returns err.
func (c *rawClient) send(ctx context.Context, r *rawRequest) (response *http.Response, failed *rawResponse, err error) {
	escaped := urlpath.Escape(r.key)
	base := c.bucket.url
	path := c.bucket.path + "/" + escaped
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: path, RawQuery: r.query}
	if escaped != r.key {
		u.Path, u.RawPath = c.bucket.path+"/"+r.key, path
	}
	if err := c.authorize(ctx, r, path); err != nil {
		return nil, nil, err
	}
	request := &http.Request{
		Method: r.method, URL: u, Host: c.bucket.host, Header: r.header.Header, ContentLength: r.size,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if r.size != 0 && r.body != nil {
		request.Body = io.NopCloser(r.body) // the core owns it, and may read it again
	}
	response, err = c.account.rawTransport.Send(ctx, request)
	if err != nil {
		return nil, &rawResponse{err: err}, nil
	}
	c.account.server.see(response.Header)
	c.account.clock.see(response)
	if !isSuccess(response.StatusCode) {
		return nil, &rawResponse{response: response}, nil
	}
	if !hasEvidence(response) {
		_ = response.Body.Close()
		return nil, nil, noEvidence(r.method == http.MethodPut)
	}
	if r.method == http.MethodPut {
		return response, lateError(response), nil
	}
	return response, nil, nil
}

// minExpectSize is the size in bytes from which a body waits for the server's
// "100 Continue", as in the SDK.
const minExpectSize = 2 << 20

// authorize signs all headers of the request, and adds those that are not signed.
func (c *rawClient) authorize(ctx context.Context, r *rawRequest, path string) error {
	const encoding = "Accept-Encoding"
	h := &r.header
	h.set("X-Amz-Content-Sha256", r.sha256)
	if c.account.requesterPays {
		h.set(payerHeader, requester)
	}
	if c.account.expectedOwner != "" {
		h.set(ownerHeader, c.account.expectedOwner)
	}
	if !c.account.profile.UnsignedEncoding {
		h.set(encoding, "identity")
	}
	if !c.account.anonymous {
		credentials, err := c.account.credentials.Retrieve(ctx)
		if err != nil {
			return err
		}
		at := c.account.clock.time()
		h.set("X-Amz-Date", at.Format(amzTime))
		if credentials.SessionToken != "" {
			h.set("X-Amz-Security-Token", credentials.SessionToken)
		}
		h.set("Authorization", c.account.keys.get(&credentials, c.account.region, at).authorization(&signedRequest{
			method: r.method, host: c.bucket.host, path: path, query: r.query,
			header: h.Header, length: r.size, sha256: r.sha256, at: at,
		}))
	}
	h.set("User-Agent", "omnibucket")
	if trace := os.Getenv("_X_AMZN_TRACE_ID"); trace != "" && c.account.inLambda {
		h.set("X-Amzn-Trace-Id", trace) // AWS uses it to stop a function whose writes invoke it
	}
	if r.body != nil && r.size >= minExpectSize {
		h.set("Expect", "100-continue")
	}
	if c.account.profile.UnsignedEncoding {
		h.set(encoding, "gzip") // see withUnsignedEncoding
	}
	return nil
}

// lateError closes the response to a write, whose result is in its header. If the
// response has a body, that is an error which S3 sends after status 200.
func lateError(response *http.Response) *rawResponse {
	if response.Body == http.NoBody {
		return nil
	}
	start := make([]byte, 1)
	n, err := io.ReadFull(response.Body, start)
	if n == 0 && err == io.EOF {
		_ = response.Body.Close()
		return nil
	}
	rest := response.Body
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start[:n]), rest), rest}
	return &rawResponse{response: response}
}

// A rawResponse is an HTTP client that returns a response which a rawClient received.
// With it, the SDK makes the output or the error of that response.
type rawResponse struct {
	response *http.Response
	err      error
}

// Do returns the response.
func (r *rawResponse) Do(*http.Request) (*http.Response, error) { return r.response, r.err }

// replay is an option that makes the SDK read r instead of sending a request. It
// signs nothing.
func (r *rawResponse) replay(o *awss3.Options) { o.HTTPClient, o.Credentials = r, nil }
