package uploads_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
)

// ways are the ways in which a file arrives. Each returns the last response.
var ways = []struct {
	name string
	send func(s *sessionSite, data []byte) *answer
}{
	{"tus", func(s *sessionSite, data []byte) *answer {
		location := s.create("Upload-Length", size(data))
		return s.tus("PATCH", location, data, "Upload-Offset", "0")
	}},
	{"tus with the creation", func(s *sessionSite, data []byte) *answer {
		return s.tus("POST", "/tus/", data, "Upload-Length", size(data))
	}},
	{"tus pieces", func(s *sessionSite, data []byte) *answer {
		location := s.create("Upload-Length", size(data), "Upload-Concat", "partial")
		s.patch(location, 0, data, int64(len(data)))
		return s.tus("POST", "/tus/", nil, "Upload-Concat", "final;"+location)
	}},
	{"parts", func(s *sessionSite, data []byte) *answer {
		u := s.begin(map[string]any{"filename": "file"})
		return u.complete(u.send(1, data))
	}},
	{"one request", func(s *sessionSite, data []byte) *answer {
		a := s.do(alice, "GET", "/s3/params?filename=file", nil, nil)
		var request struct{ URL string }
		a.json(s.t, &request)
		return s.do("", "PUT", request.URL, bytes.NewReader(data), nil)
	}},
}

// Inspect sees the content before the object appears.
func TestInspectSeesContentBeforeObject(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			data := append([]byte("GOOD"), content(part)...)
			var s *sessionSite
			s = newSessionSite(t, openMemory(t), uploads.Config{Inspect: func(ctx context.Context, u *uploads.File, content *storage.ReaderAt) error {
				exists, err := s.bucket.Exists(ctx, u.Key)
				if err != nil || exists {
					return errors.New("the object exists already")
				}
				head := make([]byte, 4)
				if _, err := content.ReadAt(head, 0); err != nil && err != io.EOF {
					return err
				}
				if string(head) != "GOOD" || content.Size() != u.Size || u.User.ID != alice {
					return &uploads.Error{Code: uploads.Refused, Field: "file", Message: "Only good files."}
				}
				u.ContentType = "text/good"
				return nil
			}})

			a := way.send(s, []byte("BAD"))
			require.Equal(t, "422 refused file", a.refusal(t))
			objects, _ := s.keys()
			require.NotContains(t, strings.Join(objects, " "), "files/")

			a = way.send(s, data)
			require.Less(t, a.StatusCode, 300, string(a.body))
			attrs := s.requireStored("files/alice/file", data)
			require.Equal(t, "text/good", attrs.ContentType)
			require.Equal(t, map[string]string{"by": "alice"}, attrs.Metadata)
			require.Equal(t, []string{"files/alice/file"}, s.sweepEverything())
		})
	}
}

