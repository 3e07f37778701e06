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
	{name: "tus", send: sendFileByTus},
	{name: "tus with the creation", send: sendFileByTusCreation},
	{name: "tus pieces", send: sendFileByJoin},
	{name: "parts", send: sendFileAsPart},
	{name: "one request", send: sendFileBySingleRequest},
}

func sendFileByTus(s *sessionSite, data []byte) *answer {
	location := s.create("Upload-Length", size(data))
	return s.tus("PATCH", location, data, "Upload-Offset", "0")
}

func sendFileByTusCreation(s *sessionSite, data []byte) *answer {
	return s.tus("POST", "/tus/", data, "Upload-Length", size(data))
}

func sendFileByJoin(s *sessionSite, data []byte) *answer {
	location := s.create("Upload-Length", size(data), "Upload-Concat", "partial")
	s.patch(location, 0, data, int64(len(data)))
	return s.tus("POST", "/tus/", nil, "Upload-Concat", "final;"+location)
}

func sendFileAsPart(s *sessionSite, data []byte) *answer {
	u := s.beginMultipart(map[string]any{"filename": "file"})
	return u.complete(u.sendPart(1, data))
}

func sendFileBySingleRequest(s *sessionSite, data []byte) *answer {
	return s.putTo(s.signPut(), data)
}

// signPut returns the URL to which alice can send a file in one request.
func (s *sessionSite) signPut() string {
	s.t.Helper()
	var request struct{ URL string }
	s.get(alice, "/s3/params?filename=file").json(s.t, &request)
	return request.URL
}

// putTo sends a file to a URL of signPut.
func (s *sessionSite) putTo(address string, data []byte) *answer {
	s.t.Helper()
	return s.do("", "PUT", address, bytes.NewReader(data), nil)
}

// Inspect sees the content before the object appears, and decides whether the file is stored, and with which type.
func TestInspectSeesContentBeforeObject(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			bucket := openMemory(t)
			inspectGoodFiles := func(ctx context.Context, f *uploads.File, content *storage.ReaderAt) error {
				exists, err := bucket.Exists(ctx, f.Key)
				if err != nil {
					return err
				}
				if exists {
					return errors.New("the object exists already")
				}
				if content.Size() != f.Size || f.User.ID != alice {
					return fmt.Errorf("wrong file %+v", f)
				}

				// Only a file that begins with GOOD is accepted.
				head := make([]byte, 4)
				if _, err := content.ReadAt(head, 0); err != nil && err != io.EOF {
					return err
				}
				if string(head) != "GOOD" {
					return &uploads.Error{Code: uploads.Refused, Field: "file", Message: "Only good files."}
				}
				f.ContentType = "text/good"
				return nil
			}
			s := newSessionSite(t, bucket, uploads.Config{Inspect: inspectGoodFiles})

			// Other content is refused, and makes no object.
			resp := way.send(s, []byte("BAD"))
			require.Equal(t, "422 refused file", resp.refusal(t))
			objects, _ := s.keys()
			require.NotContains(t, strings.Join(objects, " "), "files/")

			// The good content becomes the file, with the type that Inspect has set.
			data := append([]byte("GOOD"), content(part)...)
			resp = way.send(s, data)
			require.Less(t, resp.StatusCode, 300, string(resp.body))
			attrs := s.requireStored("files/alice/file", data)
			require.Equal(t, "text/good", attrs.ContentType)
			require.Equal(t, map[string]string{"by": "alice"}, attrs.Metadata)
			require.Equal(t, []string{"files/alice/file"}, s.keysAfterExpiry())
		})
	}
}

