package s3server

import (
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
)

// A Server is a [Handler] that listens on a loopback port.
type Server struct {
	*Handler
	URL  string // http://127.0.0.1:port
	http *httptest.Server
	gone chan struct{}
}

// Start starts a server on a free port. It fails if there is none.
func Start(c Config) (*Server, error) { return start(c, (*httptest.Server).Start) }

// StartTLS is [Start] with TLS and a certificate of its own, which [Server.Client]
// trusts. The SDK sends trailers only over TLS.
func StartTLS(c Config) (*Server, error) { return start(c, (*httptest.Server).StartTLS) }

func start(c Config, run func(*httptest.Server)) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{Handler: New(c), gone: make(chan struct{})}
	s.faults.gone = s.gone
	s.http = &httptest.Server{Listener: listener, Config: &http.Server{Handler: s.Handler}}
	s.http.Config.SetKeepAlivesEnabled(!c.CloseConnections)
	run(s.http)
	s.URL = s.http.URL
	return s, nil
}

// Client returns a client that trusts the server's certificate. Its idle
// connections end with Close.
func (s *Server) Client() *http.Client { return s.http.Client() }

// Certificate returns the server's certificate, or nil without TLS.
func (s *Server) Certificate() *x509.Certificate { return s.http.Certificate() }

// Close ends requests that a fault stalls, and returns when all requests have ended.
func (s *Server) Close() {
	close(s.gone)
	s.http.Close()
	s.Handler.Close()
}
