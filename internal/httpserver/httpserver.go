// Package httpserver serves HTTP until a context is done.
package httpserver

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/omnibucket/storage/internal/hostname"
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

// Guard returns a handler that answers only to the names of this machine if only this machine can connect. A
// browser on it shows pages of other sites, and such a page could read the responses through a name that leads
// to this machine.
func Guard(listening net.Addr, names []string, next http.Handler) http.Handler {
	if at, ok := listening.(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hostname.IsKnown(r.Host, names) {
			next.ServeHTTP(w, r)
			return
		}
		http.Error(
			w,
			"the name in the header Host is not known: use an IP address or localhost, or start the server with --domain NAME",
			http.StatusMisdirectedRequest,
		)
	})
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
