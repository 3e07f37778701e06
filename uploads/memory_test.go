package uploads_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// sendAndStall begins to send a file with data, and keeps the request open until stop is called.
func (s *sessionSite) sendAndStall(location, checksum string, data []byte) (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	body, pipe := io.Pipe()
	var group sync.WaitGroup
	group.Go(func() {
		_, _ = s.try(ctx, alice, "PATCH", location, body, headers{
			"Tus-Resumable":   "1.0.0",
			"Content-Type":    "application/offset+octet-stream",
			"Upload-Offset":   "0",
			"Upload-Checksum": checksum,
		})
	})
	group.Go(func() {
		_, _ = pipe.Write(data)
	})

	return func() {
		cancel()
		_ = pipe.Close()
		group.Wait()
	}
}

// Slow tus clients take little more memory than they have sent, so that other clients need not wait.
func TestTusMemoryOfSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			clients   = 8
			sent      = 100 << 10             // bytes of each client
			minMemory = clients * sent        // bytes
			maxMemory = clients * (256 << 10) // bytes
		)
		s := newSynctestSite(t, memstore.New(), uploads.Config{MemoryLimit: 16 << 20})
		s.handler.SetBasePart(uploads.BasePart)
		const tick, checkpoint, idle = time.Second, time.Minute, time.Minute
		s.handler.SetPace(tick, checkpoint, idle)
		data := content(uploads.BasePart + 1000)

		// Each slow client sends some bytes, and then stalls.
		for i := range clients {
			location := s.create("Upload-Length", size(data), "Upload-Metadata", filenameMetadata(itoa(int64(i))))
			stop := s.sendAndStall(location, "", data[:sent])
			defer stop()
		}
		hasArrived := func() bool { return s.handler.MemoryUsed() >= minMemory }
		require.Eventually(t, hasArrived, time.Minute, time.Millisecond)

		// Another client sends a whole file meanwhile.
		location := s.create("Upload-Length", size(data), "Upload-Metadata", filenameMetadata("fast"))
		s.patch(location, 0, data, int64(len(data)))
		s.requireStored("files/alice/fast", data)
		require.LessOrEqual(t, s.handler.MemoryUsed(), int64(maxMemory))
	})
}

// If a tus client stalls, the service stores the bytes that have arrived, and frees their memory. If the request has a
// checksum, which the service cannot verify yet, it drops the bytes.
func TestTusMemoryOfStalledClient(t *testing.T) {
	const partSize = 1 << 20
	const sent = 900 << 10 // bytes that the client sends before it stalls
	anySHA256 := "sha256 " + base64.StdEncoding.EncodeToString(make([]byte, sha256.Size))
	tests := []struct {
		name     string
		checksum string
		stored   int // bytes of the stalled upload that the service has stored
	}{
		{name: "without a checksum", stored: sent},
		{name: "with a checksum", checksum: anySHA256, stored: 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// Memory suffices for one part and a half, so not for two uploads.
				s := newSynctestSite(t, memstore.New(), uploads.Config{})
				s.handler.SetBasePart(partSize)
				s.handler.SetMemory(partSize + partSize/2)

				// The service stores what has arrived after 200 ms, and would end a silent client after a minute.
				const tick, checkpoint, idle = 10 * time.Millisecond, 200 * time.Millisecond, time.Minute
				s.handler.SetPace(tick, checkpoint, idle)
				data := content(partSize + 1000)
				slow := s.create("Upload-Length", size(data), "Upload-Metadata", filenameMetadata("slow"))

				// One client stalls after most of a part.
				stop := s.sendAndStall(slow, tt.checksum, data[:sent])
				defer stop()
				require.Eventually(t, func() bool {
					return s.handler.MemoryUsed() > partSize/2
				}, time.Minute, time.Millisecond)

				// Another client's upload succeeds, because the memory was freed.
				location := s.create("Upload-Length", size(data), "Upload-Metadata", filenameMetadata("fast"))
				s.patch(location, 0, data, int64(len(data)))
				s.requireStored("files/alice/fast", data)
				require.EqualValues(t, tt.stored, s.offset(slow))

				// The first client continues with the bytes that are not stored.
				s.patch(slow, int64(tt.stored), data[tt.stored:], int64(len(data)))
				s.requireStored("files/alice/slow", data)
			})
		})
	}
}

