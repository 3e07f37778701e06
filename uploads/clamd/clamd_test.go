package clamd_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/clamd"
)

// New refuses an invalid Config.
func TestNewRefusesConfig(t *testing.T) {
	accept := func(context.Context, *uploads.File, error) {}
	valid := func(address string) clamd.Config { return clamd.Config{Address: address, IfDown: clamd.Refuse} }
	tests := []struct {
		name   string
		config clamd.Config
		want   string // part of the error; "" if the config is valid
	}{
		{name: "a socket", config: valid("unix:///run/clamav/clamd.ctl")},
		{name: "a port", config: valid("tcp://127.0.0.1:3310")},
		{name: "a port of a host", config: valid("tcp://clamav.internal:3310")},
		{name: "a port in IPv6", config: valid("tcp://[::1]:3310")},
		{name: "a socket whose path has a space", config: valid("unix:///run/clam%20av/clamd.ctl")},
		{name: "accept", config: clamd.Config{Address: "tcp://a:1", IfDown: clamd.Accept, OnAccept: accept}},
		{name: "nothing", config: clamd.Config{}, want: "Config.Address"},
		{name: "no policy", config: clamd.Config{Address: "tcp://a:1"}, want: "Config.IfDown must be Refuse or Accept"},
		{name: "an unknown policy", config: clamd.Config{Address: "tcp://a:1", IfDown: 3}, want: "Config.IfDown"},
		{
			name:   "accept in silence",
			config: clamd.Config{Address: "tcp://a:1", IfDown: clamd.Accept},
			want:   "Config.OnAccept must not be nil",
		},
		{
			name:   "refuse, with a function",
			config: clamd.Config{Address: "tcp://a:1", IfDown: clamd.Refuse, OnAccept: accept},
			want:   "Config.OnAccept must be nil",
		},
		{
			name:   "a negative size",
			config: clamd.Config{Address: "tcp://a:1", IfDown: clamd.Refuse, MaxSize: -1},
			want:   "Config.MaxSize",
		},
		{
			name:   "a size of 2 GiB",
			config: clamd.Config{Address: "tcp://a:1", IfDown: clamd.Refuse, MaxSize: 2 << 30},
			want:   "Config.MaxSize",
		},
		{
			name:   "a negative timeout",
			config: clamd.Config{Address: "tcp://a:1", IfDown: clamd.Refuse, Timeout: -1},
			want:   "Config.Timeout",
		},
		{name: "a path", config: valid("/run/clamav/clamd.ctl"), want: "Config.Address"},
		{name: "a host", config: valid("127.0.0.1:3310"), want: "Config.Address"},
		{name: "http", config: valid("http://127.0.0.1:3310"), want: "Config.Address"},
		{name: "a relative path", config: valid("unix:run/clamd.ctl"), want: "Config.Address"},
		{
			name:   "a path with two slashes",
			config: valid("unix://run/clamd.ctl"),
			want:   "must be that of a socket, and absolute",
		},
		{name: "a directory", config: valid("unix:///run/clamav/"), want: "Config.Address"},
		{name: "a zero byte", config: valid("unix:///run/clamd%00"), want: "Config.Address"},
		{
			name:   "a path that is too long",
			config: valid("unix:///" + strings.Repeat("a", 103)),
			want:   "at most 103 bytes",
		},
		{name: "no port", config: valid("tcp://127.0.0.1"), want: "Config.Address"},
		{name: "port 0", config: valid("tcp://127.0.0.1:0"), want: "Config.Address"},
		{name: "a port of six digits", config: valid("tcp://127.0.0.1:131072"), want: "Config.Address"},
		{name: "no host", config: valid("tcp://:3310"), want: "Config.Address"},
		{name: "a port and a path", config: valid("tcp://127.0.0.1:3310/"), want: "Config.Address"},
		{name: "a user", config: valid("tcp://user@127.0.0.1:3310"), want: "Config.Address"},
		{name: "a query", config: valid("tcp://127.0.0.1:3310?tls=true"), want: "Config.Address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := clamd.New(tt.config)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// Inspect sends the whole content to clamd.
func TestInspectSendsWholeContent(t *testing.T) {
	const chunk = 64 << 10
	const pattern = "0123456789abcdef!" // its length divides no chunk, so chunks are different
	for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 1 << 20} {
		content := strings.Repeat(pattern, size/len(pattern)+1)[:size]
		s := startServer(t, "unix", &server{scan: func(c *client) {
			if got, err := c.receive(); err == nil && got == content {
				c.say("stream: OK\x00")
			}
		}})
		f := newScanner(t, clamd.Config{Address: s.address, IfDown: clamd.Refuse, MaxSize: 1 << 20})
		r := newContent(t, memstore.New(), content)
		require.NoError(t, f.scanner.Inspect(t.Context(), &uploads.File{}, r), "%d bytes", size)

		// A second Inspect sends the content again, although the first Inspect has read the content
		// to its end.
		require.NoError(t, f.scanner.Inspect(t.Context(), &uploads.File{}, r), "%d bytes", size)
	}
}

// Inspect refuses a file above MaxSize without connecting to clamd.
func TestInspectRefusesFilesAboveMaxSize(t *testing.T) {
	const maxSize = 10
	f := newScanner(t, clamd.Config{Address: "unix:///no/such/socket", IfDown: clamd.Accept, MaxSize: maxSize})

	require.Equal(t, uploads.TooLarge, uploads.CodeOf(f.scan(t, strings.Repeat("x", maxSize+1))))
	require.Empty(t, f.accepted, "a file that is too large is refused even if clamd is down")

	require.NoError(t, f.scan(t, strings.Repeat("x", maxSize)))
	require.Len(t, f.accepted, 1)
}

// If Inspect cannot reach clamd, Config.IfDown decides.
func TestInspectServerUnreachable(t *testing.T) {
	// Nobody listens on the port of a closed listener.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closedAddr := listener.Addr().String()
	require.NoError(t, listener.Close())

	for _, address := range []string{"unix:///no/such/socket", "tcp://" + closedAddr} {
		// With Refuse, every call fails.
		f := newScanner(t, clamd.Config{Address: address, IfDown: clamd.Refuse})
		require.ErrorIs(t, f.scan(t, "content"), storage.Unavailable)
		require.ErrorIs(t, f.scanner.Ping(t.Context()), storage.Unavailable)
		_, err := f.scanner.Version(t.Context())
		require.ErrorIs(t, err, storage.Unavailable)

		// With Accept, the file passes, and the application is told why.
		f = newScanner(t, clamd.Config{Address: address, IfDown: clamd.Accept})
		require.NoError(t, f.scan(t, "content"))
		require.ErrorIs(t, f.accepted[0], storage.Unavailable)
	}
}

// If the context ends during Inspect, Inspect fails, and Config.IfDown does not apply.
func TestInspectEndsWithContext(t *testing.T) {
	tests := []struct {
		name string
		scan func(c *client, cancel func()) // what the server does for a scan; cancel ends the context
		ping func(c *client, cancel func()) // what the server does for a PING; nil means "PONG"
	}{
		{
			name: "before the stream ends",
			scan: func(c *client, cancel func()) {
				_, _ = c.in.Peek(1)
				cancel()
			},
		},
		{
			name: "before the reply",
			scan: func(c *client, cancel func()) {
				_, _ = c.receive()
				cancel()
				c.drain()
			},
		},
		{
			name: "in the middle of the reply",
			scan: func(c *client, cancel func()) {
				_, _ = c.receive()
				c.say("stream: OK")
				cancel()
				c.drain()
			},
		},
		{
			name: "before PONG",
			scan: func(*client, func()) {}, // the connection breaks, so the scanner pings
			ping: func(c *client, cancel func()) {
				cancel()
				c.drain()
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := &server{scan: func(c *client) { tt.scan(c, cancel) }}
			if tt.ping != nil {
				s.ping = func(c *client) { tt.ping(c, cancel) }
			}
			startServer(t, "unix", s)
			f := newScanner(t, clamd.Config{Address: s.address, IfDown: clamd.Accept})

			// The context ends during this scan.
			content := newContent(t, memstore.New(), strings.Repeat("x", 8<<20))
			err := f.scanner.Inspect(ctx, &uploads.File{Key: "name"}, content)
			require.ErrorIs(t, err, storage.Canceled)
			require.Empty(t, f.accepted)
		})
	}

	t.Run("before the call", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		f := newScanner(t, clamd.Config{Address: "unix:///no/such/socket", IfDown: clamd.Accept})
		content := newContent(t, memstore.New(), "x")

		require.ErrorIs(t, f.scanner.Inspect(ctx, &uploads.File{}, content), storage.Canceled)
		require.ErrorIs(t, f.scanner.Ping(ctx), storage.Canceled)
		require.Empty(t, f.accepted)
	})

	t.Run("by its deadline", func(t *testing.T) {
		s := startServer(t, "unix", &server{scan: (*client).drain, ping: (*client).drain})
		f := newScanner(t, clamd.Config{Address: s.address, IfDown: clamd.Accept})
		content := newContent(t, memstore.New(), "x")

		// In each round, the deadline can pass at another step of Inspect.
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			err := f.scanner.Inspect(ctx, &uploads.File{}, content)
			require.ErrorIs(t, err, storage.DeadlineExceeded)
			require.ErrorIs(t, f.scanner.Ping(ctx), storage.DeadlineExceeded)
			cancel()
		}
		require.Empty(t, f.accepted)
	})
}

