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
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/s3server/internal/driverstore"
	"github.com/omnibucket/storage/s3server/internal/listen"
)

// A Server is a [Handler] that listens on a port.
type Server struct {
	*Handler
	URL string // such as http://127.0.0.1:41234, without a slash at the end

	http        *http.Server
	client      *http.Client
	certificate *x509.Certificate // nil without TLS
	bundle      string            // file for AWS_CA_BUNDLE in Env; "" without one
	gone        chan struct{}     // closed by Close
	served      chan struct{}     // closed when no connection is accepted any more
	connections *listen.Listener
	background  sync.WaitGroup
	stop        context.CancelFunc // ends the work in the background
	close       sync.Once
}

// These constants bound how long Start's server waits for a client that sends nothing.
const (
	headerTimeout = 20 * time.Second // time for the headers of a request
	keepAlive     = 2 * time.Minute  // time between two requests of a connection
)

// Start starts a server at Config.Addr, by default on a free port of 127.0.0.1. It fails if the
// address cannot be used, or if Config.TLS has a certificate without its key. It fails, too, if
// one of Config.Buckets cannot be created, or if Config.WebhookURL is not an http URL.
//
// Start speaks HTTP/1.1, as S3 does. To serve in another way, use [New] with an
// [http.Server] of your own.
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
	s := &Server{Handler: New(c), gone: make(chan struct{}), served: make(chan struct{})}
	s.ended = s.gone
	var encryption *tls.Config
	if c.TLS != nil {
		var err error
		if encryption, s.certificate, err = listen.WithCertificate(c.TLS, listen.Hosts(c.Addr, s.config.Domains)); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return nil, err
	}
	s.URL = urlOf(listener.Addr(), encryption != nil)
	err = s.createBuckets() // called again, for its error
	if err == nil {
		err = s.trustItself()
	}
	if err != nil {
		_ = listener.Close() // the first error counts
		s.Handler.Close()
		return nil, err
	}
	s.connections = listen.Limit(listener, s.limits.MaxConnections)
	listener = s.connections
	if encryption != nil {
		listener = tls.NewListener(listener, encryption)
	}
	var handler http.Handler = s.Handler
	if c.Middleware != nil {
		handler = c.Middleware(handler)
	}
	s.http = &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: keepAlive, MaxHeaderBytes: maxRequestHead,
		ConnState: s.connections.Changed, ErrorLog: log.New(&quietLog{to: os.Stderr}, "", log.LstdFlags),
	}
	go func() {
		defer close(s.served)
		_ = s.http.Serve(listener) // it always ends with http.ErrServerClosed
	}()
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.beginRun(ctx, &s.background)
	return s, nil
}

// checkWebhook refuses an address that is not an http or https URL. "" means no webhook.
func checkWebhook(address string) error {
	u, err := url.Parse(address)
	if address != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return argument.Invalid("WebhookURL", "must be an http or https URL", "")
	}
	return nil
}

// trustItself makes the client, which trusts the server's certificate, and the file with
// which other clients trust it.
func (s *Server) trustItself() error {
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	s.client = &http.Client{Transport: transport}
	if s.certificate == nil {
		return nil
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.certificate)
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	file, err := os.CreateTemp("", "s3server-*.pem")
	if err != nil {
		return err
	}
	s.bundle = file.Name()
	err = pem.Encode(file, &pem.Block{Type: "CERTIFICATE", Bytes: s.certificate.Raw})
	if err = cmp.Or(err, file.Close()); err != nil {
		_ = os.Remove(s.bundle)
	}
	return err
}

// Client returns a client that trusts the server's certificate. Its idle connections end
// with Close.
func (s *Server) Client() *http.Client { return s.client }

// Certificate returns the certificate that [Server.Client] trusts, or nil without TLS. If
// Config.TLS has certificates, it is the leaf of the first.
func (s *Server) Certificate() *x509.Certificate { return s.certificate }

// Close closes all connections, and returns when all requests have ended. The second call
// does nothing.
func (s *Server) Close() {
	s.end(func() { _ = s.http.Close() }) // connections are closed, whatever the error
}

// Shutdown accepts no more connections, and waits for the requests in progress. If ctx ends
// first, it closes their connections and returns the error of ctx.
func (s *Server) Shutdown(ctx context.Context) (err error) {
	s.end(func() {
		err = s.http.Shutdown(ctx)
		_ = s.http.Close()
	})
	return err
}

func (s *Server) end(stop func()) {
	s.close.Do(func() {
		close(s.gone)
		stop()
		<-s.served
		s.connections.Open.Wait()
		s.stop() // called after the last request, whose events are still sent
		s.background.Wait()
		s.Handler.Close()
		s.client.CloseIdleConnections()
		if s.bundle != "" {
			_ = os.Remove(s.bundle) // the file is not secret
		}
	})
}

// acceptPause is the time between two lines about connections that could not be accepted.
const acceptPause = time.Minute

// A quietLog passes on the lines of net/http, except about a client that ended a TLS handshake. It
// passes on one line a minute about connections that could not be accepted: without free file
// descriptors, there may be one for each connection.
type quietLog struct {
	to    io.Writer
	later time.Time // when the next line about Accept may come; a log.Logger writes one line at a time
}

func (l *quietLog) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("TLS handshake error")) {
		return len(line), nil
	}
	if bytes.Contains(line, []byte("http: Accept error")) {
		now := time.Now()
		if now.Before(l.later) {
			return len(line), nil
		}
		l.later = now.Add(acceptPause)
	}
	return l.to.Write(line)
}

// urlOf returns the address with which this machine reaches a listener.
func urlOf(address net.Addr, encrypted bool) string {
	scheme, host := "http://", address.String()
	if encrypted {
		scheme = "https://"
	}
	if at, err := netip.ParseAddrPort(host); err == nil && at.Addr().IsUnspecified() {
		host = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.Port()).String()
	}
	return scheme + host
}

// Run does the work that needs no request, until ctx ends: it applies lifecycle rules 24 times in each
// Config.LifecycleDay, and sends events to Config.WebhookURL. First, it removes records of uploads that had
// ended when an earlier server was killed. A [Server] does so by itself. Run returns within about a second
// after the end of ctx.
func (h *Handler) Run(ctx context.Context) {
	var parts sync.WaitGroup
	h.beginRun(ctx, &parts)
	parts.Wait()
}

// beginRun starts the work of Run. Its goroutines exist when it returns, so that a test that counts goroutines
// afterwards counts all of them.
func (h *Handler) beginRun(ctx context.Context, parts *sync.WaitGroup) {
	if s, ok := h.store.(*driverstore.Store); ok {
		parts.Go(func() { s.SweepUploads(ctx) })
	}
	parts.Go(func() { ctxtime.Every(ctx, max(h.config.LifecycleDay/24, time.Millisecond), h.runLifecycle) })
	parts.Go(func() { h.webhook.Run(ctx) })
}

// A TB has the methods of a test that [ForTest] needs. *testing.T implements it.
type TB interface {
	Helper()
	Cleanup(f func())
	Fatalf(format string, args ...any)
}

// ForTest starts a server that ends with the test. It ends the test if the server cannot
// start. If c.Record is 0, [Handler.Requests] returns the latest 10,000 requests.
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
