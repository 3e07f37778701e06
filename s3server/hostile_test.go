package s3server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server"
)

// impatient makes the server wait little for slow clients, and yet for longer than a slow machine takes
// to read what a client has sent.
var impatient = s3server.Limits{IdleTimeout: 2 * time.Second}

// dial opens a connection on which the test writes what it wants.
func dial(t *testing.T, s *store) net.Conn {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.server.URL, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	require.NoError(t, connection.SetDeadline(time.Now().Add(5*time.Minute)))
	return connection
}

// readResponse reads a response of a connection, which must have a length.
func readResponse(t *testing.T, connection net.Conn) (status int, body string) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, response.ContentLength, int64(0),
		"the client knows where the response ends, also while the server reads on")
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(data)
}

// presigned returns the target of a signed PUT, which signs no body.
func (s *store) presigned(t *testing.T, key string) string {
	t.Helper()
	presigned, err := s3.NewPresignClient(s.Client).PresignPutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket),
		Key:    &key,
	})
	require.NoError(t, err)
	return strings.TrimPrefix(presigned.URL, s.server.URL)
}

// The server cuts off a client that stops sending.
func TestHostileClientStopsSending(t *testing.T) {
	s := start(t, s3server.Config{Limits: impatient})
	connection := dial(t, s)
	_, err := fmt.Fprintf(connection, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\nhalf",
		s.presigned(t, "k"), strings.TrimPrefix(s.server.URL, "http://"))
	require.NoError(t, err)

	status, body := readResponse(t, connection)
	require.Equal(t, 400, status)
	require.Equal(t, "RequestTimeout", parseError(t, body).Code)

	_, err = connection.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "the connection must be closed")
	require.Empty(t, s.keys(t))
}

// The server serves a client that is slow, but does not stop.
func TestHostileClientSendsSlowly(t *testing.T) {
	s := start(t, s3server.Config{Limits: s3server.Limits{IdleTimeout: time.Minute}})
	connection := dial(t, s)
	_, err := fmt.Fprintf(connection, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 5\r\n\r\n",
		s.presigned(t, "k"), strings.TrimPrefix(s.server.URL, "http://"))
	require.NoError(t, err)
	for i := range 5 {
		_, err = connection.Write([]byte{byte('0' + i)})
		require.NoError(t, err)
	}

	status, _ := readResponse(t, connection)
	require.Equal(t, 200, status)
	require.Equal(t, "01234", s.get(t, "k"))
}

// The server cuts off a client that does not read its response.
func TestHostileClientReadsNothing(t *testing.T) {
	s := start(t, s3server.Config{
		Limits: s3server.Limits{IdleTimeout: impatient.IdleTimeout, MaxPutSize: 64 << 20},
	})
	b := s.server.Bucket(bucket)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	_, err := b.Upload(t.Context(), "k", bytes.NewReader(make([]byte, 32<<20))) // not through the timeout
	require.NoError(t, err)
	presigned, err := s3.NewPresignClient(s.Client).PresignGetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	connection := dial(t, s)
	_, err = fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n",
		strings.TrimPrefix(presigned.URL, s.server.URL), strings.TrimPrefix(s.server.URL, "http://"))
	require.NoError(t, err)
	first := make([]byte, 1) // the response has begun

	_, err = io.ReadFull(connection, first)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.server.Busy() == 0 }, time.Minute, time.Millisecond)

	rest, _ := io.Copy(io.Discard, connection) // what the kernel holds; it ends with an error or without
	require.Less(t, rest, int64(32<<20))
}

// The server responds without waiting for the end of an endless body.
func TestHostileEndlessBody(t *testing.T) {
	s := start(t, s3server.Config{Limits: impatient})
	for name, request := range map[string]string{
		"a GET with a body":       "GET /photos/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
		"a PUT without signature": "PUT /photos/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nabc",
		"an unknown operation":    "PATCH /photos/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			connection := dial(t, s)
			_, err := io.WriteString(connection, request)
			require.NoError(t, err)
			status, _ := readResponse(t, connection)
			require.GreaterOrEqual(t, status, 400)
		})
	}
}