// If the clocks of two processes differ, a second request may claim an upload during Inspect. The file has the
// content that Inspect saw.
func TestInspectedContentIsNotReplaced(t *testing.T) {
	single := func(s *sessionSite) string {
		a := s.do(alice, "GET", "/s3/params?filename=file", nil, nil)
		var request struct{ URL string }
		a.json(s.t, &request)
		return request.URL
	}
	tests := []struct {
		name  string
		begin func(s *sessionSite) string
		send  func(s *sessionSite, at, text string) *answer
	}{
		{"one request", single, func(s *sessionSite, location, text string) *answer {
			return s.do("", "PUT", location, readerOf(text), nil)
		}},
		{"tus", func(s *sessionSite) string { return s.create("Upload-Length", "4") }, func(s *sessionSite, location, text string) *answer {
			return s.tus("PATCH", location, []byte(text), "Upload-Offset", "0")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reached := map[string]chan struct{}{"GOOD": make(chan struct{}), "EVIL": make(chan struct{})}
			goOn := map[string]chan struct{}{"GOOD": make(chan struct{}), "EVIL": make(chan struct{})}
			c := uploads.Config{Inspect: func(_ context.Context, _ *uploads.File, content *storage.ReaderAt) error {
				data, err := io.ReadAll(content)
				if err != nil {
					return err
				}
				close(reached[string(data)])
				<-goOn[string(data)]
				if string(data) == "EVIL" {
					return &uploads.Error{Code: uploads.Refused, Message: "Only good files."}
				}
				return nil
			}}
			driver := memstore.NewDriver(memstore.Config{})
			s := newSessionSite(t, engine.New(driver), c)
			ahead := newSessionSite(t, engine.New(driver), c)
			ahead.clock.Advance(3 * time.Minute)
			location := tt.begin(s)
			release := map[string]func(){"GOOD": sync.OnceFunc(func() {
				close(goOn["GOOD"])
			}), "EVIL": sync.OnceFunc(func() {
				close(goOn["EVIL"])
			})}
			defer release["GOOD"]()
			defer release["EVIL"]()
			first := make(chan *answer, 1)
			second := make(chan *answer, 1)
			go func() {
				first <- tt.send(s, location, "GOOD")
			}()
			<-reached["GOOD"]
			go func() {
				second <- tt.send(ahead, ahead.rebase(location), "EVIL")
			}()
			<-reached["EVIL"]
			release["GOOD"]()

			require.Equal(t, "423 locked uploadId", (<-first).refusal(t))
			s.requireStored("files/alice/file", []byte("GOOD"))
			release["EVIL"]()
			require.Equal(t, "422 refused", (<-second).refusal(t))
			s.requireStored("files/alice/file", []byte("GOOD"))
			require.NotContains(t, strings.Join(s.sweepEverything(), " "), ".uploads")
		})
	}
}

// A call that takes longer than a claim lasts, as it makes an object, renews its claim.
func TestInspectSlowKeepsClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reached := make(chan struct{})
		goOn := make(chan struct{})
		s := newSiteOnPipes(t, memstore.New(), uploads.Config{Inspect: func(context.Context, *uploads.File, *storage.ReaderAt) error {
			close(reached)
			<-goOn
			return nil
		}})
		release := sync.OnceFunc(func() {
			close(goOn)
		})
		defer release()
		location := s.create("Upload-Length", "3")
		first := make(chan *answer, 1)
		go func() {
			first <- s.tus("PATCH", location, []byte("abc"), "Upload-Offset", "0")
		}()
		<-reached

		for range 10 {
			time.Sleep(time.Minute)
			require.Equal(t, http.StatusLocked, s.tus("DELETE", location, nil).StatusCode)
		}

		release()
		require.Equal(t, http.StatusNoContent, (<-first).StatusCode)
		s.requireStored("files/alice/file", []byte("abc"))
	})
}

// If Inspect fails, the client may try again.
func TestInspectFails(t *testing.T) {
	var calls atomic.Int64
	s := newSessionSite(t, openMemory(t), uploads.Config{Inspect: func(context.Context, *uploads.File, *storage.ReaderAt) error {
		if calls.Add(1) == 1 {
			return storage.InvalidArgument // of the application's own
		}
		return nil
	}})
	location := s.create("Upload-Length", "3")
	require.Equal(t, "500 internal", s.tus("PATCH", location, []byte("abc"), "Upload-Offset", "0").refusal(t))
	s.requireMissing("files/alice/file")
	s.continueTus(location, []byte("abc"))
	s.requireStored("files/alice/file", []byte("abc"))
}