// If the clocks of two processes differ, a second request may claim an upload while the first one is in Inspect. The
// file then has the content that Inspect has accepted.
func TestInspectedContentIsNotReplaced(t *testing.T) {
	tests := []struct {
		name  string
		begin func(s *sessionSite) (address string)
		send  func(s *sessionSite, address string, data []byte) *answer
	}{
		{
			name:  "one request",
			begin: (*sessionSite).signPut,
			send:  (*sessionSite).putTo,
		},
		{
			name:  "tus",
			begin: func(s *sessionSite) string { return s.create("Upload-Length", "4") },
			send: func(s *sessionSite, location string, data []byte) *answer {
				return s.tus("PATCH", location, data, "Upload-Offset", "0")
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Inspect waits at a gate for each content, and refuses EVIL.
			goodGate := newGate()
			evilGate := newGate()
			defer goodGate.open()
			defer evilGate.open()
			c := uploads.Config{Inspect: func(_ context.Context, _ *uploads.File, content *storage.ReaderAt) error {
				data, err := io.ReadAll(content)
				if err != nil {
					return err
				}
				if string(data) == "EVIL" {
					evilGate.wait()
					return &uploads.Error{Code: uploads.Refused, Message: "Only good files."}
				}
				goodGate.wait()
				return nil
			}}

			// Two processes serve one store. By the clock of the second one, the claim of the first one has ended.
			drv := memstore.NewDriver(memstore.Config{})
			first := newSessionSite(t, engine.New(drv), c)
			second := newSessionSite(t, engine.New(drv), c)
			second.clock.Advance(3 * time.Minute)

			// Both processes get a request for the same upload, and call Inspect.
			address := tt.begin(first)
			firstAnswer := make(chan *answer, 1)
			go func() {
				firstAnswer <- tt.send(first, address, []byte("GOOD"))
			}()
			<-goodGate.reached
			secondAnswer := make(chan *answer, 1)
			go func() {
				secondAnswer <- tt.send(second, second.rebase(address), []byte("EVIL"))
			}()
			<-evilGate.reached

			// The first process accepts its content, and makes the file. Its response is a refusal, because the second
			// process has claimed the upload.
			goodGate.open()
			require.Equal(t, "423 locked uploadId", (<-firstAnswer).refusal(t))
			first.requireStored("files/alice/file", []byte("GOOD"))

			// The second process refuses its content, and the file stays.
			evilGate.open()
			require.Equal(t, "422 refused", (<-secondAnswer).refusal(t))
			first.requireStored("files/alice/file", []byte("GOOD"))
			require.NotContains(t, strings.Join(first.keysAfterExpiry(), " "), uploads.DefaultPrefix)
		})
	}
}

// A gate stops one call until it is opened.
type gate struct {
	reached chan struct{} // is closed when the call waits
	opened  chan struct{}
	open    func()
}

// newGate returns a gate that is closed.
func newGate() *gate {
	g := &gate{reached: make(chan struct{}), opened: make(chan struct{})}
	g.open = sync.OnceFunc(func() {
		close(g.opened)
	})
	return g
}

func (g *gate) wait() {
	close(g.reached)
	<-g.opened
}

// A call whose Inspect takes longer than a claim lasts renews its claim, so that the upload stays locked for other
// requests.
func TestInspectSlowKeepsClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inspection := newGate()
		defer inspection.open()
		s := newSynctestSite(t, memstore.New(), uploads.Config{
			Inspect: func(context.Context, *uploads.File, *storage.ReaderAt) error {
				inspection.wait()
				return nil
			},
		})

		// The first request has all bytes, and waits in Inspect.
		location := s.create("Upload-Length", "3")
		first := make(chan *answer, 1)
		go func() {
			first <- s.tus("PATCH", location, []byte("abc"), "Upload-Offset", "0")
		}()
		<-inspection.reached

		// The upload stays locked, for longer than a claim lasts without a renewal.
		for range 10 {
			time.Sleep(time.Minute)
			require.Equal(t, http.StatusLocked, s.tus("DELETE", location, nil).StatusCode)
		}

		// The first request succeeds when its Inspect has ended.
		inspection.open()
		require.Equal(t, http.StatusNoContent, (<-first).StatusCode)
		s.requireStored("files/alice/file", []byte("abc"))
	})
}