// The server refuses requests with huge headers.
func TestHostileHugeHead(t *testing.T) {
	s := start(t, s3server.Config{})
	tests := map[string]struct {
		path   string
		header http.Header
		status int
		code   string
	}{
		"many small headers": {
			path:   "/photos",
			header: manyHeaders(300),
			status: 400,
			code:   "RequestHeaderSectionTooLarge",
		},
		"a huge header": {
			path:   "/photos",
			header: http.Header{"X-Amz-Meta-A": {strings.Repeat("x", 9<<10)}},
			status: 400,
			code:   "RequestHeaderSectionTooLarge",
		},
		"more than any": {
			path:   "/photos",
			header: http.Header{"X-Amz-Meta-A": {strings.Repeat("x", 100<<10)}},
			status: 431,
		},
		"a huge query": {path: "/photos?" + strings.Repeat("a&", 9<<10), status: 414, code: "InvalidURI"},
		"a huge path":  {path: "/photos/" + strings.Repeat("a", 17<<10), status: 414, code: "InvalidURI"},
		"a long key": {
			path:   "/photos/" + strings.Repeat("a", 2<<10),
			status: 400,
			code:   "KeyTooLongError",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			response, body := s.send(t, "GET", s.server.URL+tt.path, nil, tt.header)
			require.Equal(t, tt.status, response.StatusCode)
			if tt.code != "" {
				require.Equal(t, tt.code, parseError(t, body).Code)
			}
		})
	}
}

// manyHeaders returns so many headers of metadata.
func manyHeaders(n int) http.Header {
	header := http.Header{}
	for i := range n {
		header.Set(fmt.Sprintf("X-Amz-Meta-%d", i), strings.Repeat("x", 20))
	}
	return header
}

// The server refuses XML documents that would take much memory.
func TestHostileXML(t *testing.T) {
	s := start(t, s3server.Config{})
	for name, document := range map[string]string{
		"nested":          strings.Repeat("<a>", 100_000),
		"many elements":   "<Delete>" + strings.Repeat("<Object/>", 300_000) + "</Delete>",
		"more keys":       "<Delete>" + strings.Repeat("<Object><Key>k</Key></Object>", 1001) + "</Delete>",
		"many attributes": "<Delete " + strings.Repeat(`a="" `, 500_000) + "></Delete>",
		"entities":        `<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>`,
		"an endless tag":  "<Delete><Object" + strings.Repeat("x", 1<<20),
		"no XML":          strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			require.EqualError(t, s.postDelete(t, document), "400 MalformedXML")
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
		})
	}
	require.EqualError(t, s.postDelete(t, strings.Repeat(" ", 5<<20)), "400 EntityTooLarge")
}

// If many clients send large documents at the same time, all succeed.
func TestHostileLargeDocuments(t *testing.T) {
	s := start(t, s3server.Config{})
	document := "<Delete>" + strings.Repeat("<Object><Key>"+strings.Repeat("k", 200)+"</Key></Object>",
		900) + "</Delete>"
	errc := make(chan error)
	const clients = 20
	for range clients {
		go func() {
			errc <- s.postDelete(t, document)
		}()
	}
	for range clients {
		require.NoError(t, <-errc)
	}
}

// Many anonymous clients do not delay clients with credentials.
func TestHostileAnonymousClients(t *testing.T) {
	s := start(t, s3server.Config{Limits: s3server.Limits{IdleTimeout: time.Hour}})
	const slow = 10
	for range slow {
		_, err := io.WriteString(dial(t, s),
			"POST /photos?delete HTTP/1.1\r\nHost: x\r\nContent-Md5: 1B2M2Y8AsgTpgAmY7PhCfg==\r\nContent-Length: 1000000\r\n\r\n<Delete>")
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return s.server.Busy() == slow }, time.Minute, time.Millisecond)
	require.NoError(t,
		s.postDelete(t, "<Delete>"+strings.Repeat(" ", 100<<10)+"<Object><Key>k</Key></Object></Delete>"))
}

// postDelete sends a document to DeleteObjects.
func (s *store) postDelete(t *testing.T, document string) error {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost,
		s.server.URL+"/photos?delete", strings.NewReader(document))
	require.NoError(t, err)
	sum := md5.Sum([]byte(document))
	r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	key := aws.Credentials{
		AccessKeyID:     s.server.Credentials().AccessKeyID,
		SecretAccessKey: s.server.Credentials().SecretKey,
	}
	require.NoError(t,
		v4.NewSigner().SignHTTP(t.Context(), key, r, "UNSIGNED-PAYLOAD", "s3", s3server.DefaultRegion, time.Now()))
	response, err := s.http.Do(r)
	if err != nil {
		return err
	}
	body := readBody(t, response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %s", response.StatusCode, parseError(t, body).Code)
	}
	return nil
}

