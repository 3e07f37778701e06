// Package nullserver is the common part of null servers: servers that store nothing. They do not
// check signatures or checksums. They count each request, discard its body, and generate the
// response. This takes little time compared to the measured client, and the same time for each
// client.
//
// The first segment of a key is the size of the object, as in "1048576/name". The first segment of
// a prefix is the number of objects in its listing.
package nullserver

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

// Options makes the server behave like a distant or slow one. The zero value adds no delay.
type Options struct {
	TLS       bool
	Latency   time.Duration // delay before each response
	Bandwidth int64         // bytes per second of each connection in each direction; 0 means no limit
	Link      int64         // bytes per second of all connections together in each direction; 0 means no limit
	Stall     time.Duration // additional delay before some responses
	// StallEvery says how often Stall applies. If it is 50, one of 50 responses is delayed. If it
	// is 0, none is.
	StallEvery int64
}

// A Service implements the protocol of one provider.
type Service interface {
	// Operation returns the name under which a request is counted.
	Operation(r *http.Request) string
	// Respond sends the response to a request. The body of the request was already discarded.
	Respond(w http.ResponseWriter, r *http.Request, operation string)
}

// A Server is a running server. Close stops it.
type Server struct {
	URL string

	http   *http.Server
	served chan error
}

// Start starts a server on a free port of this machine. It uses the certificate only if
// [Options.TLS] is true.
func Start(service Service, o Options, certificate *Certificate) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}

	s := &Server{URL: "http://" + listener.Addr().String(), served: make(chan error, 1)}
	if o.Bandwidth > 0 {
		listener = &pacedListener{
			Listener: listener,
			rate:     o.Bandwidth,
			in:       link{rate: o.Link},
			out:      link{rate: o.Link},
		}
	}

	if o.TLS {
		pair, err := tls.X509KeyPair(certificate.Certificate, certificate.Key)
		if err != nil {
			return nil, errors.Join(err, listener.Close())
		}
		s.URL = "https://" + listener.Addr().String()
		listener = tls.NewListener(listener, &tls.Config{
			Certificates: []tls.Certificate{pair},
			NextProtos:   []string{"http/1.1"},
		})
	}

	s.http = &http.Server{Handler: &handler{service: service, options: o}}
	go func() { s.served <- s.http.Serve(listener) }()
	return s, nil
}

// Close stops the server and closes its connections.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.served
	return err
}
