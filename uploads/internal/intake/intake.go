// Package intake bounds requests that send bytes to a service: the memory that they take, and how slow they are.
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
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/hostname"
	"github.com/omnibucket/storage/uploads/internal/fairshare"
)

const (
	// PieceBytes is how many bytes of a feed are read at once.
	PieceBytes = 16 << 10
	// FeedBytes is the memory of a feed: one chunk is read while another is used.
	FeedBytes = 2 * PieceBytes
	// All feeds may take one part in feedsShare of the limit. They have memory of their own,
	// because requests that each have a feed would otherwise wait for one another.
	feedsShare = 4
	// The bucket may hold bodiesShare times the limit: the first FileHeld bytes of a file, and all of a
	// part, which takes at most one part in partsHeld of that memory. By default, that is
	// storage.BufferLimit.
	bodiesShare = 8
	partsHeld   = 4
	FileHeld    = 8 << 20
)

// ErrBusy is returned if there is no memory for a request.
var ErrBusy = &storage.Error{
	Code: storage.Unavailable, Err: errors.New("Config.MemoryLimit is used up by requests that send bytes"),
}

// A Memory is the memory that all requests of a service share.
type Memory struct {
	Feeds  *fairshare.Pool // memory for the requests that send bytes
	Parts  *fairshare.Pool // memory for parts and segments
	Bodies *fairshare.Pool // memory for bytes that the bucket holds
	// Wait waits while a call waits for others, and Pulse between two heartbeats. Tests set them.
	Wait, Pulse WaitFunc
}

// A WaitFunc waits for d, or until ctx is done.
type WaitFunc func(ctx context.Context, d time.Duration) error

// Of returns the memory of an *uploads.Service. Package uploads sets it.
var Of func(service any) *Memory

// New returns the memory of a service that has this limit, in bytes.
func New(limit int64) *Memory {
	feeds := limit / feedsShare
	return &Memory{
		Feeds: fairshare.New(feeds, 1), Bodies: fairshare.New(bodiesShare*limit, 1),
		// Three times, so that an upload with no others gets the usual part even from the least
		// limit.
		Parts: fairshare.New(limit-feeds, 3), Wait: ctxtime.Sleep, Pulse: ctxtime.Sleep,
	}
}

// LargestPart returns the greatest size in bytes of a part that the bucket holds.
func (m *Memory) LargestPart() int64 { return m.Bodies.Limit / partsHeld }

// Share takes the memory of a request that sends bytes, of which the bucket may hold up to held bytes
// before more are read. A user always leaves some memory for others. If there is no memory, it returns
// ErrBusy.
func (m *Memory) Share(r *http.Request, user string, held int64) (release func(), err error) {
	if r.ContentLength >= 0 {
		held = min(held, r.ContentLength)
	}
	giveBody, err := Take(m.Bodies, r, user, held)
	if err != nil {
		return nil, err
	}
	giveFeed, err := Take(m.Feeds, r, user, FeedBytes)
	if err != nil {
		giveBody()
		return nil, err
	}
	return func() { giveFeed(); giveBody() }, nil
}

// Take takes bytes of a pool for a request.
func Take(pool *fairshare.Pool, r *http.Request, user string, bytes int64) (release func(), err error) {
	owner := Owner(r, user)
	if bytes > 0 && !pool.Acquire(r.Context(), owner, bytes) {
		return nil, ErrBusy
	}
	return func() { pool.Release(owner, bytes) }, nil
}

// Owner returns who takes memory for a request: the user, or a client if user is "". A client of IPv6 has all
// addresses of a network.
func Owner(r *http.Request, user string) string {
	if user != "" {
		return "user " + user
	}
	host := hostname.Of(r.RemoteAddr)
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().Is6() {
		network, _ := ip.Prefix(64)
		host = network.String()
	}
	return "client " + host
}

const (
	// IdleFor is how long a client may send less than IdleMinimum bytes of a body.
	IdleFor     = time.Minute
	IdleMinimum = 16 << 10
)

// Body returns the body of a request, which fails if the client sends less than 16 KiB in a minute.
// If a middleware hides the connection, a client that sends nothing is ended only by the
// server's ReadTimeout.
func Body(w http.ResponseWriter, r *http.Request) io.ReadCloser {
	return &idleReader{from: r.Body, conn: http.NewResponseController(w)}
}

type idleReader struct {
	from   io.ReadCloser
	conn   *http.ResponseController
	waited time.Duration // how long the last bytes took
	bytes  int           // bytes that came in that time
}

func (r *idleReader) Close() error { return r.from.Close() }

func (r *idleReader) Read(p []byte) (int, error) {
	if r.bytes >= IdleMinimum {
		r.waited, r.bytes = 0, 0
	}
	if r.waited >= IdleFor {
		return 0, os.ErrDeadlineExceeded
	}
	began := time.Now()
	_ = r.conn.SetReadDeadline(began.Add(IdleFor - r.waited))
	n, err := r.from.Read(p)
	r.waited, r.bytes = r.waited+time.Since(began), r.bytes+n
	if err != nil { // the rest of the call may take longer
		_ = r.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}