// The fields of a form before its file have a size limit.
func TestHostileFormFields(t *testing.T) {
	s := start(t, s3server.Config{})
	const boundary = "b"
	field := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n"
	for name, body := range map[string]io.Reader{
		"endless empty fields": strings.NewReader(strings.Repeat(field, 10_000)),
		"an endless preamble":  strings.NewReader(strings.Repeat("line\r\n", 100_000)),
		"a huge field":         strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + strings.Repeat("x", 1<<20)),
		"a huge field head":    strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"" + strings.Repeat("x", 1<<20) + "\"\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			response, text := s.send(t, "POST", s.server.URL+"/photos", body, http.Header{
				"Content-Type": {"multipart/form-data; boundary=" + boundary},
			})
			require.Equal(t, 400, response.StatusCode)
			require.Equal(t, "MaxPostPreDataLengthExceededError", parseError(t, text).Code)
		})
	}
}

// The number of buckets is limited.
func TestHostileManyBuckets(t *testing.T) {
	s := start(t, s3server.Config{Limits: s3server.Limits{MaxBuckets: 2}})
	create := func(name string) error {
		_, err := s.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name})
		return err
	}
	require.NoError(t, create("second"))
	requireFailure(t, create("third"), 400, "TooManyBuckets")
	require.NoError(t, create("second"), "it is there")
}

// If there are more requests than the limit, the others wait.
func TestHostileManyRequests(t *testing.T) {
	s := start(t, s3server.Config{Limits: s3server.Limits{MaxConnections: 2}})
	first := dial(t, s)
	second := dial(t, s)
	third := dial(t, s)
	for _, connection := range []net.Conn{first, second} {
		_, err := fmt.Fprintf(connection,
			"PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\nhalf", s.presigned(t, "k"), strings.TrimPrefix(s.server.URL, "http://"))
		require.NoError(t, err)
	}

	require.Eventually(t, func() bool { return s.server.Busy() == 2 }, time.Minute, time.Millisecond)
	_, err := io.WriteString(third, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, third.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = third.Read(make([]byte, 1))
	require.Error(t, err)

	require.NoError(t, first.Close())
	require.NoError(t, third.SetReadDeadline(time.Now().Add(5*time.Minute)))
	status, _ := readResponse(t, third)
	require.Equal(t, 403, status)
}

// Idle connections do not delay other clients, whether they have sent nothing, a part of the headers, or a whole
// request.
func TestHostileIdleConnections(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, c := range map[string]s3server.Config{"HTTP": {}, "TLS": {TLS: &tls.Config{}}} {
		t.Run(name, func(t *testing.T) {
			c.Limits = s3server.Limits{MaxConnections: 3, IdleTimeout: time.Hour}
			s := start(t, c)
			idle := make([]net.Conn, 3)
			for i, head := range []string{"", "GET / HTTP/1.1\r\nHost:", request} {
				idle[i] = dialAny(t, s)
				_, err := io.WriteString(idle[i], head)
				require.NoError(t, err)
			}

			status, _ := readResponse(t, idle[2])
			require.Equal(t, 403, status)
			for range 2 {
				another := dialAny(t, s)
				_, err := io.WriteString(another, request)
				require.NoError(t, err)
				status, _ = readResponse(t, another)
				require.Equal(t, 403, status)
			}

			_, err := idle[0].Read(make([]byte, 1))
			require.Error(t, err, "it was idle for longest")
		})
	}
}

// dialAny is dial, with TLS if the server has it.
func dialAny(t *testing.T, s *store) net.Conn {
	t.Helper()
	if s.server.Certificate() == nil {
		return dial(t, s)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.server.Certificate())
	connection, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots}}).DialContext(t.Context(), "tcp",
		strings.TrimPrefix(s.server.URL, "https://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	require.NoError(t, connection.SetDeadline(time.Now().Add(5*time.Minute)))
	return connection
}
