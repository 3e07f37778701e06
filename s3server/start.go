package s3server

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/s3server/internal/listen"
	"github.com/omnibucket/storage/s3server/internal/request"
)

// A Server is a [Handler] that listens on a port.
type Server struct {
	*Handler
	URL string // such as http://127.0.0.1:41234; has no slash at the end

	http        *http.Server
	client      *http.Client
	certificate *x509.Certificate // nil without TLS
	bundle      string            // file with the certificate, for AWS_CA_BUNDLE; "" without TLS
	closing     chan struct{}     // closed when Close or Shutdown begins
	served      chan struct{}     // closed when no more connections are accepted
	connections *listen.Listener
	background  sync.WaitGroup
	stop        context.CancelFunc // ends the background work
	close       sync.Once
}

// These constants limit the time for which the server waits for a client that sends nothing.
const (
	headerTimeout = 20 * time.Second // time for the headers of a request
	keepAlive     = 2 * time.Minute  // time between two requests of a connection
)

// Start starts a server at Config.Addr, by default on a free port of 127.0.0.1. It fails if the
// address is not available, or if Config.TLS has a certificate without its key. It also fails if
// one of Config.Buckets cannot be created, or if Config.WebhookURL is not an http or https URL.
//
// Start speaks HTTP/1.1, as S3 does. To serve in another way, use [New] with an [http.Server] of
// your own.
func Start(c Config) (*Server, error) {
	setDefault(&c.Addr, "127.0.0.1:0")
	for _, name := range c.Buckets {
		if err := checkBucketName(name); err != nil {
			return nil, err
		}
	}
	if err := checkWebhook(c.WebhookURL); err != nil {
		return nil, err
	}

	s := &Server{Handler: New(c), closing: make(chan struct{}), served: make(chan struct{})}
	s.server.Done = s.closing
	if err := s.start(c); err != nil {
		s.Handler.Close()
		return nil, err
	}
	return s, nil
}

// start listens at Config.Addr, creates the buckets, and begins to serve. s.config has the values of c with further
// defaults.
func (s *Server) start(c Config) error {
	var tlsConfig *tls.Config
	if c.TLS != nil {
		hosts := listen.Hosts(c.Addr, s.config.Domains)
		var err error
		tlsConfig, s.certificate, err = listen.WithCertificate(c.TLS, hosts)
		if err != nil {
			return err
		}
	}

	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return err
	}
	s.URL = urlOf(listener.Addr(), tlsConfig != nil)

	// New has tried to create the buckets, but cannot return an error.
	if err := s.createBuckets(); err != nil {
		_ = listener.Close()
		return err
	}
	if err := s.makeTrustingClient(); err != nil {
		_ = listener.Close()
		return err
	}
	s.serve(c, listener, tlsConfig)
	return nil
}

// serve starts to accept connections, with TLS if tlsConfig is not nil, and starts the background work.
func (s *Server) serve(c Config, listener net.Listener, tlsConfig *tls.Config) {
	// TLS comes above the limit, so that connections count before their handshake.
	s.connections = listen.Limit(listener, s.server.Limits.MaxConnections)
	listener = s.connections
	if tlsConfig != nil {
		listener = tls.NewListener(listener, tlsConfig)
	}

	var handler http.Handler = s.Handler
	if c.Middleware != nil {
		handler = c.Middleware(handler)
	}
	s.http = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       keepAlive,
		MaxHeaderBytes:    request.MaxRequestHead,
		ConnState:         s.connections.Changed,
		ErrorLog:          log.New(&quietLog{dst: os.Stderr}, "", log.LstdFlags),
	}

	go func() {
		defer close(s.served)
		// The error is always http.ErrServerClosed.
		_ = s.http.Serve(listener)
	}()

	// The background work ends when the server is closed.
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.beginRun(ctx, &s.background)
}

// checkWebhook fails if an address is neither "", for no webhook, nor an http or https URL.
func checkWebhook(address string) error {
	if address == "" {
		return nil
	}

	u, err := url.Parse(address)
	isURL := err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
	if !isURL {
		return argument.Invalid("WebhookURL", "must be an http or https URL", "")
	}
	return nil
}

