package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/omnibucket/storage"
)

// A Server serves a local or memory bucket on this machine, so that its signed and public URLs
// work. It is for tests and laptops.
type Server struct {
	Bucket storage.Bucket
	URL    string // http://127.0.0.1:port, without a slash at its end

	http        *http.Server
	served      chan struct{} // closed when no further connection is accepted
	connections sync.WaitGroup
	closing     sync.Once
	patience    time.Duration // longest wait of Close for requests in progress

	mu sync.Mutex
	// unusedConns holds the connections without a request so far. After Close it is nil, and no
	// connection is accepted.
	unusedConns map[net.Conn]struct{}
}

const (
	// headerTimeout limits how long a client may take to send the header of a request. closeTimeout
	// limits how long Close waits for requests in progress.
	headerTimeout = 10 * time.Second
	closeTimeout  = 5 * time.Second
)

// NewServer listens on a free port of the loopback interface, calls open with the
// address, and serves the bucket with [NewHandler].
//
//	server, err := serve.NewServer(func(baseURL string) (storage.Bucket, error) {
//		return memstore.New(storage.WithSigningBaseURL(baseURL)), nil
//	})
//	…
//	defer server.Close()
//	signed, err := server.Bucket.SignedUploadURL(ctx, "photo.jpg")
//
// An error of open is returned unchanged. If no port is free, it fails with
// Unavailable. A client has 10 seconds to send a request's header. Bodies have no
// deadline, so that a debugger may pause them; [Server.Close] cuts them off.
func NewServer(open func(baseURL string) (storage.Bucket, error), opts ...Option) (*Server, error) {
	listener, err := listen()
	if err != nil {
		return nil, &storage.Error{Code: storage.Unavailable, Op: "NewServer", Err: err}
	}

	s := &Server{
		URL:         "http://" + listener.Addr().String(),
		served:      make(chan struct{}),
		patience:    closeTimeout,
		unusedConns: map[net.Conn]struct{}{},
	}

	// The bucket needs the address to sign URLs.
	bucket, err := open(s.URL)
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	if bucket == nil {
		_ = listener.Close()
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "NewServer",
			Err:  errors.New("open must return a bucket"),
		}
	}
	s.Bucket = bucket

	s.http = &http.Server{
		Handler:           NewHandler(s.Bucket, opts...),
		ReadHeaderTimeout: headerTimeout,
		ConnState:         s.track,
	}
	go func() {
		defer close(s.served)
		// Serve ends with Close, and its error only says so.
		_ = s.http.Serve(listener)
	}()
	return s, nil
}

// listen listens on a free port of 127.0.0.1, or of ::1 on a machine without IPv4.
func listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return net.Listen("tcp", "[::1]:0")
	}
	return listener, nil
}

// track counts connections, and records those without a request so that Close can close them.
// http.Server.Shutdown would wait for a request on each connection that a browser opens in advance.
func (s *Server) track(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if state == http.StateNew {
		s.connections.Add(1)
		// Close has set the map to nil.
		isClosing := s.unusedConns == nil
		if isClosing {
			_ = c.Close()
			return
		}
		s.unusedConns[c] = struct{}{}
		return
	}

	// The connection has a request, or has ended.
	delete(s.unusedConns, c)
	if state == http.StateClosed || state == http.StateHijacked {
		s.connections.Done()
	}
}

// Close waits at most 5 seconds for requests in progress, and then ends them. It closes the bucket
// and stops every goroutine. It may be called more than once, but not during a request to this
// server.
func (s *Server) Close() {
	s.closing.Do(s.close)
}

// close does the work of Close. It drops errors, which nobody could handle at the end of a test.
func (s *Server) close() {
	s.closeUnused()

	// Give the requests in progress some time, and then cut them off.
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	<-s.served
	s.connections.Wait()
	_ = storage.Close(s.Bucket)
}

// closeUnused closes the connections without a request so far, and those that come later.
func (s *Server) closeUnused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.unusedConns {
		_ = c.Close()
	}
	s.unusedConns = nil
}