// Inspect believes the reply "FOUND" even if clamd sends it before it has the whole content. It
// does not believe an early "OK".
func TestInspectEarlyReply(t *testing.T) {
	tests := []struct {
		reply string
		want  any // a storage.Code or an uploads.Code
	}{
		{reply: "stream: OK\x00", want: storage.Unavailable},
		{reply: "stream: Eicar FOUND\x00", want: uploads.Refused},
	}
	for _, tt := range tests {
		t.Run(tt.reply, func(t *testing.T) {
			// The server replies before it receives anything.
			replied := make(chan struct{})
			s := startServer(t, "unix", &server{scan: func(c *client) {
				c.say(tt.reply)
				close(replied)
				_, _ = c.receive()
			}})
			f := newScanner(t, clamd.Config{Address: s.address, IfDown: clamd.Refuse})

			// Inspect cannot read the content before the reply.
			var isInspecting atomic.Bool
			delay := delayReads(&isInspecting, replied)
			content := newContent(t, memstore.New(delay), strings.Repeat("x", 1<<20))

			isInspecting.Store(true)
			err := f.scanner.Inspect(t.Context(), &uploads.File{Key: "name"}, content)
			require.Equal(t, tt.want, codes(err))
		})
	}
}

// delayReads returns a layer of a bucket. If a read begins while isDelayed is true, the layer
// delays it until the channel end is closed.
func delayReads(isDelayed *atomic.Bool, end <-chan struct{}) storage.OpenOption {
	return driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			isRead := call == "Get"
			if isRead && isDelayed.Load() {
				<-end
			}
			return next(ctx)
		})
	})
}

