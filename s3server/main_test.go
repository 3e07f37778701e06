package s3server_test

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	_ "github.com/omnibucket/storage/internal/testing/memoryfiles"
	"github.com/omnibucket/storage/s3server"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(killedVariable); path != "" {
		panic(serveUntilKilled(path))
	}
	goleak.VerifyTestMain(m)
}

const bucket = "photos"

// A store is a server and an SDK client for it.
type store struct {
	server *s3server.Server
	*s3.Client
	http  *http.Client
	clock *clock
}

// A clock is moved by the test.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

// now returns the time of the server.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// move moves the time of the server on.
func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// small has low limits, because these keep tests small.
var small = s3server.Limits{
	MinPartSize: 10,
	MaxPartSize: 100 << 10,
	MaxPutSize:  100 << 10,
	MaxCopySize: 50 << 10,
	MaxParts:    20,
	MaxPage:     1000,
}

// startServer starts a strict server with a bucket.
func startServer(t *testing.T, c s3server.Config, options ...func(*s3.Options)) *store {
	c.Strict = true
	return open(t, c, options...)
}

// startLenient starts a server that is not strict.
func startLenient(t *testing.T, c s3server.Config, options ...func(*s3.Options)) *store {
	return open(t, c, options...)
}

// startTLS does the same as startServer, but with TLS. The SDK then sends checksums in trailers.
func startTLS(t *testing.T, c s3server.Config, options ...func(*s3.Options)) *store {
	c.Strict = true
	c.TLS = &tls.Config{}
	return open(t, c, options...)
}

// open starts a server. The server has the usual bucket, unless c names other buckets.
func open(t *testing.T, c s3server.Config, options ...func(*s3.Options)) *store {
	t.Helper()
	if c.Buckets == nil {
		c.Buckets = []string{bucket}
	}
	if c.Limits == (s3server.Limits{}) {
		c.Limits = small
	}
	s := &store{clock: &clock{}}
	if c.Now == nil {
		c.Now = s.clock.now
	}
	useStore(t, &c)
	s.server = s3server.ForTest(t, c)
	s.http = s.server.Client()
	s.Client = s.client(options...)
	return s
}

// client returns a client of the SDK with further options.
func (s *store) client(options ...func(*s3.Options)) *s3.Client {
	return s3.New(s3.Options{
		Region:       s3server.DefaultRegion,
		BaseEndpoint: aws.String(s.server.URL),
		UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s3server.DefaultAccessKeyID,
			s3server.DefaultSecretKey, ""),
		HTTPClient:       s.http,
		RetryMaxAttempts: 1,
	}, options...)
}

// put stores an object, and returns its ETag.
func (s *store) put(t *testing.T, key, content string) string {
	t.Helper()
	output, err := s.PutObject(t.Context(), putInput(key, content))
	require.NoError(t, err)
	return *output.ETag
}

// putInput returns the input of a PutObject.
func putInput(key, content string) *s3.PutObjectInput {
	return &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader(content)}
}

// get returns the content of an object.
func (s *store) get(t *testing.T, key string) string {
	t.Helper()
	output, err := s.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: &key})
	require.NoError(t, err)
	return readBody(t, output.Body)
}

// keys returns the keys of the bucket.
func (s *store) keys(t *testing.T) (keys []string) {
	t.Helper()
	output, err := s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	for _, o := range output.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

// readBody reads a body to its end and closes it.
func readBody(t *testing.T, body io.ReadCloser) string {
	t.Helper()
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	return string(data)
}

// requireFailure checks the S3 code and the status of an SDK error.
func requireFailure(t *testing.T, err error, status int, code string) {
	t.Helper()
	require.Error(t, err)
	var response *awshttp.ResponseError
	require.ErrorAs(t, err, &response)

	var api smithy.APIError
	require.ErrorAs(t, err, &api)
	require.Equal(t, code, api.ErrorCode(), "%v", err)
	require.Equal(t, status, response.HTTPStatusCode())
}

// newDialingTransport returns a client that reaches the server with any host name.
func newDialingTransport(t *testing.T, s *store) *http.Transport {
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(s.server.URL, "http://"))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// send sends a request without the SDK.
func (s *store) send(
	t *testing.T, method, url string, body io.Reader, header http.Header,
) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, url, body)
	require.NoError(t, err)
	for name, values := range header {
		r.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	answer, err := s.http.Do(r)
	require.NoError(t, err)
	return answer, readBody(t, answer.Body)
}

// An apiError is the Error element of a response.
type apiError struct {
	Code, Message, Resource, Region, HeadersNotSigned string
	RequestID                                         string `xml:"RequestId"`
}

// parseError parses the document of an error.
func parseError(t *testing.T, body string) (e apiError) {
	t.Helper()
	require.NoError(t, xml.Unmarshal([]byte(body), &e), "%q", body)
	return e
}