// If Inspect fails with an error of the application, the client can continue the upload, and the file is then stored.
func TestInspectFails(t *testing.T) {
	var calls atomic.Int64
	s := newSessionSite(t, openMemory(t), uploads.Config{
		Inspect: func(context.Context, *uploads.File, *storage.ReaderAt) error {
			if calls.Add(1) == 1 {
				// The application may use the codes of storage for its own errors.
				return storage.InvalidArgument
			}
			return nil
		},
	})
	location := s.create("Upload-Length", "3")

	failed := s.tus("PATCH", location, []byte("abc"), "Upload-Offset", "0")
	require.Equal(t, "500 internal", failed.refusal(t))
	s.requireMissing("files/alice/file")

	s.continueTus(location, []byte("abc"))
	s.requireStored("files/alice/file", []byte("abc"))
}

// If Config.Stored has failed for a tus upload, the next request for the upload calls it again. After it has succeeded,
// it is not called again.
func TestStoredIsCalledUntilItSucceeds(t *testing.T) {
	s, calls := newSiteWhoseStoredFailsOnce(t)
	location := s.create("Upload-Length", "3")

	// The last bytes make the file, and Stored fails.
	failed := s.tus("PATCH", location, []byte("abc"), "Upload-Offset", "0")
	require.Equal(t, "500 internal", failed.refusal(t))
	s.requireStored("files/alice/file", []byte("abc"))

	// The first HEAD calls Stored again, and the second one does not.
	require.EqualValues(t, 3, s.offset(location))
	require.EqualValues(t, 2, calls.Load())
	require.EqualValues(t, 3, s.offset(location))
	require.EqualValues(t, 2, calls.Load())
}

// The next completion of an upload in parts calls Stored again if it has failed. After it has succeeded, an equal
// completion gets the same response, and one with other parts is refused.
func TestStoredIsCalledUntilCompletionSucceeds(t *testing.T) {
	s, calls := newSiteWhoseStoredFailsOnce(t)
	u := s.beginMultipart(map[string]any{"filename": "file"})
	part := u.sendPart(1, []byte("abc"))
	require.Equal(t, "500 internal", u.complete(part).refusal(t))

	// The second completion succeeds, and the third one gets the same response.
	resp := u.complete(part)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
	wantBody := `{"key": "files/alice/file", "location": "https://app.example/file", "size": 3}`
	require.JSONEq(t, wantBody, string(resp.body))
	require.JSONEq(t, string(resp.body), string(u.complete(part).body))
	require.EqualValues(t, 2, calls.Load())

	// Completions with other parts are refused.
	resp = u.complete(sentPart{PartNumber: 1, ETag: `"another"`})
	require.Equal(t, "409 completed uploadId", resp.refusal(t))
	var file struct{ Location string }
	resp.json(t, &file)
	require.Equal(t, "https://app.example/file", file.Location, "a refusal says where the file is")
	require.Equal(t, "409 completed uploadId", u.complete(part, sentPart{PartNumber: 2}).refusal(t))
	require.Equal(t, "409 completed uploadId", u.complete().refusal(t))
}

// newSiteWhoseStoredFailsOnce returns a site whose Config.Stored fails at its first call, and the number of its calls.
func newSiteWhoseStoredFailsOnce(t *testing.T) (*sessionSite, *atomic.Int64) {
	t.Helper()
	calls := &atomic.Int64{}
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
	return s, calls
}

// Config.Stored has failed for a file, and the file was then removed. If the client asks again, it gets an error, and
// Stored is not called again.
func TestStoredIsNotCalledForRemovedFile(t *testing.T) {
	tests := []struct {
		name string
		send func(s *sessionSite) (askAgain func() string) // sends a file, for which Stored fails
		want string                                        // what askAgain returns: the refusal of the repeated request
	}{
		{name: "parts", send: failToCompleteParts, want: "404 not_found uploadId"},
		{name: "tus", send: failToPatch, want: "404 not_found uploadId"},
		{name: "pieces", send: failToPutPiece, want: string(uploads.Completed)},
	}
	recordsBySuffix := map[string]uploads.Records{
		"":               nil,
		", with records": uploads.BucketRecords(memstore.New()),
	}
	for _, tt := range tests {
		for suffix, records := range recordsBySuffix {
			t.Run(tt.name+suffix, func(t *testing.T) {
				var keys []string // of the files that Stored got
				s := newSessionSite(t, openMemory(t), uploads.Config{
					ProxyParts: true,
					Key:        "files/{id}{ext}",
					Records:    records,
					Stored: func(_ context.Context, f *uploads.File) error {
						keys = append(keys, f.Key)
						return errors.New("the database is down")
					},
				})

				// The file is made, and Stored fails.
				askAgain := tt.send(s)
				require.Len(t, keys, 1)

				// The user removes the file, and the client asks again.
				require.NoError(t, s.handler.Delete(t.Context(), keys[0], uploads.User{ID: alice}))
				require.Equal(t, tt.want, askAgain())
				require.Len(t, keys, 1, "Stored was called again")
			})
		}
	}
}

