package uploads_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

var errDead = errors.New("the process was killed")

// A ending kills a process at its call to the store with this number: before the call, or
// after it was executed, so that its response is lost. No later call is executed.
type ending struct {
	at    int
	after bool
	ahead time.Duration // of the clock of the process

	mu    sync.Mutex
	calls int
}

func (d *ending) layer(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, _ string, next func(context.Context) error) error {
		return d.call(ctx, next)
	})
}

func (d *ending) call(ctx context.Context, next func(context.Context) error) error {
	d.mu.Lock()
	d.calls++
	current := d.calls == d.at
	dead := d.calls > d.at
	d.mu.Unlock()
	if dead || current && !d.after {
		return &storage.Error{Code: storage.Internal, Err: errDead}
	}
	if err := next(ctx); err != nil || !current {
		return err
	}
	return &storage.Error{Code: storage.Internal, Unknown: true, Err: errDead}
}

// reached reports whether the process lived long enough to be killed.
func (d *ending) reached() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls >= d.at
}

// A journey is what a client does until its file is stored. If the server is killed, the
// client continues with another process.
type journey struct {
	name   string
	config uploads.Config
	setUp  func(s *sessionSite) string
	// act makes the requests that a kill interrupts. It must not fail the test.
	act func(s *sessionSite, given string)
	// resume does what a client does afterwards, until the file is stored.
	resume func(s *sessionSite, given string)
}

// send makes a request that may fail.
func (s *sessionSite) send(method, address string, body []byte, pairs ...string) *answer {
	h := headers{"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = pairs[i+1]
	}
	a, _ := s.try(s.t.Context(), alice, method, s.moved(address), bytes.NewReader(body), h)
	return a
}

// moved returns an address that another process gave, at this one.
func (s *sessionSite) moved(address string) string {
	for i := range address {
		if i > 8 && address[i:min(len(address), i+9)] == "/uploads/" {
			return s.base + address[i+8:]
		}
	}
	return address
}

// continueTus continues an upload as tus clients do.
func (s *sessionSite) continueTus(address string, data []byte) {
	address = s.moved(address)
	for range 10 {
		head := s.tus("HEAD", address, nil)
		require.Equal(s.t, http.StatusOK, head.StatusCode)
		offset, err := strconv.Atoi(head.Header.Get("Upload-Offset"))
		require.NoError(s.t, err)
		if offset == len(data) {
			return
		}
		s.patch(address, int64(offset), data[offset:], int64(len(data)))
	}
	require.Fail(s.t, "no progress")
}

var journeys = func() []journey {
	small := content(1000)
	large := content(part + 10_000)
	inspect := uploads.Config{Inspect: func(_ context.Context, u *uploads.File, content *storage.ReaderAt) error {
		u.ContentType = "image/png"
		return nil
	}}
	started := map[string]*begun{}

	var list []journey
	for _, row := range []struct {
		name   string
		config uploads.Config
		data   []byte
	}{
		{"a small file by tus", uploads.Config{}, small},
		{"a large file by tus", uploads.Config{}, large},
		{"a small file by tus, inspected", inspect, small},
		{"a large file by tus, inspected", inspect, large},
	} {
		list = append(list, journey{
			name:   row.name,
			config: row.config,
			setUp: func(s *sessionSite) string {
				location := s.create("Upload-Length", size(row.data))
				s.patch(location, 0, row.data[:300], 300)
				return location
			},
			act: func(s *sessionSite, location string) {
				s.send("PATCH", location, row.data[300:], "Upload-Offset", "300")
			},
			resume: func(s *sessionSite, location string) {
				s.continueTus(location, row.data)
				s.stored("files/alice/file", row.data)
			},
		})
	}

	for _, row := range []struct {
		name   string
		config uploads.Config
	}{
		{"parts", uploads.Config{ProxyParts: true}},
		{"parts, inspected", uploads.Config{ProxyParts: true, Inspect: inspect.Inspect}},
	} {
		complete := func(u *begun) *answer { return u.complete(sentPart{1, ""}, sentPart{2, ""}) }
		list = append(list, journey{
			name:   row.name,
			config: row.config,
			setUp: func(s *sessionSite) string {
				u := s.begin(map[string]any{"filename": "file"})
				u.send(1, large[:part])
				u.send(2, large[part:])
				started[u.UploadID] = u
				return u.UploadID
			},
			act: func(s *sessionSite, id string) {
				u := *started[id]
				u.s = s
				complete(&u)
			},
			resume: func(s *sessionSite, id string) {
				u := *started[id]
				u.s = s
				a := complete(&u)
				require.Equal(s.t, http.StatusOK, a.StatusCode, string(a.body))
				s.stored("files/alice/file", large)
			},
		})
	}

	join := func(s *sessionSite, pieces string) *answer {
		return s.send("POST", s.base+"/tus/", nil, "Upload-Concat", pieces, "Content-Type", "")
	}
	list = append(list, journey{
		name:   "a file of pieces",
		config: uploads.Config{},
		setUp: func(s *sessionSite) string {
			a := s.create("Upload-Length", "400", "Upload-Concat", "partial")
			b := s.create("Upload-Length", "600", "Upload-Concat", "partial")
			s.patch(a, 0, small[:400], 400)
			s.patch(b, 0, small[400:], 600)
			return "final;" + a + " " + b
		},
		act: func(s *sessionSite, pieces string) {
			join(s, pieces)
		},
		resume: func(s *sessionSite, pieces string) {
			a := join(s, pieces)
			require.Equal(s.t, http.StatusCreated, a.StatusCode, string(a.body))
			require.EqualValues(s.t, len(small), s.offset(s.located(a, "/tus/")))
			s.stored("files/alice/file", small)
		},
	})
	return list
}()

