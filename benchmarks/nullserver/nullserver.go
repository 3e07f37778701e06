// Package nullserver is what servers that keep nothing have in common: they
// accept every request without looking at its signature or its checksums, count
// it, throw its body away, and make up what they answer. So they cost little
// beside the client that is measured, and the same for every client.
//
// The size of an object is the first segment of its key, "1048576/name", and so
// many objects are listed as the first segment of the prefix says.
package nullserver

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

// Options say how far away the server seems. Zero: here.
type Options struct {
	TLS       bool
	Latency   time.Duration // before each answer
	Bandwidth int64         // bytes a second of one connection, each way; 0: unbounded
}

// A Service is what differs from one to the other.
type Service interface {
	// Operation is what the service calls a request. It is counted so.
	Operation(r *http.Request) string
	// Answer makes up the answer to a request, whose body is gone.
	Answer(w http.ResponseWriter, r *http.Request, operation string)
}

// A Server runs until Close.
type Server struct {
	URL string

	http   *http.Server
	served chan error
}

// Start listens on a free port of this machine. The certificate is used with
// Options.TLS only.
func Start(service Service, o Options, certificate *Certificate) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{URL: "http://" + listener.Addr().String(), served: make(chan error, 1)}
	if o.Bandwidth > 0 {
		listener = pacedListener{listener, o.Bandwidth}
	}
	if o.TLS {
		pair, err := tls.X509KeyPair(certificate.Certificate, certificate.Key)
		if err != nil {
			return nil, errors.Join(err, listener.Close())
		}
		s.URL = "https://" + listener.Addr().String()
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}})
	}
	s.http = &http.Server{Handler: &handler{service: service, latency: o.Latency}}
	go func() { s.served <- s.http.Serve(listener) }()
	return s, nil
}

// Close ends the server and what it has under way.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.served
	return err
}