// failToCompleteParts completes an upload in parts for which Stored fails. askAgain completes it again.
func failToCompleteParts(s *sessionSite) (askAgain func() string) {
	u := s.beginMultipart(map[string]any{"filename": "file"})
	part := u.sendPart(1, []byte("abc"))
	require.Equal(s.t, "500 internal", u.complete(part).refusal(s.t))
	return func() string { return u.complete(part).refusal(s.t) }
}

// failToPatch sends a file by tus for which Stored fails. askAgain sends a PATCH request without bytes.
func failToPatch(s *sessionSite) (askAgain func() string) {
	location := s.create("Upload-Length", "3")
	failed := s.tus("PATCH", location, []byte("abc"), "Upload-Offset", "0")
	require.Equal(s.t, "500 internal", failed.refusal(s.t))
	return func() string { return s.tus("PATCH", location, []byte{}, "Upload-Offset", "3").refusal(s.t) }
}

// failToPutPiece sends a file as one piece for which Stored fails. askAgain sends the piece twice, because the first
// repetition may return the file.
func failToPutPiece(s *sessionSite) (askAgain func() string) {
	put := func() (*uploads.File, error) {
		return s.handler.PutPiece(s.t.Context(), piece(1).of(1, "abc"))
	}
	_, err := put()
	require.Equal(s.t, uploads.Internal, uploads.CodeOf(err))
	return func() string {
		f, err := put()
		require.True(s.t, f == nil || err == nil)
		_, err = put()
		return string(uploads.CodeOf(err))
	}
}

// If Config.Stored has failed when an upload was completed, later requests for its parts or for signed URLs call Stored
// again, until it succeeds.
func TestStoredIsCalledAgainByEachRoute(t *testing.T) {
	tests := []struct{ name, route string }{
		{name: "list of parts", route: ""},
		{name: "URL of a part", route: "/1"},
		{name: "URLs of several parts", route: "/batch?partNumbers=1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The first two calls of Stored fail.
			const failures = 2
			var calls atomic.Int64
			s := newSessionSite(t, openMemory(t), uploads.Config{
				ProxyParts: true,
				Stored: func(_ context.Context, u *uploads.File) error {
					u.Location = "https://app.example/file"
					if calls.Add(1) <= failures {
						return errors.New("the database is down")
					}
					return nil
				},
			})
			u := s.beginMultipart(map[string]any{"filename": "file"})
			request := u.signPart(1, "")
			part := u.sendPart(1, []byte("abc"))

			// The completion makes the first call. From then on, the upload accepts no bytes.
			require.Equal(t, "500 internal", u.complete(part).refusal(t))
			require.Equal(t, "423 locked uploadId", s.putTo(request.URL, []byte("abc")).refusal(t))

			// The first request to the route makes the second call, which fails, too.
			address := "/s3/multipart/" + u.UploadID + tt.route
			require.Equal(t, "500 internal", s.get(alice, address).refusal(t))

			// The next request makes the third call. It then says where the completed file is.
			resp := s.get(alice, address)
			require.Equal(t, "409 completed uploadId", resp.refusal(t))
			var file struct{ Location string }
			resp.json(t, &file)
			require.Equal(t, "https://app.example/file", file.Location)
			require.EqualValues(t, failures+1, calls.Load())
		})
	}
}