// judgedJourneys are those of files whose content decides their key.
func judgedJourneys() []journey {
	video := append([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42mp41"), make([]byte, part+10_000)...)
	pdf := []byte("%PDF-1.7\n" + string(make([]byte, 1000)))
	config := uploads.Config{
		Rules:      rules.Rules{Types: []string{"video/mp4", "application/pdf"}, MaxSize: 1 << 20},
		Key:        "{user}/{random}{ext}",
		ProxyParts: true,
	}
	inputs := map[string]*begun{}
	list := []journey{{
		name:   "parts of a video",
		config: config,
		setUp: func(s *sessionSite) string {
			u := s.begin(map[string]any{"filename": "film.mp4"})
			u.send(1, video[:part])
			u.send(2, video[part:])
			inputs[u.UploadID] = u
			return u.UploadID
		},
		act: func(s *sessionSite, id string) {
			u := *inputs[id]
			u.s = s
			u.complete(sentPart{1, ""}, sentPart{2, ""})
		},
		resume: func(s *sessionSite, id string) {
			u := *inputs[id]
			u.s = s
			a := u.complete(sentPart{1, ""}, sentPart{2, ""})
			require.Equal(s.t, http.StatusOK, a.StatusCode, string(a.body))
			s.storedOnce(`^alice/[a-z2-7]{26}\.mp4$`, video)
		},
	}, {
		name:   "a video by the draft",
		config: config,
		setUp: func(s *sessionSite) string {
			return s.located(s.draft("POST", "/tus/", bytes.NewReader(video[:300]), "Upload-Complete", "?0"), "/tus/")
		},
		act: func(s *sessionSite, location string) {
			_, _ = s.try(s.t.Context(), alice, "PATCH", s.moved(location), bytes.NewReader(video[300:]), headers{
				"Upload-Complete": "?1", "Upload-Offset": "300", "Content-Type": "application/partial-upload",
			})
		},
		resume: func(s *sessionSite, location string) {
			offset, err := strconv.Atoi(s.draft("HEAD", location, nil).Header.Get("Upload-Offset"))
			require.NoError(s.t, err)
			a := s.draft("PATCH", location, bytes.NewReader(video[offset:]), "Upload-Offset", strconv.Itoa(offset))
			require.Equal(s.t, http.StatusOK, a.StatusCode, string(a.body))
			s.storedOnce(`^alice/[a-z2-7]{26}\.mp4$`, video)
		},
	}}

	for _, row := range []struct {
		name string
		data []byte
		key  string
	}{{"a video by tus", video, "mp4"}, {"a PDF by tus", pdf, "pdf"}} {
		list = append(list, journey{
			name:   row.name,
			config: config,
			setUp: func(s *sessionSite) string {
				location := s.create("Upload-Length", size(row.data))
				s.patch(location, 0, row.data[:300], 300)
				return location
			},
			act: func(s *sessionSite, location string) {
				s.send("PATCH", location, row.data[300:], "Upload-Offset", "300")
			},
			resume: func(s *sessionSite, location string) {
				s.continueTus(location, row.data)
				s.storedOnce(`^alice/[a-z2-7]{26}\.`+row.key+"$", row.data)
			},
		})
	}
	return list
}

// storedOnce requires that one file has these bytes, and that there is no other.
func (s *sessionSite) storedOnce(key string, want []byte) {
	s.t.Helper()
	var files []string
	for entry, err := range s.bucket.List(s.t.Context(), storage.WithPrefix("alice/")) {
		require.NoError(s.t, err)
		files = append(files, entry.Key)
	}
	require.Len(s.t, files, 1)
	require.Regexp(s.t, key, files[0])
	s.stored(files[0], want)
}

// If a server is killed at any call while it takes a judged file, the file is not lost, and is not stored twice.
func TestKilledServerLosesNoJudgedFile(t *testing.T) {
	stores := []struct {
		name string
		open func(t *testing.T) driver.Driver
	}{
		{"memory", func(*testing.T) driver.Driver { return memstore.NewDriver(memstore.Config{}) }},
		{"a directory", func(t *testing.T) driver.Driver {
			d, err := local.NewDriver(t.TempDir(), local.Config{NoSync: true})
			require.NoError(t, err)
			return d
		}},
	}
	for _, b := range testserver.Sample(stores[:1], stores) {
		for _, j := range judgedJourneys() {
			for _, afterCall := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, after the call: %v", b.name, j.name, afterCall), func(t *testing.T) {
					for i := 1; ; i++ {
						require.Less(t, i, 60)
						if !runUntilKilled(t, b.open(t), j, &ending{at: i, after: afterCall}) {
							break
						}
					}
				})
			}
		}
	}
}