// If Inspect cannot read the content, it returns the error of the read, even with IfDown: Accept.
func TestInspectUnreadableContent(t *testing.T) {
	// clamd itself works, and finds nothing.
	s := startServer(t, "unix", &server{scan: replies("stream: OK\x00"), ping: func(*client) {}})
	f := newScanner(t, clamd.Config{Address: s.address, IfDown: clamd.Accept})

	// A layer makes the reads of the store fail while storeFails is true.
	var storeFails atomic.Bool
	bucket := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == "Get" && storeFails.Load() {
				return &storage.Error{Code: storage.PermissionDenied, Err: errors.New("no more")}
			}
			return next(ctx)
		})
	}))

	content := newContent(t, bucket, strings.Repeat("x", 1<<20))

	// The store fails.
	storeFails.Store(true)
	require.ErrorIs(t, f.scanner.Inspect(t.Context(), &uploads.File{}, content), storage.PermissionDenied)

	// The store works again.
	storeFails.Store(false)
	require.NoError(t, f.scanner.Inspect(t.Context(), &uploads.File{}, content))

	// The content is closed.
	require.NoError(t, content.Close())
	require.ErrorIs(t, f.scanner.Inspect(t.Context(), &uploads.File{}, content), storage.InvalidArgument)
	require.Empty(t, f.accepted)
}