// Many requests that complete one upload at the same time, in two processes, make its object once.
func TestCompleteByManyMakesOneObject(t *testing.T) {
	// Each of the sites stands for a process. They have the same store.
	store := memstore.NewDriver(memstore.Config{})
	var storedCalls atomic.Int64
	c := uploads.Config{
		ProxyParts: true,
		Stored: func(context.Context, *uploads.File) error {
			storedCalls.Add(1)
			return nil
		},
	}
	sites := []*sessionSite{newSessionSite(t, engine.New(store), c), newSessionSite(t, engine.New(store), c)}
	u := sites[0].beginMultipart(map[string]any{"filename": "file"})
	part := u.sendPart(1, content(1000))

	// Complete the upload ten times at once, half of them in each process.
	statuses := make([]string, 10)
	var wg sync.WaitGroup
	for i := range statuses {
		wg.Go(func() {
			resp := u.at(sites[i%2]).complete(part)
			if resp.StatusCode == http.StatusOK {
				statuses[i] = "200"
				return
			}
			statuses[i] = resp.refusal(t)
		})
	}
	wg.Wait()

	// At least one request succeeds, and the others may find the upload locked.
	require.Contains(t, statuses, "200")
	for _, status := range statuses {
		require.Contains(t, []string{"200", "423 locked uploadId"}, status)
	}
	require.EqualValues(t, 1, storedCalls.Load())
	sites[0].requireStored("files/alice/file", content(1000))
}

// If two requests complete an upload with different lists of parts, the object has the parts of the first list, even
// if the request that wrote it has failed.
func TestCompleteFirstListOfPartsDecides(t *testing.T) {
	// Three processes serve one store. One of them cannot join parts. Another one waits at a gate after it has listed
	// the parts of an upload.
	drv := memstore.NewDriver(memstore.Config{})
	c := uploads.Config{ProxyParts: true}
	s := newSessionSite(t, engine.New(drv), c)
	failingSite := newSessionSite(t, engine.New(drv, driver.WithLayer(failCompleteParts)), c)
	listing := newGate()
	defer listing.open()
	slowSite := newSessionSite(t, engine.New(drv, driver.WithLayer(waitAfterListParts(listing))), c)

	// Both parts have arrived.
	u := s.beginMultipart(map[string]any{"filename": "file"})
	part1 := u.sendPart(1, content(part))
	part2 := u.sendPart(2, content(100))

	// The slow request has read the state of the upload, and not yet written its list of parts.
	slowAnswer := make(chan *answer, 1)
	go func() {
		slowAnswer <- u.at(slowSite).complete(part1, part2)
	}()
	<-listing.reached

	// The failing request writes its list, but makes no object.
	require.Equal(t, "503 store_failed file", u.at(failingSite).complete(part1).refusal(t))

	// The slow request continues, and may not replace the list.
	listing.open()
	require.Equal(t, "423 locked uploadId", (<-slowAnswer).refusal(t))

	// The upload can still be completed with the first list of parts.
	require.Equal(t, http.StatusOK, u.complete(part1).StatusCode)
	s.requireStored("files/alice/file", content(part))
}

// failCompleteParts is a layer that makes each attempt of a store to join parts fail.
func failCompleteParts(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
		if call == "CompleteParts" {
			return &storage.Error{Code: storage.Internal, Err: errDead}
		}
		return next(ctx)
	})
}

// waitAfterListParts returns a layer that stops the first ListParts at a gate, after it has listed.
func waitAfterListParts(g *gate) driver.Layer {
	wait := sync.OnceFunc(g.wait)
	return func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
			err := next(ctx)
			if call == "ListParts" {
				wait()
			}
			return err
		})
	}
}

