package s3server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
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

// readResponse reads a response from a connection. The response must have a length.
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

// presignedPut returns the target of a signed PUT, which signs no body.
func (s *store) presignedPut(t *testing.T, key string) string {
	t.Helper()
	presigned, err := s3.NewPresignClient(s.Client).PresignPutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket),
		Key:    &key,
	})
	require.NoError(t, err)
	return strings.TrimPrefix(presigned.URL, s.server.URL)
}

// A client that stops sending its body gets an error response, and its connection is closed.
func TestHostileClientStopsSending(t *testing.T) {
	s := startServer(t, s3server.Config{Limits: impatient})

	connection := dial(t, s)
	_, err := fmt.Fprintf(connection, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\nhalf",
		s.presignedPut(t, "k"), strings.TrimPrefix(s.server.URL, "http://"))
	require.NoError(t, err)

	status, body := readResponse(t, connection)
	require.Equal(t, 400, status)
	require.Equal(t, "RequestTimeout", parseError(t, body).Code)

	_, err = connection.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.Empty(t, s.keys(t))
}

// The server ends a request whose client does not read the response for longer than the idle timeout.
func TestHostileClientReadsNothing(t *testing.T) {
	const size = 32 << 20
	s := startServer(t, s3server.Config{
		Limits: s3server.Limits{IdleTimeout: impatient.IdleTimeout, MaxPutSize: 2 * size},
	})

	// Upload the object without HTTP, so that the idle timeout does not end the upload.
	b := s.server.Bucket(bucket)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	_, err := b.Upload(t.Context(), "k", bytes.NewReader(make([]byte, size)))
	require.NoError(t, err)
	presigned, err := s3.NewPresignClient(s.Client).PresignGetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)

	// Send the request, and read only the first byte of the response.
	connection := dial(t, s)
	target := strings.TrimPrefix(presigned.URL, s.server.URL)
	host := strings.TrimPrefix(s.server.URL, "http://")
	_, err = fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, host)
	require.NoError(t, err)
	_, err = io.ReadFull(connection, make([]byte, 1))
	require.NoError(t, err)

	// The server ends the request before the whole object is sent. Then no request is in progress.
	requireBusy(t, s, 0)
	received, _ := io.Copy(io.Discard, connection)
	require.Less(t, received, int64(size))
}

// The server refuses a request without waiting for the end of its endless body.
func TestHostileEndlessBody(t *testing.T) {
	s := startServer(t, s3server.Config{Limits: impatient})

	// The client never ends the body of these requests.
	tests := []struct{ name, request string }{
		{
			name:    "a GET with a body",
			request: "GET /photos/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
		},
		{
			name:    "a PUT without signature",
			request: "PUT /photos/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nabc",
		},
		{
			name:    "an unknown operation",
			request: "PATCH /photos/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			connection := dial(t, s)
			_, err := io.WriteString(connection, tt.request)
			require.NoError(t, err)

			status, _ := readResponse(t, connection)
			require.GreaterOrEqual(t, status, 400)
		})
	}
}

// The server refuses requests with huge headers, paths or queries.
func TestHostileHugeHead(t *testing.T) {
	s := startServer(t, s3server.Config{})
	tests := []struct {
		name       string
		path       string
		header     http.Header
		wantStatus int
		wantCode   string
	}{
		{
			name:       "many small headers",
			path:       "/photos",
			header:     manyHeaders(300),
			wantStatus: 400,
			wantCode:   "RequestHeaderSectionTooLarge",
		},
		{
			name:       "a huge header",
			path:       "/photos",
			header:     http.Header{"X-Amz-Meta-A": {strings.Repeat("x", 9<<10)}},
			wantStatus: 400,
			wantCode:   "RequestHeaderSectionTooLarge",
		},
		{
			name:       "more than net/http accepts",
			path:       "/photos",
			header:     http.Header{"X-Amz-Meta-A": {strings.Repeat("x", 100<<10)}},
			wantStatus: 431,
		},
		{
			name:       "a huge query",
			path:       "/photos?" + strings.Repeat("a&", 9<<10),
			wantStatus: 414,
			wantCode:   "InvalidURI",
		},
		{
			name:       "a huge path",
			path:       "/photos/" + strings.Repeat("a", 17<<10),
			wantStatus: 414,
			wantCode:   "InvalidURI",
		},
		{
			name:       "a long key",
			path:       "/photos/" + strings.Repeat("a", 2<<10),
			wantStatus: 400,
			wantCode:   "KeyTooLongError",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.send(t, "GET", s.server.URL+tt.path, nil, tt.header)
			require.Equal(t, tt.wantStatus, response.StatusCode)
			if tt.wantCode != "" {
				require.Equal(t, tt.wantCode, parseError(t, body).Code)
			}
		})
	}
}