// Ping and Version accept the replies of clamd. Version also returns the reply to its command.
func TestPingAndVersion(t *testing.T) {
	s := startServer(t, "tcp", &server{})
	f := newScanner(t, clamd.Config{Address: s.address, IfDown: clamd.Refuse})

	require.NoError(t, f.scanner.Ping(t.Context()))
	version, err := f.scanner.Version(t.Context())
	require.NoError(t, err)
	require.Equal(t, "ClamAV 1.4.6/27700/Wed Jul 16 08:39:51 2025", version)
}

// Ping fails if the reply differs from clamd's in any byte.
func TestPingRefusesOtherReplies(t *testing.T) {
	for _, reply := range []string{
		"", "PONG", "PONG\n\x00", "pong\x00", "PONG\x00PONG\x00", "HTTP/1.1 400 Bad Request\r\n",
	} {
		s := startServer(t, "tcp", &server{ping: func(c *client) {
			c.say(reply)
		}})
		f := newScanner(t, clamd.Config{Address: s.address, IfDown: clamd.Refuse})
		require.ErrorIs(t, f.scanner.Ping(t.Context()), storage.Unavailable, "%q", reply)
	}
}

// Inspect of a large file adds less than 16 MiB to the heap. "make test-all" sends 1 GiB.
func TestInspectMemory(t *testing.T) {
	const maxGrowth = 16 << 20                      // bytes of the heap
	size := testserver.Sample[int64](64<<20, 1<<30) // bytes of the content

	// The content is a sparse file.
	dir := t.TempDir()
	film := filepath.Join(dir, "film")
	require.NoError(t, os.WriteFile(film, nil, 0o600))
	require.NoError(t, os.Truncate(film, size))
	bucket, err := local.Open(dir, local.Config{})
	require.NoError(t, err)
	content, err := storage.NewReaderAt(t.Context(), bucket, "film")
	require.NoError(t, err)
	defer content.Close()

	// The server measures the heap while it receives the content.
	var peak heapPeak
	s := startServer(t, "unix", &server{scan: func(c *client) {
		if err := c.receiveTo(&peak); err == nil {
			c.say("stream: OK\x00")
		}
	}})
	f := newScanner(t, clamd.Config{Address: s.address, IfDown: clamd.Refuse, MaxSize: size})

	// Measure the heap before the scan.
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)

	start := time.Now()
	require.NoError(t, f.scanner.Inspect(t.Context(), &uploads.File{}, content))

	added := peak.bytes - int64(before.HeapAlloc)
	t.Logf("%d MiB in %v, with %d KiB more on the heap", size>>20, time.Since(start), added>>10)
	require.Equal(t, size, peak.received)
	require.Less(t, added, int64(maxGrowth))
}

// A heapPeak counts the received content, and keeps the largest size of the heap. It measures the
// heap once in each 8 MiB of content.
type heapPeak struct{ received, bytes int64 }

// Write counts the bytes, and measures the heap once in each 8 MiB.
func (p *heapPeak) Write(b []byte) (int, error) {
	const step = 8 << 20
	if p.received/step != (p.received+int64(len(b)))/step {
		var current runtime.MemStats
		runtime.ReadMemStats(&current)
		p.bytes = max(p.bytes, int64(current.HeapAlloc))
	}
	p.received += int64(len(b))
	return len(b), nil
}