// Two tabs that send the same file by one tus upload, to two processes, store the file whole if each always continues
// at the offset of HEAD.
func TestTusTwoTabsAtOnce(t *testing.T) {
	drv := memstore.NewDriver(memstore.Config{})
	data := content(20*part + 12345)

	// Two processes serve one store.
	sites := []*sessionSite{
		newSessionSite(t, engine.New(drv), uploads.Config{}),
		newSessionSite(t, engine.New(drv), uploads.Config{}),
	}
	location := sites[0].create("Upload-Length", size(data))

	var wg sync.WaitGroup
	for _, s := range sites {
		wg.Go(func() {
			// Each request continues at the offset of HEAD.
			tab := s.rebase(location)
			const maxRequests = 200
			for range maxRequests {
				head := s.tus("HEAD", tab, nil)
				offset, err := strconv.Atoi(head.Header.Get("Upload-Offset"))
				if err != nil || offset == len(data) {
					return
				}

				// The request fails if the other tab was faster. It has no Content-Length, as from a client that
				// streams.
				chunk := io.MultiReader(bytes.NewReader(data[offset:min(len(data), offset+150_000)]))
				_, _ = s.try(t.Context(), alice, "PATCH", tab, chunk, headers{
					"Tus-Resumable": "1.0.0",
					"Content-Type":  "application/offset+octet-stream",
					"Upload-Offset": strconv.Itoa(offset),
				})
			}
		})
	}
	wg.Wait()

	sites[0].requireStored("files/alice/file", data)
	require.Empty(t, sites[0].openMultiparts())
}

// If a call to the store fails, the client gets a 503 with Retry-After, and only Config.OnError gets the error of the
// store.
func TestHandlerHidesErrorsOfBucket(t *testing.T) {
	const secret = "the address of the database"
	tests := []struct {
		name    string
		failing faults.Calls // calls to the store
		request func(s *sessionSite, location string) *answer
	}{
		{
			name:    "the state of a tus upload cannot be read",
			failing: faults.Get,
			request: func(s *sessionSite, location string) *answer {
				return s.tus("PATCH", location, []byte("abc"), "Upload-Offset", "0")
			},
		},
		{
			name:    "a tus upload cannot begin",
			failing: faults.BeginParts,
			request: func(s *sessionSite, _ string) *answer {
				return s.tus("POST", "/tus/", nil, "Upload-Length", itoa(part+1))
			},
		},
		{
			name:    "an upload in parts cannot begin",
			failing: faults.BeginParts,
			request: func(s *sessionSite, _ string) *answer {
				return s.post(alice, "/s3/multipart", map[string]any{"filename": "file"})
			},
		},
		{
			name:    "the state of an upload in parts cannot be read",
			failing: faults.Get,
			request: func(s *sessionSite, _ string) *answer {
				return s.get(alice, "/s3/multipart/AAAAAAAAAAAAAAAAAAAAAAAAAA/1")
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			storeErr := &storage.Error{Code: storage.Unavailable, Err: errors.New(secret)}
			injector := faults.New(faults.Fail(tt.failing).WithError(storeErr))
			noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
			var reported error
			s := newSessionSite(t, memstore.New(driver.WithLayer(injector.Layer()), noRetry), uploads.Config{
				ProxyParts: true,
				OnError: func(_ *http.Request, err error) {
					reported = err
				},
			})
			location := s.create("Upload-Length", "3")

			// The client sees neither the error nor the key of a state.
			resp := tt.request(s, location)
			require.Equal(t, "503 store_failed file", resp.refusal(t))
			require.NotEmpty(t, resp.Header.Get("Retry-After"))
			require.NotContains(t, string(resp.body), secret)
			require.NotContains(t, string(resp.body), uploads.DefaultPrefix)

			// The application sees the error.
			require.ErrorContains(t, reported, secret)
		})
	}
}

// The service ends the request of a tus client that has fallen silent, and keeps the bytes that it sent.
func TestTusEndsSilentClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSynctestSite(t, memstore.New(), uploads.Config{})
		const (
			tick       = 20 * time.Millisecond  // interval in which the service looks at the body
			checkpoint = 50 * time.Millisecond  // time after which it stores what has arrived
			idle       = 300 * time.Millisecond // time after which it ends a silent client
		)
		s.handler.SetPace(tick, checkpoint, idle)

		// The client sends the first 1000 of 2000 bytes, and then nothing.
		location := s.create("Upload-Length", "2000")
		stuck := newStuckBody(content(1000))
		defer stuck.end()
		resp, err := s.try(t.Context(), alice, "PATCH", location, stuck, headers{
			"Tus-Resumable": "1.0.0",
			"Content-Type":  "application/offset+octet-stream",
			"Upload-Offset": "0",
		})
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, resp.StatusCode, string(resp.body))
		require.Equal(t, "1000", resp.Header.Get("Upload-Offset"))

		// The client sends the rest.
		s.patch(location, 1000, content(2000)[1000:], 2000)
		s.requireStored("files/alice/file", content(2000))
	})
}

