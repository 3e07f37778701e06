package uploads_test

import (
	"context"
	"fmt"
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

// If a call cannot release its claim because the store fails, later calls in the same process do not wait for the claim
// to end.
func TestStoreFailureKeepsNobodyWaiting(t *testing.T) {
	for _, tt := range append(uploadsByContent(), uploadsByName()...) {
		for _, executed := range []bool{false, true} {
			for _, calls := range []int{1, 5, 20} {
				t.Run(fmt.Sprintf("%s, %d calls, executed: %v", tt.name, calls, executed), func(t *testing.T) {
					// The outage begins at call 1, 2 and so on, until an upload ends before that call.
					for call, reached := 1, true; reached; call++ {
						require.Less(t, call, 60, "calls without end")
						synctest.Test(t, func(t *testing.T) {
							// The calls of this store can fail.
							outage := &outage{calls: calls, executed: executed}
							bucket := memstore.New(
								driver.WithLayer(outage.layer),
								storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
							)

							c := tt.config
							c.Stored = func(context.Context, *uploads.File) error { return nil }
							s := newSynctestSite(t, bucket, c)
							upload := tt.begin(s)

							// The rest of the upload meets the outage.
							outage.start(call)
							upload.sendRest(s)
							reached = outage.stop() >= call

							// In the bubble of synctest, time passes only while a request waits.
							start := time.Now()
							upload.resume(s)
							require.Zero(t, time.Since(start), "it failed from call %d on", call)
							s.requireOnlyFile(tt.key, tt.data)
						})
					}
				})
			}
		}
	}
}

// If a read from the store fails while a file is copied or joined, the error is StoreFailed, and not one that blames
// the sender.
func TestStoreReadFailureIsStoreFailed(t *testing.T) {
	accept := func(context.Context, *uploads.File, *storage.ReaderAt) error { return nil }
	tests := []struct {
		name    string
		inspect func(context.Context, *uploads.File, *storage.ReaderAt) error
		send    func(s *sessionSite) *answer // sends a file, and returns the last response
	}{
		{name: "pieces", send: sendTwoPiecesOfText},
		{name: "an inspected file by tus", inspect: accept, send: sendTextByTus},
		{name: "an inspected file of a form", inspect: accept, send: sendTextByForm},
		{name: "pieces of tus", send: sendTextByJoin},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The service must read what the store cannot copy or join, and each read breaks after 2 bytes.
			limits := faults.WithLimits(faults.Limits{Disable: storage.ServerCopy | storage.ServerCompose})
			injector := faults.New(faults.Cut(faults.Get, 2))
			bucket := memstore.New(
				driver.WithLayer(limits),
				driver.WithLayer(injector.Layer()),
				storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
			)
			s := newSessionSite(t, bucket, uploads.Config{
				Inspect: tt.inspect,
				Key:     "{user}/{random}",
				States:  uploads.BucketStates(memstore.New()),
			})

			require.Equal(t, "503 store_failed file", tt.send(s).refusal(t))
		})
	}
}

// sendTwoPiecesOfText sends a file in two pieces. It returns the response that the handler writes for the error of
// the second piece.
func sendTwoPiecesOfText(s *sessionSite) *answer {
	_, err := s.handler.PutPiece(s.t.Context(), piece(2, 1, "text"))
	require.NoError(s.t, err)
	_, err = s.handler.PutPiece(s.t.Context(), piece(2, 2, "text"))
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
