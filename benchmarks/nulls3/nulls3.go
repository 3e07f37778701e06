// Package nulls3 is an S3 server that keeps nothing: it accepts every request
// without looking at its signature or its checksums, counts it, throws its body
// away, and makes up what it answers. So it costs little beside the client that
// is measured, and the same for every client.
//
// The size of an object is the first segment of its key, "1048576/name", and so
// many objects are listed as the first segment of the prefix says. Every path is
// bucket and key: names in the host are not read.
package nulls3

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

// A Server runs until Close.
type Server struct {
	URL string

	http   *http.Server
	served chan error
}

// Start listens on a free port of this machine. The certificate is used with
// Options.TLS only.
func Start(o Options, certificate *Certificate) (*Server, error) {
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
	s.http = &http.Server{Handler: &handler{latency: o.Latency}}
	go func() { s.served <- s.http.Serve(listener) }()
	return s, nil
}

// Close ends the server and what it has under way.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.served
	return err
}