// A server is killed at each of its calls in turn, and another process continues. No acknowledged bytes are lost,
// Stored is called, and nothing is left behind.
func TestKilledServerLosesNothing(t *testing.T) {
	for _, j := range journeys {
		for _, afterCall := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after the call: %v", j.name, afterCall), func(t *testing.T) {
				for i := 1; ; i++ {
					require.Less(t, i, 60)
					d := &ending{at: i, after: afterCall}
					if !runUntilKilled(t, memstore.NewDriver(memstore.Config{}), j, d) {
						break
					}
				}
			})
		}
	}
}

// If a server whose clock is an hour ahead is killed, other processes wait for its claim no longer than for any
// other.
func TestKilledServerWithFastClock(t *testing.T) {
	for _, j := range journeys {
		if strings.Contains(j.name, "tus") { // which waits for five seconds
			continue
		}
		t.Run(j.name, func(t *testing.T) {
			for i := 1; runUntilKilled(t, memstore.NewDriver(memstore.Config{}), j, &ending{at: i, ahead: time.Hour}); i++ {
				require.Less(t, i, 60)
			}
		})
	}
}

// runUntilKilled reports whether the process was killed.
func runUntilKilled(t *testing.T, drv driver.Driver, j journey, d *ending) bool {
	t.Helper()
	told := 0
	c := j.config
	c.Stored = func(context.Context, *uploads.File) error {
		told++
		return nil
	}
	s := newSessionSite(t, engine.New(drv), c)
	value := j.setUp(s)
	mortal := newSessionSite(t, engine.New(drv, driver.WithLayer(d.layer), storage.WithRetry(storage.RetryPolicy{Attempts: 1})), c)
	mortal.clock.Advance(d.ahead)
	j.act(mortal, value)
	if d.ahead > 0 {
		j.act(s, value) // which sees a claim that is too long
	}
	s.clock.Advance(3 * time.Minute) // the dead process still holds a claim

	j.resume(s, value)
	require.Positive(t, told, "killed at call %d", d.at)
	require.NotContains(t, fmt.Sprint(s.tidy()), ".uploads", "killed at call %d", d.at)
	return d.reached()
}

// tidy lets everything expire, and returns all keys that are left, with unfinished uploads.
func (s *sessionSite) tidy() []string {
	s.t.Helper()
	s.clock.Advance(100 * time.Hour)
	_, err := s.handler.Sweep(s.t.Context())
	require.NoError(s.t, err)
	objects, states := s.keys()
	return append(append(objects, states...), s.pending()...)
}

// If a server is killed while it takes a file in one request, the client sends the file again, and Stored is
// called.
func TestKilledServerS3FileInOneRequest(t *testing.T) {
	for _, afterCall := range []bool{false, true} {
		for i := 1; ; i++ {
			require.Less(t, i, 30)
			told := 0
			c := uploads.Config{Stored: func(context.Context, *uploads.File) error {
				told++
				return nil
			}}
			drv := memstore.NewDriver(memstore.Config{})
			s := newSessionSite(t, engine.New(drv), c)
			a := s.do(alice, "GET", "/s3/params?filename=file", nil, nil)
			var request struct{ URL string }
			a.json(t, &request)
			d := &ending{at: i, after: afterCall}
			mortal := newSessionSite(t, engine.New(drv, driver.WithLayer(d.layer), storage.WithRetry(storage.RetryPolicy{Attempts: 1})), c)
			mortal.send("PUT", mortal.moved(request.URL), []byte("abc"))
			s.clock.Advance(3 * time.Minute)
			a = s.do("", "PUT", request.URL, readerOf("abc"), nil)
			if a.StatusCode != http.StatusOK { // only the response was lost
				require.Equal(t, "409 completed uploadId", a.refusal(t), "killed at call %d", i)
			}
			require.Positive(t, told, "killed at call %d", i)
			s.stored("files/alice/file", []byte("abc"))

			if !d.reached() {
				break
			}
		}
	}
}