// The memory that a tus upload takes does not depend on its size, which OMNIBUCKET_RESUMABLE_TEST_MIB sets in MiB.
func TestTusMemoryIsBounded(t *testing.T) {
	const maxGrowth = 64 << 20 // bytes of the heap
	mib := int64(200)
	if text := os.Getenv("OMNIBUCKET_RESUMABLE_TEST_MIB"); text != "" {
		var err error
		mib, err = strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
	}
	fileSize := mib << 20

	s := newSessionSite(t, openDirectory(t), uploads.Config{})
	s.handler.SetBasePart(uploads.BasePart)
	location := s.create("Upload-Length", itoa(fileSize))

	// Measure the heap during the upload.
	before := heap()
	stopWatching := watchHeap()
	resp := s.do(alice, "PATCH", location, io.LimitReader(zeros{}, fileSize), headers{
		"Tus-Resumable": "1.0.0",
		"Content-Type":  "application/offset+octet-stream",
		"Upload-Offset": "0",
	})
	highest := stopWatching()

	require.Equal(t, http.StatusNoContent, resp.StatusCode, string(resp.body))
	require.Less(t, highest, before+maxGrowth)

	attrs, err := s.bucket.Attrs(t.Context(), "files/alice/file")
	require.NoError(t, err)
	require.Equal(t, fileSize, attrs.Size)
}

// watchHeap measures the heap again and again. stop ends that, and returns the highest value.
func watchHeap() (stop func() uint64) {
	done := make(chan struct{})
	result := make(chan uint64)
	go func() {
		highest := uint64(0)
		for {
			select {
			case <-done:
				result <- highest
				return
			case <-time.After(20 * time.Millisecond):
				highest = max(highest, heap())
			}
		}
	}()
	return func() uint64 {
		close(done)
		return <-result
	}
}

// heap returns the bytes of the heap that are in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// While a request completes an upload, an equal request is faster. The slower one succeeds, and there is one file. The
// faster one succeeds, or finds the upload locked.
func TestCompleteEqualRequestIsFaster(t *testing.T) {
	tests := []struct {
		name  string
		begin func(s *sessionSite) (complete func() *answer)
		want  int // status of a completion
	}{
		{name: "parts", begin: beginPartOfText, want: http.StatusOK},
		{name: "joined uploads of tus", begin: beginJoinOfText, want: http.StatusCreated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// In the nth run, the faster request comes just before the nth call of the slower one to the store. The last
			// run has no such call.
			const mostCalls = 80
			for call := 1; ; call++ {
				require.Less(t, call, mostCalls, "calls without end")

				// The bucket sends the faster request.
				var complete func() *answer
				interruption := &interruption{}
				bucket := memstore.New(driver.WithLayer(interruption.beforeCall(func() {
					faster := complete()
					require.Contains(t, []int{tt.want, http.StatusLocked}, faster.StatusCode)
				})))
				s := newSessionSite(t, bucket, uploads.Config{ProxyParts: true, Key: "{user}/{random}"})
				complete = tt.begin(s)

				// The slower request comes, and its calls are counted from here.
				interruption.countTo(call)
				slower := complete()
				require.Equal(t, tt.want, slower.StatusCode, "call %d: %s", call, slower.body)
				s.requireOnlyFile("^alice/", []byte("text"))
				if !interruption.hasHappened() {
					return
				}
			}
		})
	}
}

func beginPartOfText(s *sessionSite) (complete func() *answer) {
	u := s.beginMultipart(map[string]any{"filename": "a"})
	part := u.sendPart(1, []byte("text"))
	return func() *answer { return u.complete(part) }
}

func beginJoinOfText(s *sessionSite) (complete func() *answer) {
	location := s.create("Upload-Length", "4", "Upload-Concat", "partial")
	s.patch(location, 0, []byte("text"), 4)
	return func() *answer { return s.tus("POST", "/tus/", nil, "Upload-Concat", "final;"+location) }
}
