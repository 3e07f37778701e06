package uploads_test

import (
	"context"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
)

// An outage makes a number of calls to the store fail, beginning with a certain call.
type outage struct {
	calls    int  // how many calls fail
	executed bool // the calls are executed, and their responses are lost

	mu   sync.Mutex
	from int // the number of the first call that fails; 0: none
	seen int // calls since start
}

// layer is the layer of the bucket that has the outage.
func (o *outage) layer(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, _ string, next func(context.Context) error) error {
		o.mu.Lock()
		o.seen++
		fails := o.from > 0 && o.seen >= o.from && o.seen < o.from+o.calls
		o.mu.Unlock()

		if !fails {
			return next(ctx)
		}
		if o.executed {
			if err := next(ctx); err != nil {
				return err
			}
		}
		return &storage.Error{Code: storage.Unavailable, Unknown: o.executed}
	})
}

// start makes calls fail, beginning with the call number from. The count begins with the next call.
func (o *outage) start(from int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.from = from
	o.seen = 0
}

// stop lets calls succeed again. It returns how many there were since start.
func (o *outage) stop() (seen int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.from = 0
	return o.seen
}

// If the store fails while a request completes an upload, the client can complete it after the outage with the next
// request at once. That request does not wait until the claim of the failed one on the upload ends.
func TestStoreFailureKeepsNobodyWaiting(t *testing.T) {
	outages := []struct {
		name     string
		calls    int  // how many calls fail
		executed bool // the store executes the calls, and only the responses are lost
	}{
		{name: "one call fails", calls: 1},
		{name: "five calls fail", calls: 5},
		{name: "twenty calls fail", calls: 20},
		{name: "one response is lost", calls: 1, executed: true},
		{name: "five responses are lost", calls: 5, executed: true},
		{name: "twenty responses are lost", calls: 20, executed: true},
	}
	for _, upload := range append(uploadsByContent(), uploadsByName()...) {
		for _, tt := range outages {
			t.Run(upload.name+", "+tt.name, func(t *testing.T) {
				// In the nth run, the outage begins at the nth call to the store. The last run has no such call.
				const mostCalls = 60
				firstCall := 1
				for requireQuickEndAfterOutage(t, upload, &outage{calls: tt.calls, executed: tt.executed}, firstCall) {
					firstCall++
					require.Less(t, firstCall, mostCalls, "calls without end")
				}
			})
		}
	}
}

// requireQuickEndAfterOutage begins an upload, sends the rest during an outage that begins with the given call, and
// completes the upload after the outage. It requires that this takes no time. It returns false if the upload ends
// before the outage.
func requireQuickEndAfterOutage(
	t *testing.T, upload interruptedUpload, outage *outage, firstCall int,
) (failed bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		bucket := memstore.New(
			driver.WithLayer(outage.layer),
			storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
		)
		c := upload.config
		c.Stored = func(context.Context, *uploads.File) error { return nil }
		s := newSynctestSite(t, bucket, c)
		client := upload.begin(s)

		// The rest of the upload meets the outage.
		outage.start(firstCall)
		client.sendRest(s)
		failed = outage.stop() >= firstCall

		// In the bubble of synctest, time passes only while a request waits.
		start := time.Now()
		client.resume(s)
		require.Zero(t, time.Since(start), "it failed from call %d on", firstCall)
		s.requireOnlyFile(upload.key, upload.data)
	})
	return failed
}

// If the service cannot read the bytes of a file from the store while it completes the file, the client gets 503 with
// the code of a failure of the store.
func TestStoreReadFailureIsStoreFailed(t *testing.T) {
	accept := func(context.Context, *uploads.File, *storage.ReaderAt) error { return nil }
	tests := []struct {
		name     string
		inspect  func(context.Context, *uploads.File, *storage.ReaderAt) error
		sendFile func(s *sessionSite) (lastResponse *answer)
	}{
		{name: "a file in two pieces", sendFile: sendTwoPiecesOfText},
		{name: "an inspected file by tus", inspect: accept, sendFile: sendTextByTus},
		{name: "an inspected file of a form", inspect: accept, sendFile: sendTextByForm},
		{name: "joined uploads of tus", sendFile: sendTextByJoin},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// This store can neither copy nor join objects, so that the service must read them itself.
			withoutCopies := faults.WithLimits(faults.Limits{Disable: storage.ServerCopy | storage.ServerCompose})

			// Each read breaks after two bytes.
			brokenReads := faults.New(faults.Cut(faults.Get, 2))
			bucket := memstore.New(
				driver.WithLayer(withoutCopies),
				driver.WithLayer(brokenReads.Layer()),
				storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
			)

			s := newSessionSite(t, bucket, uploads.Config{
				Inspect: tt.inspect,
				Key:     "{user}/{random}",
				States:  uploads.BucketStates(memstore.New()), // whose reads do not break
			})
			require.Equal(t, "503 store_failed file", tt.sendFile(s).refusal(t))
		})
	}
}

// sendTwoPiecesOfText sends a file in two pieces. It returns the response that the handler writes for the error of
// the second piece.
func sendTwoPiecesOfText(s *sessionSite) *answer {
	_, err := s.handler.PutPiece(s.t.Context(), piece(1).of(2, "text"))
	require.NoError(s.t, err)
	_, err = s.handler.PutPiece(s.t.Context(), piece(2).of(2, "text"))
	w := httptest.NewRecorder()
	s.handler.Fail(w, httptest.NewRequest("POST", "/", nil), err)
	return &answer{w.Result(), w.Body.Bytes()}
}

func sendTextByTus(s *sessionSite) *answer {
	location := s.create("Upload-Length", "4")
	return s.tus("PATCH", location, []byte("text"), "Upload-Offset", "0")
}

func sendTextByForm(s *sessionSite) *answer {
	body, contentType := newForm(s.t, formFile{field: "file", name: "a", content: "text"})
	return s.do(alice, "POST", "/", body, headers{"Content-Type": contentType})
}

func sendTextByJoin(s *sessionSite) *answer {
	location := s.create("Upload-Length", "4", "Upload-Concat", "partial")
	s.patch(location, 0, []byte("text"), 4)
	return s.tus("POST", "/tus/", nil, "Upload-Concat", "final;"+location)
}