// manyHeaders returns n headers of metadata.
func manyHeaders(n int) http.Header {
	header := http.Header{}
	for i := range n {
		header.Set(fmt.Sprintf("X-Amz-Meta-%d", i), strings.Repeat("x", 20))
	}
	return header
}

// The server refuses XML documents that would take much memory, without using that memory.
func TestHostileXML(t *testing.T) {
	s := startServer(t, s3server.Config{})
	const maxMemory = 64 << 20
	tests := []struct{ name, document string }{
		{name: "nested", document: strings.Repeat("<a>", 100_000)},
		{
			name:     "many elements",
			document: "<Delete>" + strings.Repeat("<Object/>", 300_000) + "</Delete>",
		},
		{
			name:     "more keys than the limit",
			document: "<Delete>" + strings.Repeat("<Object><Key>k</Key></Object>", 1001) + "</Delete>",
		},
		{
			name:     "many attributes",
			document: "<Delete " + strings.Repeat(`a="" `, 500_000) + "></Delete>",
		},
		{
			name:     "entities",
			document: `<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>`,
		},
		{name: "an endless tag", document: "<Delete><Object" + strings.Repeat("x", 1<<20)},
		{name: "no XML", document: strings.Repeat("x", 1<<20)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// TotalAlloc also counts memory that was freed.
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			require.EqualError(t, s.postDelete(t, tt.document), "400 MalformedXML")
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(maxMemory))
		})
	}

	// The size of a document is limited, too.
	require.EqualError(t, s.postDelete(t, strings.Repeat(" ", 5<<20)), "400 EntityTooLarge")
}

// Many clients can send large documents at the same time, and all succeed.
func TestHostileLargeDocuments(t *testing.T) {
	s := startServer(t, s3server.Config{})
	object := "<Object><Key>" + strings.Repeat("k", 200) + "</Key></Object>"
	document := "<Delete>" + strings.Repeat(object, 900) + "</Delete>"

	const clients = 20
	errs := make(chan error)
	for range clients {
		go func() {
			errs <- s.postDelete(t, document)
		}()
	}
	for range clients {
		require.NoError(t, <-errs)
	}
}

// Many anonymous clients that send documents slowly do not delay a client with credentials.
func TestHostileAnonymousClients(t *testing.T) {
	const slowClients = 10
	s := startServer(t, s3server.Config{Limits: s3server.Limits{IdleTimeout: time.Hour}})
	for range slowClients {
		_, err := io.WriteString(dial(t, s), "POST /photos?delete HTTP/1.1\r\nHost: x\r\n"+
			"Content-Md5: 1B2M2Y8AsgTpgAmY7PhCfg==\r\nContent-Length: 1000000\r\n\r\n<Delete>")
		require.NoError(t, err)
	}
	requireBusy(t, s, slowClients)

	document := "<Delete>" + strings.Repeat(" ", 100<<10) + "<Object><Key>k</Key></Object></Delete>"
	require.NoError(t, s.postDelete(t, document))
}

// postDelete sends a document to DeleteObjects. If the server refuses the request, the returned
// error has the status and the code.
func (s *store) postDelete(t *testing.T, document string) error {
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost,
		s.server.URL+"/photos?delete", strings.NewReader(document))
	if err != nil {
		return err
	}

	// The request has a digest and a signature.
	sum := md5.Sum([]byte(document))
	r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	key := aws.Credentials{
		AccessKeyID:     s.server.Credentials().AccessKeyID,
		SecretAccessKey: s.server.Credentials().SecretKey,
	}
	err = v4.NewSigner().SignHTTP(t.Context(), key, r, "UNSIGNED-PAYLOAD", "s3", s3server.DefaultRegion, time.Now())
	if err != nil {
		return err
	}

	response, err := s.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		_, err = io.Copy(io.Discard, response.Body)
		return err
	}
	var refusal struct{ Code string }
	if err := xml.NewDecoder(response.Body).Decode(&refusal); err != nil {
		return err
	}
	return fmt.Errorf("%d %s", response.StatusCode, refusal.Code)
}