func TestStoredIsCalledUntilItSucceeds(t *testing.T) {
	var calls atomic.Int64
	s := newSessionSite(t, openMemory(t), uploads.Config{Stored: func(_ context.Context, u *uploads.File) error {
		if u.Size != 3 || u.Key != "files/alice/file" {
			return fmt.Errorf("wrong upload %+v", u)
		}
		u.Location = "https://app.example/file"
		if calls.Add(1) == 1 {
			return errors.New("the database is down")
		}
		return nil
	}})

	location := s.create("Upload-Length", "3")
	require.Equal(t, "500 internal", s.tus("PATCH", location, []byte("abc"), "Upload-Offset", "0").refusal(t))
	s.requireStored("files/alice/file", []byte("abc"))
	require.EqualValues(t, 3, s.offset(location))
	require.EqualValues(t, 2, calls.Load())
	require.EqualValues(t, 3, s.offset(location))
	require.EqualValues(t, 2, calls.Load())

	require.NoError(t, s.bucket.Remove(t.Context(), "files/alice/file"))
	calls.Store(0)
	u := s.begin(map[string]any{"filename": "file"})

	part := u.send(1, []byte("abc"))
	require.Equal(t, "500 internal", u.complete(part).refusal(t))
	a := u.complete(part)
	require.Equal(t, http.StatusOK, a.StatusCode, string(a.body))
	require.JSONEq(t, `{"key": "files/alice/file", "location": "https://app.example/file", "size": 3}`, string(a.body))
	require.JSONEq(t, string(a.body), string(u.complete(part).body), "as on S3, the client may ask again")
	require.EqualValues(t, 2, calls.Load())

	a = u.complete(sentPart{1, `"another"`})
	require.Equal(t, "409 completed uploadId", a.refusal(t))
	var told struct{ Key, Location string }
	a.json(t, &told)
	require.Equal(t, "https://app.example/file", told.Location)
	require.Equal(t, "409 completed uploadId", u.complete(part, sentPart{2, ""}).refusal(t))
	require.Equal(t, "409 completed uploadId", u.complete().refusal(t))
}

// If Stored fails and the file is removed before the client asks again, the client gets an error. Stored is not
// called again.
func TestStoredIsNotCalledForRemovedFile(t *testing.T) {
	tests := []struct {
		name string
		send func(s *sessionSite) (again func() string) // how the client asks again, and the refusal
		want string
	}{
		{"parts", func(s *sessionSite) func() string {
			u := s.begin(map[string]any{"filename": "file"})
			part := u.send(1, []byte("abc"))
			require.Equal(s.t, "500 internal", u.complete(part).refusal(s.t))
			return func() string { return u.complete(part).refusal(s.t) }
		}, "404 not_found uploadId"},
		{"tus", func(s *sessionSite) func() string {
			location := s.create("Upload-Length", "3")
			require.Equal(s.t, "500 internal", s.tus("PATCH", location, []byte("abc"), "Upload-Offset", "0").refusal(s.t))
			return func() string { return s.tus("PATCH", location, []byte{}, "Upload-Offset", "3").refusal(s.t) }
		}, "404 not_found uploadId"},
		{"pieces", func(s *sessionSite) func() string {
			send := func() (*uploads.File, error) {
				return s.handler.PutPiece(s.t.Context(), uploads.Piece{Token: "token", Count: 1, Number: 1, Body: readerOf("abc"), User: uploads.User{ID: alice}})
			}
			_, err := send()
			require.Equal(s.t, uploads.Internal, uploads.CodeOf(err))
			return func() string {
				f, err := send()
				require.True(s.t, f == nil || err == nil)
				_, err = send()
				return string(uploads.CodeOf(err))
			}
		}, string(uploads.Completed)},
	}
	for _, tt := range tests {
		for name, records := range map[string]uploads.Records{"": nil, ", with records": uploads.BucketRecords(memstore.New())} {
			t.Run(tt.name+name, func(t *testing.T) {
				calls, key := 0, ""
				s := newSessionSite(t, openMemory(t), uploads.Config{
					ProxyParts: true,
					Key:        "files/{id}{ext}",
					Records:    records,
					Stored: func(_ context.Context, f *uploads.File) error {
						calls++
						key = f.Key
						return errors.New("the database is down")
					},
				})

				repeat := tt.send(s)
				require.Equal(t, 1, calls)
				require.NoError(t, s.handler.Delete(t.Context(), key, uploads.User{ID: alice}))
				require.Equal(t, tt.want, repeat())
				require.Equal(t, 1, calls)
			})
		}
	}
}

