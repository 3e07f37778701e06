package s3server_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// setEnv sets the server's environment until the test ends.
func setEnv(t *testing.T, server *s3server.Server) {
	t.Helper()
	for _, variable := range server.Env() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
}

// An SDK can use the server with only the server's environment variables, and storage.Open can,
// too.
func TestStartEnvironment(t *testing.T) {
	tests := []struct {
		name   string
		config s3server.Config
	}{
		{name: "HTTP", config: s3server.Config{}},
		{name: "TLS", config: s3server.Config{TLS: &tls.Config{}}},
		{name: "another region", config: s3server.Config{Region: "eu-west-1"}},
		{name: "a name, not an address", config: s3server.Config{Addr: "localhost:0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.config.Buckets = []string{bucket}
			server := s3server.ForTest(t, tt.config)
			setEnv(t, server)

			// The SDK reads its configuration from the environment.
			loaded, err := config.LoadDefaultConfig(t.Context())
			require.NoError(t, err)
			client := s3.NewFromConfig(loaded)
			_, err = client.PutObject(t.Context(), putInput("k", "content"))
			require.NoError(t, err)
			if client, closes := loaded.HTTPClient.(interface{ CloseIdleConnections() }); closes {
				client.CloseIdleConnections()
			}

			// The library finds the server by the address.
			b, err := storage.Open(t.Context(), server.Address(bucket))
			require.NoError(t, err)
			content, _, err := storage.ReadAll(t.Context(), b, "k")
			require.NoError(t, err)
			require.Equal(t, "content", string(content))
			_, err = b.Upload(t.Context(), "k", strings.NewReader("other"), storage.IfAbsent())
			require.Equal(t, storage.PreconditionFailed, storage.CodeOf(err), "%v", err)
			require.NoError(t, storage.Close(b))
		})
	}
}

// The server's address in text contains no secret.
func TestStartURLHasNoSecret(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{})
	require.NotContains(t, server.Address(bucket), server.Credentials().SecretKey)
	require.NotContains(t, server.Address(bucket), server.Credentials().AccessKeyID)
}

// The server generates a certificate that is valid for its hosts. A file with the certificate
// exists until the server is closed.
func TestStartCertificateIsForHosts(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{
		TLS:     &tls.Config{},
		Domains: []string{"s3.test"},
		Addr:    "127.0.0.1:0",
	})
	for _, host := range []string{"127.0.0.1", "::1", "localhost", "photos.localhost", "s3.test", "photos.s3.test"} {
		require.NoError(t, server.Certificate().VerifyHostname(host), host)
	}

	require.Error(t, server.Certificate().VerifyHostname("example.com"))

	// The environment of clients names the file with the certificate.
	var file string
	for _, variable := range server.Env() {
		if value, ok := strings.CutPrefix(variable, "AWS_CA_BUNDLE="); ok {
			file = value
		}
	}
	require.FileExists(t, file)

	// The end of the server removes the file.
	server.Close()
	_, err := os.Stat(file)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Each connection gets a certificate for its own host. The certificate cannot sign others. Some
// clients refuse wildcards and certificates of authorities.
func TestStartCertificateForHostOfConnection(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{
		TLS:     &tls.Config{},
		Domains: []string{"s3"},
		Addr:    "127.0.0.1:0",
	})
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	serials := map[string]bool{server.Certificate().SerialNumber.String(): true}

	for _, host := range []string{"localhost", "photos.localhost", "s3", "photos.s3", "127.0.0.1"} {
		connection, err := tls.Dial("tcp", strings.TrimPrefix(server.URL, "https://"), &tls.Config{
			ServerName: host,
			RootCAs:    roots,
		})
		require.NoError(t, err, host)
		leaf := connection.ConnectionState().PeerCertificates[0]
		require.NoError(t, connection.Close())

		// The certificate is not that of the authority.
		require.False(t, leaf.IsCA, host)
		require.NotEqual(t, leaf.Issuer.String(), leaf.Subject.String())
		require.False(t, serials[leaf.SerialNumber.String()],
			"Firefox refuses two certificates with one number")
		serials[leaf.SerialNumber.String()] = true
		if net.ParseIP(host) == nil {
			require.Contains(t, leaf.DNSNames, host)
		}
	}

	// A client that expects another host refuses the certificate.
	_, err := tls.Dial("tcp", strings.TrimPrefix(server.URL, "https://"), &tls.Config{
		ServerName: "example.com",
		RootCAs:    roots,
	})
	require.Error(t, err)
}

// Start uses the certificate of the config, and fails if that is incomplete.
func TestStartWithGivenCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	pair := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}

	// The server and its client use the certificate.
	server := s3server.ForTest(t, s3server.Config{
		Addr: "localhost:0",
		TLS:  &tls.Config{Certificates: []tls.Certificate{pair}},
	})
	require.Equal(t, der, server.Certificate().Raw)
	response, err := server.Client().Get(strings.Replace(server.URL, "127.0.0.1", "localhost", 1))
	require.NoError(t, err)
	readBody(t, response.Body)

	incomplete := []struct {
		name string
		cert tls.Certificate
	}{
		{name: "no key", cert: tls.Certificate{Certificate: [][]byte{der}}},
		{name: "malformed certificate", cert: tls.Certificate{Certificate: [][]byte{{1}}, PrivateKey: key}},
		{name: "no certificate", cert: tls.Certificate{PrivateKey: key}},
	}
	for _, tt := range incomplete {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s3server.Start(s3server.Config{TLS: &tls.Config{Certificates: []tls.Certificate{tt.cert}}})
			require.Error(t, err)
		})
	}
}