// Several tus uploads whose parts do not fit into memory together all succeed, because they take turns.
func TestTusMemoryIsTakenInTurns(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{})

	// Memory suffices for one part and a half. Each file has two parts and a half, and some bytes.
	const partSize = 1 << 20
	s.handler.SetBasePart(partSize)
	s.handler.SetMemory(partSize + partSize/2)
	data := content(2*partSize + partSize/2 + 1234)
	sum := sha256.Sum256(data)

	// All clients send their files at the same time. Some send a checksum, too, which makes the service hold all bytes.
	const clients = 12
	checksum := "sha256 " + base64.StdEncoding.EncodeToString(sum[:])
	answers := make([]*answer, clients)
	errs := make([]error, clients)
	var group sync.WaitGroup
	for i := range clients {
		location := s.create("Upload-Length", size(data), "Upload-Metadata", filenameMetadata(itoa(int64(i))))
		h := headers{"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
		isEveryThird := i%3 == 0
		if isEveryThird {
			h["Upload-Checksum"] = checksum
		}
		group.Go(func() {
			answers[i], errs[i] = s.try(t.Context(), alice, "PATCH", location, bytes.NewReader(data), h)
		})
	}
	group.Wait()

	// All succeed, and then no memory is in use.
	for i, resp := range answers {
		require.NoError(t, errs[i])
		require.Equal(t, http.StatusNoContent, resp.StatusCode, string(resp.body))
		s.requireStored("files/alice/"+itoa(int64(i)), data)
	}
	require.Zero(t, s.handler.MemoryUsed())

	// No segment or state is left.
	for _, key := range s.keysAfterExpiry() {
		require.NotContains(t, key, uploads.DefaultPrefix)
	}
}

// A PATCH request for which no memory is left gets 503 with Retry-After, and can be repeated later.
func TestTusMemoryOfConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const memoryLimit = 20 << 20
		s := newSynctestSite(t, memstore.New(), uploads.Config{MemoryLimit: memoryLimit})
		require.EqualValues(t, memoryLimit, s.handler.Memory())

		// There is memory for six connections, of which one user may have three. A further request waits for 50 ms.
		const maxConnections = 6
		const maxOfUser = maxConnections / 2
		s.handler.SetFeeds(maxConnections, 50*time.Millisecond)

		// The user has three connections, which send nothing more.
		var stops []func()
		for i := range maxOfUser {
			location := s.create("Upload-Length", "1000", "Upload-Metadata", filenameMetadata(itoa(int64(i))))
			stops = append(stops, s.sendAndStall(location, "", content(100)))
		}
		require.Eventually(t, func() bool {
			return s.handler.FeedsUsed() == maxOfUser*uploads.FeedBytes
		}, time.Minute, time.Millisecond)

		// The fourth connection of the user gets no memory.
		location := s.create("Upload-Length", "1000", "Upload-Metadata", filenameMetadata("late"))
		resp := s.tus("PATCH", location, content(1000), "Upload-Offset", "0")
		require.Equal(t, "503 busy", resp.refusal(t))
		require.NotEmpty(t, resp.Header.Get("Retry-After"))

		// The response comes even if the body does not end.
		stuck := newStuckBody(content(100))
		defer stuck.end()
		start := time.Now()
		require.Equal(t, "503 busy", (<-s.patchAndStall(location, stuck)).refusal(t))
		require.Less(t, time.Since(start), maxDelay, "the response waited for the body")

		// The first connections end, and none of the refused bytes was stored.
		for _, stop := range stops {
			stop()
		}
		require.Eventually(t, func() bool { return s.handler.FeedsUsed() == 0 }, time.Minute, time.Millisecond)
		require.Zero(t, s.offset(location))

		// The client repeats its request.
		s.patch(location, 0, content(1000), 1000)
		s.requireStored("files/alice/late", content(1000))
		require.Zero(t, s.handler.FeedsUsed())
	})
}