// If Stored failed after the file was stored, a later request for the parts or for addresses calls Stored again.
func TestStoredIsCalledAgainByEachRoute(t *testing.T) {
	tests := []struct{ name, route string }{
		{"the parts", ""}, {"an address", "/1"}, {"addresses", "/batch?partNumbers=1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var calls atomic.Int64
			s := newSessionSite(t, openMemory(t), uploads.Config{
				ProxyParts: true,
				Stored: func(_ context.Context, u *uploads.File) error {
					u.Location = "https://app.example/file"
					if calls.Add(1) < 3 {
						return errors.New("the database is down")
					}
					return nil
				},
			})
			u := s.begin(map[string]any{"filename": "file"})
			part := u.sign(1, "")

			firstPart := u.send(1, []byte("abc"))
			require.Equal(t, "500 internal", u.complete(firstPart).refusal(t))
			require.Equal(t, "423 locked uploadId", s.do("", "PUT", part.URL, readerOf("abc"), nil).refusal(t))

			ask := func() *answer { return s.do(alice, "GET", "/s3/multipart/"+u.UploadID+tt.route, nil, nil) }
			require.Equal(t, "500 internal", ask().refusal(t))
			a := ask()
			require.Equal(t, "409 completed uploadId", a.refusal(t))

			var told struct{ Location string }
			a.json(t, &told)
			require.Equal(t, "https://app.example/file", told.Location)
			require.EqualValues(t, 3, calls.Load())
		})
	}
}

// If many requests in two processes complete one upload at the same time, its object is made once.
func TestCompleteByManyMakesOneObject(t *testing.T) {
	driver := memstore.NewDriver(memstore.Config{})
	var told atomic.Int64
	c := uploads.Config{
		ProxyParts: true,
		Stored: func(context.Context, *uploads.File) error {
			told.Add(1)
			return nil
		},
	}
	sites := []*sessionSite{newSessionSite(t, engine.New(driver), c), newSessionSite(t, engine.New(driver), c)}
	u := sites[0].begin(map[string]any{"filename": "file"})
	part := u.send(1, content(1000))
	var group sync.WaitGroup
	statuses := make([]string, 10)
	for i := range statuses {
		group.Go(func() {
			mine := *u
			mine.s = sites[i%2]
			a := mine.complete(part)
			statuses[i] = "200"
			if a.StatusCode != http.StatusOK {
				statuses[i] = a.refusal(t)
			}
		})
	}
	group.Wait()
	succeeded := 0

	for _, status := range statuses {
		require.Contains(t, []string{"200", "423 locked uploadId"}, status)
		if status == "200" {
			succeeded++
		}
	}
	require.Positive(t, succeeded, statuses)
	require.EqualValues(t, 1, told.Load())
	sites[0].requireStored("files/alice/file", content(1000))
}

// Two requests complete one upload at the same time with different lists of parts, and the first one fails midway.
// The object has the parts of the first list.
func TestCompleteFirstListOfPartsDecides(t *testing.T) {
	drv := memstore.NewDriver(memstore.Config{})
	layered := func(each func(call string, next func() error) error) *sessionSite {
		return newSessionSite(t, engine.New(drv, driver.WithLayer(func(next driver.Driver) driver.Driver {
			return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
				return each(call, func() error { return next(ctx) })
			})
		})), uploads.Config{ProxyParts: true})
	}
	failing := layered(func(call string, next func() error) error {
		if call == "CompleteParts" {
			return &storage.Error{Code: storage.Internal, Err: errDead}
		}
		return next()
	})
	listed := make(chan struct{})
	goOn := make(chan struct{})
	wait := sync.OnceFunc(func() {
		close(listed)
		<-goOn
	})
	slow := layered(func(call string, next func() error) error {
		err := next()
		if call == "ListParts" {
			wait()
		}
		return err
	})
	s := newSessionSite(t, engine.New(drv), uploads.Config{ProxyParts: true})
	u := s.begin(map[string]any{"filename": "file"})
	one := u.send(1, content(part))
	two := u.send(2, content(100))
	completeAt := func(s *sessionSite, parts ...sentPart) *answer {
		mine := *u
		mine.s = s
		return mine.complete(parts...)
	}
	second := make(chan *answer, 1)
	go func() {
		second <- completeAt(slow, one, two)
	}()
	<-listed

	require.Equal(t, "503 store_failed file", completeAt(failing, one).refusal(t))
	close(goOn)
	require.Equal(t, "423 locked uploadId", (<-second).refusal(t))
	require.Equal(t, http.StatusOK, u.complete(one).StatusCode)
	s.requireStored("files/alice/file", content(part))
}

