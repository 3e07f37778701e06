// Package intake reads requests that send bytes to a service. Its main type is [Call]. It limits the
// [Memory] of all requests, and ends requests that are too slow.
package intake

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/uploads/internal/fairshare"
)

const (
	// PieceBytes is how many bytes of a request's body are read at the same time.
	PieceBytes = 16 << 10
	// FeedBytes is the memory for reading one body. It has two chunks, so that one can be read
	// while the other is used.
	FeedBytes = 2 * PieceBytes
	// FileHeld is how many bytes of a file the bucket buffers at most. It buffers all bytes of a part.
	FileHeld = 8 << 20
	// largestParts divides the memory for what the bucket buffers. The quotient is the largest
	// permitted size of a part, because the bucket buffers all bytes of a part. By default, it is
	// 128 MiB, like the default of storage.BufferLimit.
	largestParts = 4
)

// ErrBusy is the error if a request finds no free memory.
var ErrBusy = &storage.Error{
	Code: storage.Unavailable,
	Err:  errors.New("Config.MemoryLimit is used up by requests that send bytes"),
}

// A Memory is the memory that all requests of a service share.
type Memory struct {
	Feeds  *fairshare.Pool // memory for reading request bodies
	Parts  *fairshare.Pool // memory for parts and segments
	Bodies *fairshare.Pool // memory for bytes that the bucket buffers
	// Wait pauses a call that waits for other calls. Pulse pauses between two renewals of a claim
	// on an upload. Tests replace both.
	Wait, Pulse WaitFunc
}

// A WaitFunc waits for d, or until ctx is done.
type WaitFunc func(ctx context.Context, d time.Duration) error

// Of is a function that returns the memory of an *uploads.Service. Package uploads sets this
// variable, because this package cannot import package uploads.
var Of func(service any) *Memory

// New returns the Memory of a service whose Config.MemoryLimit is limit bytes: a quarter for reading bodies, and
// three quarters for parts. Without this division, requests that hold memory for reading could all wait for one
// another. The bucket may buffer eight times the limit in addition.
func New(limit int64) *Memory {
	feedsLimit := limit / 4
	partsLimit := limit - feedsLimit
	bodiesLimit := 8 * limit

	// One user gets at most this factor of what remains for the other users: with 1, half of the memory, and with
	// 3, three quarters of it. Three quarters of the smallest MemoryLimit suffice for a usual part.
	const halfFactor = 1
	const threeQuartersFactor = 3
	return &Memory{
		Feeds:  fairshare.New(feedsLimit, halfFactor),
		Parts:  fairshare.New(partsLimit, threeQuartersFactor),
		Bodies: fairshare.New(bodiesLimit, halfFactor),
		Wait:   running.Sleep,
		Pulse:  running.Sleep,
	}
}

// LargestPart returns the size in bytes of the largest part that may pass through the bucket.
func (m *Memory) LargestPart() int64 { return m.Bodies.Limit / largestParts }

// Share takes memory for a request that sends bytes, until release is called: FeedBytes for reading the body,
// and bufferSize bytes for the buffer of the bucket, or fewer if the body is shorter. It fails with ErrBusy
// if there is no memory.
func (m *Memory) Share(r *http.Request, user string, bufferSize int64) (release func(), err error) {
	if r.ContentLength >= 0 {
		bufferSize = min(bufferSize, r.ContentLength)
	}
	releaseBody, err := Take(m.Bodies, r, user, bufferSize)
	if err != nil {
		return nil, err
	}
	releaseFeed, err := Take(m.Feeds, r, user, FeedBytes)
	if err != nil {
		releaseBody()
		return nil, err
	}
	return func() {
		releaseFeed()
		releaseBody()
	}, nil
}

// Take takes bytes from a pool for a request until release is called, and fails with ErrBusy if there are
// too few.
func Take(pool *fairshare.Pool, r *http.Request, user string, bytes int64) (release func(), err error) {
	owner := Owner(r, user)
	if bytes > 0 && !pool.Acquire(r.Context(), owner, bytes) {
		return nil, ErrBusy
	}
	return func() { pool.Release(owner, bytes) }, nil
}

// Owner returns the owner of the memory that a request takes: the user or, if user is "", the address of the
// client.
func Owner(r *http.Request, user string) string {
	if user != "" {
		return "user " + user
	}

	host := webserver.HostName(r.RemoteAddr)
	ip, err := netip.ParseAddr(host)
	if err == nil && ip.Unmap().Is6() {
		// A client can use all addresses of a network.
		const networkBits = 64
		network, _ := ip.Prefix(networkBits) // never fails for so few bits
		host = network.String()
	}
	return "client " + host
}

const (
	// A client that sends less than IdleMinimum bytes of a body within IdleFor is disconnected.
	IdleFor     = time.Minute
	IdleMinimum = 16 << 10
)

// Body returns the body of a request, whose Read fails if the client sends less than 16 KiB in a minute. If a
// middleware hides the connection, only the server's ReadTimeout ends a client that sends nothing.
func Body(w http.ResponseWriter, r *http.Request) io.ReadCloser {
	return &idleReader{src: r.Body, conn: http.NewResponseController(w)}
}

// An idleReader reads a body, and fails if the client sends too slowly.
type idleReader struct {
	src    io.ReadCloser
	conn   *http.ResponseController
	waited time.Duration // how long the reads of the current interval took
	bytes  int           // bytes that were read in that interval
}

func (r *idleReader) Close() error { return r.src.Close() }

// Read fails if fewer than IdleMinimum bytes have arrived while reads have waited for IdleFor in total.
func (r *idleReader) Read(p []byte) (int, error) {
	// Enough bytes have arrived, so begin a new period.
	if r.bytes >= IdleMinimum {
		r.waited = 0
		r.bytes = 0
	}
	if r.waited >= IdleFor {
		return 0, os.ErrDeadlineExceeded
	}

	// If the connection has no deadlines, only the server's ReadTimeout ends this Read.
	start := time.Now()
	_ = r.conn.SetReadDeadline(start.Add(IdleFor - r.waited))
	n, err := r.src.Read(p)
	r.waited += time.Since(start)
	r.bytes += n
	if err != nil {
		// Remove the deadline, because the rest of the request may take longer.
		_ = r.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}
