package uploads_test

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
)

// Repeated Sweeps reach every expired upload, even if all others cannot be removed.
func TestSweepReachesEachUpload(t *testing.T) {
	injector := faults.New()
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	s := newSessionSite(t, memstore.New(driver.WithLayer(injector.Layer()), noRetry), uploads.Config{})

	// Sweep ends after 100 failures, so it does not try to remove all of these uploads.
	const uploadCount = 150
	for range uploadCount {
		s.create("Upload-Length", "3")
	}

	// Only the state of the last upload can be removed.
	_, states := s.keys()
	slices.Sort(states)
	last := states[len(states)-1]
	var failures []faults.Rule
	for _, state := range states[:len(states)-1] {
		failures = append(failures, faults.Fail(faults.Delete).ForKey(state).WithError(storage.PermissionDenied))
	}
	injector.Set(failures...)

	// When all have expired, each Sweep fails, but one of them removes the last upload.
	s.clock.Advance(100 * time.Hour)
	const sweeps = 100
	removed := 0
	for range sweeps {
		report, err := s.handler.Sweep(t.Context())
		require.Error(t, err)
		removed += report.Uploads
	}
	require.Equal(t, 1, removed)
	s.requireMissing(last)
}

// Sweep reads the states of several uploads at the same time.
func TestSweepReadsSeveralStatesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// During the Sweep, each read of the store waits for a second one. If Sweep reads only one state at a time, all
		// goroutines wait forever, and synctest fails the test.
		const readersToWaitFor = 2
		var readers atomic.Int32
		bothAreReading := make(chan struct{})
		sweeping := false
		waitForSecondReader := func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == "Get" && sweeping {
				if readers.Add(1) == readersToWaitFor {
					close(bothAreReading)
				}
				<-bothAreReading
			}
			return next(ctx)
		}
		layer := driver.WithLayer(func(next driver.Driver) driver.Driver {
			return driver.Intercept(next, waitForSecondReader)
		})

		// Begin two uploads.
		s := newPieceService(t, memstore.New(layer), uploads.Config{})
		for _, token := range []string{"a", "b"} {
			p := piece(1).of(2, "x")
			p.Token = token
			_, err := s.PutPiece(t.Context(), p)
			require.NoError(t, err)
		}

		sweeping = true
		_, err := s.Sweep(t.Context())
		require.NoError(t, err)
	})
}

// An incomparable is a Core whose values cannot be compared.
type incomparable struct {
	storage.Core
	_ []string
}

// Sweep works with a wrapped bucket of a Go type that == cannot compare.
func TestSweepOnBucketWithIncomparableValues(t *testing.T) {
	bucket := wrapped.Bucket(t, memstore.New(), func(c storage.Core) storage.Core { return incomparable{Core: c} })
	s := newSessionSite(t, bucket, uploads.Config{States: uploads.BucketStates(bucket)})
	s.create("Upload-Length", "3")
	s.clock.Advance(100 * time.Hour)
	report, err := s.handler.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, report.Uploads)
}

// A client sends a part to a signed URL after it has completed the upload. Sweep removes that part.
func TestSweepRemovesLateParts(t *testing.T) {
	runOnSignedBuckets(t, func(t *testing.T, open opener, c uploads.Config) {
		s := newSessionSite(t, open(t), c)
		u := s.beginMultipart(map[string]any{"filename": "a"})
		latePart := u.signPart(2, "")

		// The first part completes the upload, and then the second one is sent.
		part := u.sendPart(1, content(1000))
		require.Equal(t, http.StatusOK, u.complete(part).StatusCode)
		s.do("", latePart.Method, latePart.URL, readerOf("late"), latePart.Headers)

		s.requireStored("files/alice/a", content(1000))
		require.Equal(t, []string{"files/alice/a"}, s.keysAfterExpiry())
	})
}

// Sweep goes by the clock of the store. So a process whose own clock is fast removes no upload too early.
func TestSweepWithFastClock(t *testing.T) {
	// One upload has some of its bytes.
	bucket := memstore.New()
	s := newSessionSite(t, bucket, uploads.Config{})
	address := s.create("Upload-Length", "3")
	s.patch(address, 0, []byte("a"), 1)

	// Another upload has begun, but its state is not written yet.
	const withoutState = uploads.DefaultPrefix + "0123456789abcdef0123456789abcdef01234567/content"
	_, err := bucket.Upload(t.Context(), withoutState, readerOf("bytes"))
	require.NoError(t, err)

	// A process whose clock is 100 hours ahead sweeps.
	fastClock := func() time.Time { return time.Now().Add(100 * time.Hour) }
	fast, err := uploads.New(bucket, withTestDefaults(uploads.Config{Now: fastClock}))
	require.NoError(t, err)
	report, err := fast.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Uploads)

	// Both uploads are still there.
	s.patch(address, 1, []byte("bc"), 3)
	s.requireStored(withoutState, []byte("bytes"))
}
