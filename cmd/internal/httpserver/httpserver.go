// Package httpserver serves HTTP until a context is done.
package httpserver

import (
	"context"
	"net"
	"net/http"
	"time"
)

// grace is how long requests may take to finish after the context is done.
const grace = 10 * time.Second

// Serve serves until ctx is done, and then lets requests finish for 10 seconds. It
// closes the listener.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	finishing, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if server.Shutdown(finishing) != nil {
		_ = server.Close() // ends unfinished responses
	}
	<-ended
	return nil
}

// ReachableAddress returns an address with which a client on this machine can connect.
func ReachableAddress(listening net.Addr) string {
	host, port, err := net.SplitHostPort(listening.String())
	if err != nil {
		return listening.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