// If the port is taken, Start returns an error and ForTest fails the test.
func TestStartFailsIfPortIsTaken(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{})
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	_, err = s3server.Start(s3server.Config{Addr: u.Host})
	require.Error(t, err)

	failed := &failedTest{}
	require.Nil(t, s3server.ForTest(failed, s3server.Config{Addr: u.Host}))
	require.Contains(t, failed.message, "s3server: listen")
}

// A failedTest is a test that continues after Fatalf.
type failedTest struct{ message string }

func (*failedTest) Helper()        {}
func (*failedTest) Cleanup(func()) {}

func (f *failedTest) Fatalf(format string, args ...any) { f.message = fmt.Sprintf(format, args...) }

// If the server listens on an unspecified address, its URL has a loopback address.
func TestStartUnspecifiedAddress(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Addr: ":0"})
	require.True(t, strings.HasPrefix(server.URL, "http://127.0.0.1:"), server.URL)

	response, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	readBody(t, response.Body)
}

// Close closes every connection, even one without a request, and may be called twice.
func TestCloseEndsConnections(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{})
	silent, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	require.NoError(t, err)
	defer func() {
		require.NoError(t, silent.Close())
	}()

	server.Close()
	server.Close()

	_, err = bufio.NewReader(silent).ReadByte()
	require.Error(t, err, "the silent connection is closed")
	_, err = server.Client().Get(server.URL)
	require.Error(t, err, "a new connection is refused")
}

// Shutdown waits for requests in progress.
func TestShutdownWaitsForRequests(t *testing.T) {
	s := startServer(t, s3server.Config{})
	// The request takes long enough to be seen on a busy machine.
	s.server.Inject(s3server.Delay("PutObject", time.Second))
	done := make(chan error)
	go func() {
		_, err := s.PutObject(context.WithoutCancel(t.Context()), putInput("k", "x"))
		done <- err
	}()
	requireBusy(t, s, 1)

	require.NoError(t, s.server.Shutdown(t.Context()))
	require.NoError(t, <-done)
}

// requireBusy waits until the server is serving this number of requests.
func requireBusy(t *testing.T, s *store, requests int) {
	t.Helper()
	isBusy := func() bool { return s.server.Busy() == requests }
	require.Eventually(t, isBusy, time.Minute, time.Millisecond)
}

// If its context is canceled, Shutdown closes the connections of requests in progress.
func TestShutdownWithCanceledContext(t *testing.T) {
	s := startServer(t, s3server.Config{})

	// The request stays in progress, because its body is a pipe that the test never writes to.
	reader, writer := net.Pipe()
	defer func() {
		require.NoError(t, writer.Close())
	}()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.server.URL+"/photos/k", reader)
	require.NoError(t, err)
	r.ContentLength = 10

	done := make(chan error)
	go func() {
		response, err := s.http.Do(r)
		if err == nil {
			err = response.Body.Close()
		}
		done <- err
	}()
	requireBusy(t, s, 1)

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.server.Shutdown(canceled), context.Canceled)

	// Let the client end. Its result does not matter.
	require.NoError(t, reader.Close())
	<-done
}

// The server keeps as many of the latest requests as Record says, and counts all requests.
func TestRecordKeepsLatest(t *testing.T) {
	const recordedRequests = 3
	s := startServer(t, s3server.Config{Record: recordedRequests})
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		s.put(t, key, "x")
	}

	var keys []string
	for _, r := range s.server.Requests() {
		keys = append(keys, r.Key)
		require.Equal(t, 200, r.Status)
	}
	require.Equal(t, []string{"c", "d", "e"}, keys)
	require.Equal(t, 5, s.server.Count("PutObject"))
	require.Equal(t, 5, s.server.Count(""))
}

// Without Config.Record, the server keeps no requests, but still counts them.
func TestRecordOfNothing(t *testing.T) {
	server, err := s3server.Start(s3server.Config{})
	require.NoError(t, err)
	defer server.Close()

	response, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	readBody(t, response.Body)

	require.Empty(t, server.Requests())
	require.Equal(t, 1, server.Count("ListBuckets"))
}

// A test may pass a request with a nil body to the handler. The handler records the request, and
// leaves the body nil.
func TestRecordOfRequestWithoutBody(t *testing.T) {
	var entries []s3server.Entry
	handler := s3server.New(s3server.Config{Log: func(e s3server.Entry) {
		entries = append(entries, e)
	}})
	req, err := http.NewRequest(http.MethodPut, "http://127.0.0.1:9000/photos/k", nil)
	require.NoError(t, err)

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, req)

	require.Equal(t, http.StatusNotFound, w.Code, w.Body)
	require.Len(t, entries, 1)
	require.Nil(t, req.Body)
}

// The Date of a response is the time of the server's clock, or of a skewed one if a fault says so.
func TestDateIsServersClock(t *testing.T) {
	now := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	s := startServer(t, s3server.Config{Now: func() time.Time { return now }})

	response, _ := s.send(t, "GET", s.server.URL, nil, nil)
	require.Equal(t, now.Format(http.TimeFormat), response.Header.Get("Date"))

	s.server.Inject(s3server.Fault{ClockSkew: time.Hour})
	response, _ = s.send(t, "GET", s.server.URL, nil, nil)
	require.Equal(t, now.Add(time.Hour).Format(http.TimeFormat), response.Header.Get("Date"))
}