// Two tabs in two processes send one file by the same tus upload at the same time. Each continues at the offset of
// HEAD, and the file is whole.
func TestTusTwoTabsAtOnce(t *testing.T) {
	driver := memstore.NewDriver(memstore.Config{})
	data := content(20*part + 12345)
	sites := []*sessionSite{newSessionSite(t, engine.New(driver), uploads.Config{}), newSessionSite(t, engine.New(driver), uploads.Config{})}
	location := sites[0].create("Upload-Length", size(data))
	var group sync.WaitGroup
	for _, s := range sites {
		group.Go(func() {
			other := s.rebase(location)
			for range 200 {
				head := s.tus("HEAD", other, nil)
				offset := 0
				if _, err := fmt.Sscan(head.Header.Get("Upload-Offset"), &offset); err != nil || offset == len(data) {
					return
				}
				end := min(len(data), offset+150_000)
				_, _ = s.try(t.Context(), alice, "PATCH", other, io.LimitReader(bytes.NewReader(data[offset:]), int64(end-offset)), headers{
					"Tus-Resumable": "1.0.0",
					"Content-Type":  "application/offset+octet-stream",
					"Upload-Offset": fmt.Sprint(offset),
				})
			}
		})
	}
	group.Wait()
	sites[0].requireStored("files/alice/file", data)
	require.Empty(t, sites[0].pending())
}

// If a call to the store fails, the response is a 503 with Retry-After that hides the store's error. OnError gets
// the cause.
func TestHandlerHidesErrorsOfBucket(t *testing.T) {
	broken := &storage.Error{Code: storage.Unavailable, Err: errors.New("SECRET")}
	inj := faults.New(faults.Fail(faults.PutPart | faults.BeginParts | faults.Copy | faults.Get | faults.Compose).WithError(broken))
	hidden := make(chan error, 10)
	bucket := memstore.New(driver.WithLayer(inj.Layer()), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	s := newSessionSite(t, bucket, uploads.Config{
		ProxyParts: true,
		OnError: func(_ *http.Request, err error) {
			hidden <- err
		},
	})
	location := s.create("Upload-Length", "3")

	for _, a := range []*answer{
		s.tus("PATCH", location, []byte("abc"), "Upload-Offset", "0"),
		s.tus("POST", "/tus/", nil, "Upload-Length", itoa(part+1)),
		s.post(alice, "/s3/multipart", map[string]any{"filename": "file"}),
		s.do(alice, "GET", "/s3/multipart/AAAAAAAAAAAAAAAAAAAAAAAAAA/1", nil, nil),
	} {
		require.Equal(t, "503 store_failed file", a.refusal(t))
		require.NotContains(t, string(a.body), "SECRET")
		require.NotContains(t, string(a.body), ".uploads")
		require.NotEmpty(t, a.Header.Get("Retry-After"))
		require.ErrorContains(t, <-hidden, "SECRET")
	}
}

// If a tus client sends nothing for a while, the service ends its request, and keeps the bytes that it sent.
func TestTusEndsSilentClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSiteOnPipes(t, memstore.New(), uploads.Config{})
		s.handler.SetPace(20*time.Millisecond, 50*time.Millisecond, 300*time.Millisecond)
		location := s.create("Upload-Length", "2000")
		stuck := newStuckBody(content(1000))
		defer stuck.end()

		a, err := s.try(t.Context(), alice, "PATCH", location, stuck, headers{
			"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0",
		})
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, a.StatusCode, string(a.body))
		require.Equal(t, "1000", a.Header.Get("Upload-Offset"))

		s.patch(location, 1000, content(2000)[1000:], 2000)
		s.requireStored("files/alice/file", content(2000))
	})
}