// One user opens as many slow connections as the service has memory for, and gets half of that memory. The rest is left
// for other users. If requests have no user, it is left for other client addresses.
func TestTusMemoryOfOneUsersConnections(t *testing.T) {
	const connections = 32
	begin := func(_ *http.Request, _ uploads.User, n uploads.Request) (*uploads.Target, error) {
		return &uploads.Target{Key: n.Name}, nil
	}
	nobody := func(*http.Request) (uploads.User, error) { return uploads.User{}, nil }
	ipv4Of := func(client string) string { return "192.0.2." + client }

	// A client with IPv6 has a network, and may use any address in it.
	ipv6Of := func(client string) string { return "2001:db8:0:" + client + "::" + itoa(int64(rand.IntN(10_000))) }

	tests := []struct {
		name    string
		config  uploads.Config
		header  string // name of the header that tells the senders apart
		address func(client string) string
	}{
		{
			name:    "of a user",
			config:  uploads.Config{Begin: begin},
			header:  "X-User",
			address: ipv4Of,
		},
		{
			name:    "of a client",
			config:  uploads.Config{Begin: begin, Authorize: nobody},
			header:  "X-Client",
			address: ipv4Of,
		},
		{
			name:    "of a client with a network of IPv6",
			config:  uploads.Config{Begin: begin, Authorize: nobody},
			header:  "X-Client",
			address: ipv6Of,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The server takes the address of a client from the header X-Client.
			s := newSessionSite(t, openMemory(t), tt.config)
			s.handler.SetFeeds(connections, 50*time.Millisecond)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				client := cmp.Or(r.Header.Get("X-Client"), "1")
				port := itoa(int64(rand.IntN(1 << 16)))
				r.RemoteAddr = net.JoinHostPort(tt.address(client), port)
				http.StripPrefix("/uploads", s.handler).ServeHTTP(w, r)
			}))
			defer server.Close()
			s.base = server.URL + "/uploads"

			// A slow sender tries to take all connections, and gets half of them.
			for i := range connections {
				location := s.create("Upload-Length", "1000", "Upload-Metadata", filenameMetadata("slow"+itoa(int64(i))))
				stop := s.sendAndStall(location, "", content(100))
				defer stop()
			}
			const memoryOfSender = connections / 2 * uploads.FeedBytes
			require.Eventually(t, func() bool {
				return s.handler.FeedsUsed() >= memoryOfSender
			}, time.Minute, time.Millisecond)

			// Other senders upload a file meanwhile.
			for _, other := range []string{"2", "3", "4"} {
				h := headers{
					"Tus-Resumable":   "1.0.0",
					"Content-Type":    "application/offset+octet-stream",
					"Upload-Length":   "1000",
					"Upload-Metadata": filenameMetadata(other),
					tt.header:         other,
				}
				resp := s.do(alice, "POST", "/tus/", bytes.NewReader(content(1000)), h)
				require.Equal(t, http.StatusCreated, resp.StatusCode, string(resp.body))
				require.Equal(t, "1000", resp.Header.Get("Upload-Offset"))
			}
		})
	}
}

// One user begins many uploads, which stall when each has almost a part in memory. Memory is left for other users. If
// requests have no user, memory is left for other client addresses.
func TestTusMemoryOfOneUsersStalledParts(t *testing.T) {
	const (
		partSize        = 1 << 20
		memoryLimit     = 16 * partSize
		uploadsOfSender = 64
	)
	begin := func(_ *http.Request, _ uploads.User, n uploads.Request) (*uploads.Target, error) {
		return &uploads.Target{Key: n.Name}, nil
	}
	nobody := func(*http.Request) (uploads.User, error) { return uploads.User{}, nil }
	tests := []struct {
		name   string
		config uploads.Config
		header string // name of the header that tells the senders apart
	}{
		{
			name:   "of a user",
			config: uploads.Config{Begin: begin, MemoryLimit: memoryLimit},
			header: "X-User",
		},
		{
			name:   "of a client",
			config: uploads.Config{Begin: begin, MemoryLimit: memoryLimit, Authorize: nobody},
			header: "X-Client",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newUnservedSite(t, memstore.New(), tt.config)
				s.handler.SetBasePart(partSize)
				s.base = "http://site.invalid/uploads"

				// The last number of a client's address is in the header X-Client.
				handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					client := cmp.Or(r.Header.Get("X-Client"), "1")
					r.RemoteAddr = net.JoinHostPort("192.0.2."+client, "1234")
					http.StripPrefix("/uploads", s.handler).ServeHTTP(w, r)
				})
				s.client = wiretest.OnPipes(t, &http.Server{Handler: handler})

				// One sender begins many uploads, and stalls after almost a part of each.
				done := make(chan struct{})
				var all sync.WaitGroup
				defer all.Wait()
				defer close(done)
				for i := range uploadsOfSender {
					h := headers{
						"Upload-Complete":     "?0",
						"Content-Disposition": "attachment; filename=" + itoa(int64(i)),
						tt.header:             "1",
					}
					all.Go(func() {
						body := io.MultiReader(bytes.NewReader(content(partSize-1)), eofAfter(done))
						_, _ = s.try(t.Context(), "", "POST", "/tus/", body, h)
					})
				}
				synctest.Wait()
				require.GreaterOrEqual(t, s.handler.MemoryUsed(), int64(memoryLimit/2))

				// The upload of another sender does not wait.
				data := content(4 * partSize)
				start := time.Now()
				resp := s.do("", "POST", "/tus/", bytes.NewReader(data), headers{
					"Upload-Complete":     "?1",
					"Content-Disposition": "attachment; filename=other",
					tt.header:             "2",
				})
				require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
				require.Less(t, time.Since(start), time.Second)
				s.requireStored("other", data)
			})
		})
	}
}