// makeTrustingClient sets s.client to an HTTP client that trusts the server's certificate, and writes
// the certificate to a file for other clients.
func (s *Server) makeTrustingClient() error {
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	s.client = &http.Client{Transport: transport}
	if s.certificate == nil {
		return nil
	}

	// The client trusts no other certificate.
	roots := x509.NewCertPool()
	roots.AddCert(s.certificate)
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}

	bundle, err := writeCertificate(s.certificate)
	if err != nil {
		return err
	}
	s.bundle = bundle
	return nil
}

// writeCertificate writes a certificate to a new temporary file, and returns the path of the file.
func writeCertificate(c *x509.Certificate) (path string, err error) {
	file, err := os.CreateTemp("", "s3server-*.pem")
	if err != nil {
		return "", err
	}
	encodeErr := pem.Encode(file, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	closeErr := file.Close()
	if err := cmp.Or(encodeErr, closeErr); err != nil {
		_ = os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}

// Client returns an HTTP client that trusts the server's certificate. Closing the server closes the
// client's idle connections.
func (s *Server) Client() *http.Client { return s.client }

// Certificate returns the certificate that [Server.Client] trusts. If Config.TLS.Certificates is
// not empty, Certificate returns the leaf certificate of the first element. Certificate returns nil
// without TLS, or if Config.TLS has the function GetCertificate or GetConfigForClient.
func (s *Server) Certificate() *x509.Certificate { return s.certificate }

// Close closes all connections and waits until all requests have ended. Further calls do nothing.
func (s *Server) Close() {
	s.end(func() { _ = s.http.Close() }) // closes all connections even if it fails
}

// Shutdown stops accepting connections and waits for the requests in progress. If ctx is done
// first, it closes their connections and returns the error of ctx.
func (s *Server) Shutdown(ctx context.Context) (err error) {
	s.end(func() {
		err = s.http.Shutdown(ctx)
		_ = s.http.Close()
	})
	return err
}

// end ends the server once. closeHTTP must close all connections and make s.http.Serve return.
func (s *Server) end(closeHTTP func()) {
	s.close.Do(func() {
		close(s.closing)
		closeHTTP()
		<-s.served
		s.connections.Open.Wait()

		// Stop the background work only now, so that the events of the last request are still sent.
		s.stop()
		s.background.Wait()
		s.Handler.Close()

		s.client.CloseIdleConnections()
		if s.bundle != "" {
			// If this fails, the file stays, but it is not secret.
			_ = os.Remove(s.bundle)
		}
	})
}

// acceptPause is the minimum time between two log lines about connections that could not be
// accepted.
const acceptPause = time.Minute

// A quietLog passes the log lines of net/http to a writer. It omits lines about failed TLS
// handshakes. It passes at most one line a minute about connections that could not be accepted. If
// file descriptors are exhausted, net/http writes such a line for each connection.
type quietLog struct {
	dst io.Writer
	// nextLine is the earliest time at which the next line about Accept is passed on. It
	// needs no lock, because a log.Logger writes one line at a time.
	nextLine time.Time
}

// Write passes a line on, unless it is about a failed TLS handshake or too soon after another one
// about a failed Accept.
func (l *quietLog) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("TLS handshake error")) {
		return len(line), nil
	}
	if bytes.Contains(line, []byte("http: Accept error")) {
		now := time.Now()
		if now.Before(l.nextLine) {
			return len(line), nil
		}
		l.nextLine = now.Add(acceptPause)
	}
	return l.dst.Write(line)
}

// urlOf returns the URL of a listener for clients on this machine. An unspecified address such as
// 0.0.0.0 is none that a client can use, so the URL has 127.0.0.1 instead.
func urlOf(address net.Addr, encrypted bool) string {
	scheme := "http://"
	host := address.String()
	if encrypted {
		scheme = "https://"
	}
	addr, err := netip.ParseAddrPort(host)
	if err == nil && addr.Addr().IsUnspecified() {
		host = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), addr.Port()).String()
	}
	return scheme + host
}

// A TB is the part of [testing.TB] that [ForTest] needs. *testing.T implements it.
type TB interface {
	Helper()
	Cleanup(f func())
	Fatalf(format string, args ...any)
}

// ForTest starts a server and closes it at the end of the test. If the server cannot start, the
// test fails. If c.Record is 0, [Handler.Requests] returns the latest 10,000 requests.
func ForTest(t TB, c Config) *Server {
	t.Helper()
	setDefault(&c.Record, 10_000)
	s, err := Start(c)
	if err != nil {
		t.Fatalf("s3server: %v", err)
		return nil
	}
	t.Cleanup(s.Close)
	return s
}