// The memory that a tus upload takes does not depend on its size.
// OMNIBUCKET_RESUMABLE_TEST_MIB sets the size in MiB; the default is 200.
func TestTusMemoryIsBounded(t *testing.T) {
	mib := int64(200)
	if text := os.Getenv("OMNIBUCKET_RESUMABLE_TEST_MIB"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
		mib = n
	}
	s := newSessionSite(t, openDirectory(t), uploads.Config{})
	s.handler.SetBasePart(uploads.BasePart)
	heapBefore := heap()
	done := make(chan struct{})
	highest := make(chan uint64)
	go func() {
		maximum := uint64(0)
		for {
			select {
			case <-done:
				highest <- maximum
				return
			case <-time.After(20 * time.Millisecond):
				maximum = max(maximum, heap())
			}
		}
	}()
	location := s.create("Upload-Length", itoa(mib<<20))
	start := time.Now()
	a := s.do(alice, "PATCH", location, io.LimitReader(zeros{}, mib<<20), headers{
		"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0",
	})
	close(done)

	maximum := <-highest
	require.Equal(t, http.StatusNoContent, a.StatusCode, string(a.body))
	t.Logf("%d MiB in %v, %d MiB of memory above the %d MiB before", mib, time.Since(start), (maximum-min(maximum, heapBefore))>>20, heapBefore>>20)
	require.Less(t, maximum, heapBefore+64<<20)

	attrs, err := s.bucket.Attrs(t.Context(), "files/alice/file")
	require.NoError(t, err)
	require.Equal(t, mib<<20, attrs.Size)
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// If an equal request overtakes the completion at any of its calls to the store, the completion succeeds, and
// there is one file. The equal request succeeds or gets 423.
func TestCompleteEqualRequestIsFaster(t *testing.T) {
	tests := []struct {
		name     string
		complete func(s *sessionSite) func() *answer // returns the request
		want     int
	}{
		{"parts", func(s *sessionSite) func() *answer {
			u := s.begin(map[string]any{"filename": "a"})
			part := u.send(1, []byte("text"))
			return func() *answer { return u.complete(part) }
		}, http.StatusOK},
		{"pieces of tus", func(s *sessionSite) func() *answer {
			location := s.create("Upload-Length", "4", "Upload-Concat", "partial")
			s.patch(location, 0, []byte("text"), 4)
			return func() *answer { return s.tus("POST", "/tus/", nil, "Upload-Concat", "final;"+location) }
		}, http.StatusCreated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i, calls := 1, 1; i <= calls; i++ {
				calls = 0
				var overtake func()
				b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
					return driver.Intercept(d, func(ctx context.Context, _ string, next func(context.Context) error) error {
						calls++
						if calls == i && overtake != nil {
							overtake()
						}
						return next(ctx)
					})
				}))
				s := newSessionSite(t, b, uploads.Config{ProxyParts: true, Key: "{user}/{random}"})
				request := tt.complete(s)
				calls = 0
				overtake = func() {
					overtake = nil
					require.Contains(t, []int{tt.want, http.StatusLocked}, request().StatusCode)
				}

				a := request()
				require.Equal(t, tt.want, a.StatusCode, "call %d: %s", i, a.body)
				s.requireOnlyFile("^alice/", []byte("text"))
			}
		})
	}
}
