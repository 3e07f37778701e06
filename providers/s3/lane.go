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

// objectCalls are the SDK's calls that carry an object, a part, or attributes.
type objectCalls interface {
	PutObject(context.Context, *awss3.PutObjectInput, ...func(*awss3.Options)) (*awss3.PutObjectOutput, error)
	UploadPart(context.Context, *awss3.UploadPartInput, ...func(*awss3.Options)) (*awss3.UploadPartOutput, error)
	GetObject(context.Context, *awss3.GetObjectInput, ...func(*awss3.Options)) (*awss3.GetObjectOutput, error)
	HeadObject(context.Context, *awss3.HeadObjectInput, ...func(*awss3.Options)) (*awss3.HeadObjectOutput, error)
}

// A lane makes the SDK's requests without the SDK, whose middleware takes
// several times as long as all else that a small object costs. It knows the
// fields that this package sets, and sends what the SDK sends but for the
// headers in which the SDK speaks of itself. Whatever is not an answer of
// success the SDK reads, as if it had asked.
type lane struct {
	*account
	at *place
}

var (
	_ objectCalls = (*awss3.Client)(nil)
	_ objectCalls = (*lane)(nil)
)

// objects are by the lane, where that is known to be the same.
func (d *driver) objects(ctx context.Context) objectCalls {
	if d.direct == nil {
		return d.client
	}
	at, err := d.placeAt(ctx, "")
	if err != nil || !at.usual { // the SDK has its own words for an address that makes no sense
		return d.client
	}
	return &lane{d.account, at}
}

// isUsual reports whether nothing of the user's stands between the SDK and the
// wire, and nothing is asked of the SDK that the lane does not know.
func isUsual(c Config, s *awss3.Options) bool {
	//lint:ignore SA1019 a configuration may have one all the same
	resolver := s.EndpointResolver
	switch {
	case c.Client != nil, c.AWS != nil && len(c.AWS.ServiceOptions) > 0: // which may have changed anything
		return false
	case len(s.APIOptions) > 0, resolver != nil, s.ClientLogMode != 0: // the lane logs nothing
		return false
	}
	for _, interceptors := range reflect.ValueOf(s.Interceptors).Fields() {
		if interceptors.Len() > 0 {
			return false
		}
	}
	return len(s.AuthSchemePreference) == 0 && s.AppID == "" && !s.DisableClockSkewCorrection
}

// A laneCall is one request of the lane's.
type laneCall struct {
	method, key string
	query       string // in the order of its names, escaped
	head        head
	body        io.Reader
	size        int64
	sha256      string
}

// A head is a request's header, in which a name has one value.
type head struct {
	http.Header
	values []string
}

const usualHeaders = 8 // in a request without metadata

func newHead() head {
	return head{make(http.Header, usualHeaders), make([]string, 0, usualHeaders)}
}

// put sets a header. The name is in the form of http.CanonicalHeaderKey.
func (h *head) put(name, value string) {
	h.values = append(h.values, value)
	end := len(h.values)
	h.Header[name] = h.values[end-1 : end : end]
}

// maybe sets a header that has a value.
func (h *head) maybe(name string, value *string) {
	if value != nil {
		h.put(name, *value)
	}
}

// do makes the request. Of an answer that is no success, and of none, failed
// is what the SDK has to read. Err is for a request that was not made.
func (l *lane) do(ctx context.Context, c *laneCall) (response *http.Response, failed *laneAnswer, err error) {
	escaped := urlpath.Escape(c.key)
	path := l.at.path + "/" + escaped
	u := &url.URL{Scheme: l.at.address.Scheme, Host: l.at.address.Host, Path: path, RawQuery: c.query}
	if escaped != c.key {
		u.Path, u.RawPath = l.at.path+"/"+c.key, path
	}
	if err := l.authorize(ctx, c, path); err != nil {
		return nil, nil, err
	}
	request := &http.Request{
		Method: c.method, URL: u, Host: l.at.host, Header: c.head.Header, ContentLength: c.size,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if c.size != 0 && c.body != nil {
		request.Body = io.NopCloser(c.body) // it is the core's, and read again
	}
	response, err = l.direct.Send(ctx, request)
	if err != nil {
		return nil, &laneAnswer{err: err}, nil
	}
	if l.clock.wants(response.StatusCode) {
		l.clock.learn(response)
	}
	if response.StatusCode < 200 || response.StatusCode >= 300 {
		return nil, &laneAnswer{response: response}, nil
	}
	return response, nil, nil
}

// expectFrom is the size from which a body waits for the server's word, as the
// SDK has it.
const expectFrom = 2 << 20 // bytes

// authorize signs all that is in the head, and adds what is not to be signed.
func (l *lane) authorize(ctx context.Context, c *laneCall, path string) error {
	const encoding = "Accept-Encoding"
	h := &c.head
	h.put("X-Amz-Content-Sha256", c.sha256)
	if l.payer {
		h.put(payerHeader, requester)
	}
	if !l.profile.UnsignedEncoding {
		h.put(encoding, "identity")
	}
	if !l.anonymous {
		credentials, err := l.credentials.Retrieve(ctx)
		if err != nil {
			return err
		}
		at := l.clock.time()
		h.put("X-Amz-Date", at.Format(amzTime))
		if credentials.SessionToken != "" {
			h.put("X-Amz-Security-Token", credentials.SessionToken)
		}
		h.put("Authorization", l.keys.of(&credentials, l.region, at).authorize(&signedRequest{
			method: c.method, host: l.at.host, path: path, query: c.query,
			header: h.Header, length: c.size, sha256: c.sha256, at: at,
		}))
	}
	h.put("User-Agent", "omnibucket")
	if trace := os.Getenv("_X_AMZN_TRACE_ID"); trace != "" && l.inLambda {
		h.put("X-Amzn-Trace-Id", trace) // by it, AWS stops a function whose writes call it
	}
	if c.body != nil && c.size >= expectFrom {
		h.put("Expect", "100-continue")
	}
	if l.profile.UnsignedEncoding {
		h.put(encoding, "gzip") // see withUnsignedEncoding
	}
	return nil
}

// written lets go of an answer to a write, which says nothing but in its
// header. A body it may have all the same: an error, late.
func written(response *http.Response) *laneAnswer {
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
	return &laneAnswer{response: response}
}

// A laneAnswer stands for a server in a call of the SDK's, which makes of it the
// output or the error that it makes of the server's.
type laneAnswer struct {
	response *http.Response
	err      error
}

// Do answers.
func (a *laneAnswer) Do(*http.Request) (*http.Response, error) { return a.response, a.err }

// read has the SDK ask a instead of the server. Nothing is to be signed.
func (a *laneAnswer) read(o *awss3.Options) { o.HTTPClient, o.Credentials = a, nil }
