// Package webserver has what the HTTP servers and handlers of this repository share. It serves until a context is done,
// and checks the host name with which a client calls. It refuses a request before its body was read, sets request IDs,
// and writes JSON responses and the header Retry-After.
package webserver

import (
	"context"
	"net"
	"net/http"
	"time"
)

// shutdownGrace is how long requests in progress may continue after the context is done.
const shutdownGrace = 10 * time.Second

// Serve serves HTTP on listener until ctx is done, and then closes the listener. Requests in
// progress may continue for another 10 seconds.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	errc := make(chan error, 1)
	go func() { errc <- server.Serve(listener) }()

	select {
	case err := <-errc:
		return err
	case <-ctx.Done():
	}

	shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if server.Shutdown(shutdownCtx) != nil {
		_ = server.Close() // ends unfinished responses
	}
	<-errc
	return nil
}

// Guard protects a server that listens only on a loopback address: it refuses requests whose Host
// is not a name of this machine. Otherwise a website in a browser on this machine could use a name
// that points to 127.0.0.1, and read the responses. For any other address, it returns next
// unchanged.
func Guard(listening net.Addr, names []string, next http.Handler) http.Handler {
	addr, ok := listening.(*net.TCPAddr)
	if !ok || !addr.IP.IsLoopback() {
		return next
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if IsKnownHost(r.Host, names) {
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

// ReachableAddress returns an address at which a client on this machine can connect. For a server
// that listens on all addresses, the host is localhost.
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
