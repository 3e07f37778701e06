// Package nullserver is the common part of servers that store nothing. They accept
// each request without checking signatures or checksums, count it, discard its body,
// and generate the response. They cost little compared to the measured client, and
// the same for each client.
//
// The first segment of a key is the size of the object: "1048576/name". The first
// segment of a prefix is the number of listed objects.
package nullserver

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

// Options are the simulated distance of the server. The zero value is none.
type Options struct {
	TLS       bool
	Latency   time.Duration // before each response
	Bandwidth int64         // bytes per second of a connection in each direction; 0 for no limit
	Link      int64         // bytes per second of all connections together, likewise
	Stall     time.Duration // before one in StallEvery responses, in addition
	// StallEvery is 0 if no response stalls.
	StallEvery int64
}

// A Service is the protocol of a server.
type Service interface {
	// Operation returns the name under which a request is counted.
	Operation(r *http.Request) string
	// Respond responds to a request, whose body was discarded.
	Respond(w http.ResponseWriter, r *http.Request, operation string)
}

// A Server runs until Close.
type Server struct {
	URL string

	http   *http.Server
	served chan error
}

// Start listens on a free port of this machine. It uses the certificate if
// [Options.TLS] is set.
func Start(service Service, o Options, certificate *Certificate) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{URL: "http://" + listener.Addr().String(), served: make(chan error, 1)}
	if o.Bandwidth > 0 {
		listener = &pacedListener{
			Listener: listener, rate: o.Bandwidth, in: link{rate: o.Link}, out: link{rate: o.Link},
		}
	}
	if o.TLS {
		pair, err := tls.X509KeyPair(certificate.Certificate, certificate.Key)
		if err != nil {
			return nil, errors.Join(err, listener.Close())
		}
		s.URL = "https://" + listener.Addr().String()
		listener = tls.NewListener(
			listener, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}},
		)
	}
	s.http = &http.Server{Handler: &handler{service: service, options: o}}
	go func() { s.served <- s.http.Serve(listener) }()
	return s, nil
}

// Close stops the server and its connections.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.served
	return err
}