// A server is killed at any call while it completes an upload, and the client aborts. If the object exists, Stored
// is called and the client is told.
func TestKilledServerUploadIsNotAborted(t *testing.T) {
	small := content(300)
	large := content(part + 5000)
	inspect := func(context.Context, *uploads.File, *storage.ReaderAt) error { return nil }
	tests := []struct {
		name    string
		inspect func(context.Context, *uploads.File, *storage.ReaderAt) error
		after   bool // the call
		parts   bool // in place of tus
		data    []byte
	}{
		{name: "parts, before", parts: true, data: large}, {name: "parts, after", after: true, parts: true, data: large},
		{name: "inspected parts, before", inspect: inspect, parts: true, data: large}, {
			name:    "inspected parts, after",
			inspect: inspect,
			after:   true,
			parts:   true,
			data:    large,
		},
		{name: "tus, before", data: large}, {name: "tus, after", after: true, data: large},
		{name: "inspected tus, before", inspect: inspect, data: large}, {name: "inspected tus, after", inspect: inspect, after: true, data: large},
		{name: "tus in one request, before", data: small}, {name: "tus in one request, after", after: true, data: small},
		{name: "inspected tus in one request, before", inspect: inspect, data: small},
		{name: "inspected tus in one request, after", inspect: inspect, after: true, data: small},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			completed := 0
			data := tt.data
			for i := 1; ; i++ {
				require.Less(t, i, 60)
				drv := memstore.NewDriver(memstore.Config{})
				told := 0
				c := uploads.Config{
					ProxyParts: true,
					Inspect:    tt.inspect,
					Stored: func(context.Context, *uploads.File) error {
						told++
						return nil
					},
				}
				s := newSessionSite(t, engine.New(drv), c)
				d := &ending{at: i, after: tt.after}
				mortal := newSessionSite(t, engine.New(drv, driver.WithLayer(d.layer), storage.WithRetry(storage.RetryPolicy{Attempts: 1})), c)
				address := ""
				if tt.parts {
					u := s.begin(map[string]any{"filename": "file"})
					part := u.send(1, data)
					address = s.base + "/s3/multipart/" + u.UploadID
					u.s = mortal
					u.complete(part)
				} else {
					address = s.create("Upload-Length", size(data))
					mortal.send("PATCH", address, data, "Upload-Offset", "0")
				}
				if !d.reached() {
					break
				}
				s.clock.Advance(3 * time.Minute) // the dead process still holds a claim
				a := s.tus("DELETE", address, nil)
				if a.StatusCode < 300 {
					require.Empty(t, s.tidy(), "killed at call %d", i)
					continue
				}
				completed++
				require.Contains(t, a.refusal(t), "completed uploadId", "killed at call %d", i)
				require.Positive(t, told, "killed at call %d", i)
				s.stored("files/alice/file", data)
				require.Equal(t, []string{"files/alice/file"}, s.tidy(), "killed at call %d", i)
			}
			require.Positive(t, completed)
		})
	}
}

func TestSweepContinuesAfterAKill(t *testing.T) {
	data := content(part + 1000)
	for i := 1; ; i++ {
		require.Less(t, i, 60)
		drv := memstore.NewDriver(memstore.Config{})
		s := newSessionSite(t, engine.New(drv), uploads.Config{ProxyParts: true})
		address := s.create("Upload-Length", size(data))
		s.patch(address, 0, data[:part+10], part+10)
		s.begin(map[string]any{"filename": "b"}).send(1, data[:1000])
		d := &ending{at: i}
		mortal := newSessionSite(t, engine.New(drv, driver.WithLayer(d.layer), storage.WithRetry(storage.RetryPolicy{Attempts: 1})), uploads.Config{})
		mortal.clock.Advance(100 * time.Hour)
		_, err := mortal.handler.Sweep(t.Context())
		require.Empty(t, s.tidy(), "killed at call %d", i)

		if !d.reached() {
			require.NoError(t, err)
			break
		}
		require.ErrorIs(t, err, errDead)
	}
}