// A form may have only a limited number of bytes before its file.
func TestHostileFormFields(t *testing.T) {
	const emptyField = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n"
	huge := strings.Repeat("x", 1<<20)
	s := startServer(t, s3server.Config{})
	tests := []struct{ name, body string }{
		{name: "endless empty fields", body: strings.Repeat(emptyField, 10_000)},
		{name: "endless preamble", body: strings.Repeat("line\r\n", 100_000)},
		{name: "huge field", body: "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + huge},
		{name: "huge name of a field", body: "--b\r\nContent-Disposition: form-data; name=\"" + huge + "\"\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The form has no file, so the server would read it to its end.
			response, text := s.send(t, "POST", s.server.URL+"/photos", strings.NewReader(tt.body), http.Header{
				"Content-Type": {"multipart/form-data; boundary=b"},
			})
			require.Equal(t, 400, response.StatusCode)
			require.Equal(t, "MaxPostPreDataLengthExceededError", parseError(t, text).Code)
		})
	}
}

// A client cannot create more buckets than the limit.
func TestHostileManyBuckets(t *testing.T) {
	s := startServer(t, s3server.Config{Limits: s3server.Limits{MaxBuckets: 2}})
	create := func(name string) error {
		_, err := s.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name})
		return err
	}

	require.NoError(t, create("second"))
	requireFailure(t, create("third"), 400, "TooManyBuckets")
	require.NoError(t, create("second"), "the bucket exists")
}

// A request above the limit waits until another one has ended.
func TestHostileManyRequests(t *testing.T) {
	const limit = 2
	s := startServer(t, s3server.Config{Limits: s3server.Limits{MaxConnections: limit}})
	first := dial(t, s)
	second := dial(t, s)
	waiting := dial(t, s)

	// Two clients do not send the whole body of their requests.
	host := strings.TrimPrefix(s.server.URL, "http://")
	for _, connection := range []net.Conn{first, second} {
		_, err := fmt.Fprintf(connection, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\nhalf",
			s.presignedPut(t, "k"), host)
		require.NoError(t, err)
	}
	requireBusy(t, s, limit)

	// A third client gets no response.
	_, err := io.WriteString(waiting, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, waiting.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = waiting.Read(make([]byte, 1))
	require.Error(t, err)

	// After one of the two clients has left, the third client gets a response. The response refuses
	// its request, because that is unsigned.
	require.NoError(t, first.Close())
	require.NoError(t, waiting.SetReadDeadline(time.Now().Add(5*time.Minute)))
	status, _ := readResponse(t, waiting)
	require.Equal(t, 403, status)
}

// Idle connections do not keep the server from serving other clients, even if they use up the
// limit.
func TestHostileIdleConnections(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	tests := []struct {
		name   string
		config s3server.Config
	}{
		{name: "HTTP", config: s3server.Config{}},
		{name: "TLS", config: s3server.Config{TLS: &tls.Config{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.config.Limits = s3server.Limits{MaxConnections: 3, IdleTimeout: time.Hour}
			s := startServer(t, tt.config)
			send := func(text string) net.Conn {
				connection := dialAny(t, s)
				_, err := io.WriteString(connection, text)
				require.NoError(t, err)
				return connection
			}

			// Three connections, which are as many as the limit, stay open: after nothing, after a part of
			// the headers, and after a whole request.
			silent := send("")
			send("GET / HTTP/1.1\r\nHost:")
			served := send(request)
			status, _ := readResponse(t, served)
			require.Equal(t, 403, status)

			// The server serves other clients. It closes the connection that was idle for longest.
			for range 2 {
				status, _ = readResponse(t, send(request))
				require.Equal(t, 403, status)
			}
			_, err := silent.Read(make([]byte, 1))
			require.Error(t, err)
		})
	}
}

// dialAny does the same as dial, and uses TLS if the server has it.
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
