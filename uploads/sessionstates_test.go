package uploads_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
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

// overwritingTarget is a Config.Begin for buckets without conditional writes.
func overwritingTarget(_ *http.Request, user uploads.User, n uploads.Request) (*uploads.Target, error) {
	return &uploads.Target{Key: "files/" + user.ID + "/file", Overwrite: true}, nil
}

// New refuses a bucket without conditional writes, because it cannot keep the states of uploads.
func TestStatesNeedConditions(t *testing.T) {
	bucket := newUnconditionalBucket()
	_, err := uploads.New(bucket, withTestDefaults(uploads.Config{Begin: overwritingTarget}))
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "Config.States")
}

// A bucket without conditional writes cannot keep the states of uploads. Uploads to it work if Config.States keeps
// their states in another bucket.
func TestStatesInAnotherBucket(t *testing.T) {
	states := memstore.New()
	s := newSessionSite(t, newUnconditionalBucket(), uploads.Config{
		Begin:     overwritingTarget,
		States:    uploads.BucketStates(states),
		Unguarded: true, // accepts the bucket
	})

	// Send a file by tus and in parts. All uploads have the same key, so the second round overwrites the first one.
	data := content(part + 1000)
	for range 2 {
		// Send the file by tus.
		location := s.create("Upload-Length", size(data))
		s.patch(location, 0, data[:part+10], part+10)
		s.patch(location, part+10, data[part+10:], int64(len(data)))
		s.requireStored("files/alice/file", data)

		// Send the file in parts.
		u := s.beginMultipart(map[string]any{"filename": "file"})
		resp := u.complete(u.sendPart(1, data))
		require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
	}

	// Sweep removes an unfinished upload with its state.
	location := s.create("Upload-Length", size(data))
	s.patch(location, 0, data[:10], 10)
	require.Equal(t, []string{"files/alice/file"}, s.keysAfterExpiry())
	require.Empty(t, listKeys(t, states), "states are left")
}

// newUnconditionalBucket returns a bucket whose writes cannot depend on conditions.
func newUnconditionalBucket() storage.Bucket {
	return memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{
		Disable: storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove,
	})))
}

// A slowStates is a database that calls afterRead once, after it has read a state. If afterRead returns an error, the
// read fails with it.
type slowStates struct {
	uploads.States
	afterRead func() error
}

// State reads a state, and then calls d.afterRead once. If that fails, State returns its error in place of the state.
func (d *slowStates) State(ctx context.Context, key string) ([]byte, string, error) {
	data, revision, err := d.States.State(ctx, key)
	if afterRead := d.afterRead; afterRead != nil {
		d.afterRead = nil
		if err := afterRead(); err != nil {
			return nil, "", err
		}
	}
	return data, revision, err
}

// HEAD reads the state of an upload while a PATCH still sends bytes. If the PATCH ends just after that, HEAD reads the
// state again, so that its response includes the bytes of the PATCH.
func TestTusRereadsStateAfterHolderEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := &slowStates{States: uploads.BucketStates(memstore.New())}
		s := newSynctestSite(t, memstore.New(), uploads.Config{States: states})
		location := s.create("Upload-Length", "100")

		// A PATCH has sent half of the bytes, and its connection is open.
		body, client := io.Pipe()
		go func() {
			_, _ = s.try(t.Context(), alice, "PATCH", location, body, headers{
				"Tus-Resumable": "1.0.0",
				"Upload-Offset": "0",
				"Content-Type":  "application/offset+octet-stream",
			})
		}()
		_, err := client.Write(content(50))
		require.NoError(t, err)
		synctest.Wait()

		// After HEAD has read the state, the connection of the PATCH breaks, and the server stores what has arrived.
		const timeToStore = time.Second
		states.afterRead = func() error {
			_ = client.CloseWithError(storage.Unavailable)
			time.Sleep(timeToStore)
			return nil
		}
		require.EqualValues(t, 50, s.offset(location))
	})
}

// A request that fails because of the store releases its claim on the upload. The client can continue in another
// process at once.
func TestStatesReleaseAfterFailure(t *testing.T) {
	tests := []struct {
		name  string
		fault faults.Rule
	}{
		{name: "a call fails", fault: faults.Fail(faults.Any)},
		{name: "a response is lost", fault: faults.DropResponse(faults.Any)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Let the first call to the store fail, then the second and so on, until a request makes fewer calls.
			call := 1
			for requireReleaseAfterFault(t, tt.fault.Nth(call)) {
				call++
			}
			require.Greater(t, call, 1)
		})
	}
}

// requireReleaseAfterFault sends a file to a process with a fault of its store. It requires that another process on the
// same store then reports the offset at once, and returns whether the fault has happened.
func requireReleaseAfterFault(t *testing.T, fault faults.Rule) (hasHappened bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		drv := memstore.NewDriver(memstore.Config{})
		injector := faults.New()
		noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
		faulty := newSynctestSite(t, engine.New(drv, driver.WithLayer(injector.Layer()), noRetry), uploads.Config{})
		other := newSynctestSite(t, engine.New(drv), uploads.Config{})

		// The request may fail.
		location := faulty.create("Upload-Length", "3")
		injector.Set(fault)
		faulty.tus("PATCH", location, []byte("abc"), "Upload-Offset", "0")
		hasHappened = len(injector.Hits()) > 0

		// The other process need not wait. In the bubble of synctest, time passes only while it does.
		start := time.Now()
		resp := other.tus("HEAD", other.rebase(location), nil)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Less(t, time.Since(start), time.Second, "%v", fault)
	})
	return hasHappened
}

// A completion fails twice: Config.Stored fails, and then the state of the upload cannot be read. It still releases the
// upload, so that the client can complete it again at once.
func TestStatesFailOnceReleasesUpload(t *testing.T) {
	states := &slowStates{States: uploads.BucketStates(memstore.New())}
	calls := 0
	storedFailsFirst := func(context.Context, *uploads.File) error {
		calls++
		if calls > 1 {
			return nil
		}
		// After the first call of Stored, the next read of the state fails, too.
		states.afterRead = func() error { return storage.Unavailable }
		return storage.Unavailable
	}
	s := newSessionSite(t, memstore.New(), uploads.Config{ProxyParts: true, States: states, Stored: storedFailsFirst})
	u := s.beginMultipart(map[string]any{"filename": "file"})
	part := u.sendPart(1, []byte("abc"))

	// The first completion fails.
	require.Equal(t, "503 busy", u.complete(part).refusal(t))
	require.Nil(t, states.afterRead, "the state was not read after Stored had failed")

	// The second completion succeeds at once.
	resp := u.complete(part)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
}

// strictLimits are the limits of stores that are stricter than the memory driver.
var strictLimits = []struct {
	name   string
	limits faults.Limits
}{
	{name: "a minimum", limits: faults.Limits{MinPartSize: 40 << 10}},
	{name: "a large minimum", limits: faults.Limits{MinPartSize: part + 1}},
	{name: "a maximum", limits: faults.Limits{MaxPartSize: 16 << 10}},
	{name: "a unit", limits: faults.Limits{PartUnit: 24 << 10}},
	{name: "equal parts", limits: faults.Limits{EqualParts: true, MinPartSize: 40 << 10}},
	{name: "few parts", limits: faults.Limits{MaxParts: 2}},
}

// A tus upload keeps to the store's limits for parts, however small the requests are that bring the bytes.
func TestTusKeepsTheLimitsOfTheStore(t *testing.T) {
	for _, tt := range strictLimits {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New(driver.WithLayer(faults.WithLimits(tt.limits)))
			s := newSessionSite(t, bucket, uploads.Config{})
			data := content(2*part + 1000)
			location := s.create("Upload-Length", size(data))

			// No limit permits the bodies of these requests as parts.
			const patchSize = 40_001
			for offset := 0; offset < len(data); offset += patchSize {
				end := min(offset+patchSize, len(data))
				s.patch(location, int64(offset), data[offset:end], int64(end))
			}
			s.requireStored("files/alice/file", data)
		})
	}
}

// The S3 routes tell a client a part size that keeps to the store's limits for parts.
func TestS3KeepsTheLimitsOfTheStore(t *testing.T) {
	for _, tt := range strictLimits {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New(driver.WithLayer(faults.WithLimits(tt.limits)))
			s := newSessionSite(t, bucket, uploads.Config{ProxyParts: true})
			data := content(2*part + 1000)
			u := s.beginMultipart(map[string]any{"filename": "file", "size": len(data)})

			// Send parts of the size that the service has told.
			var parts []sentPart
			for i, partData := range cut(data, u.PartSize) {
				parts = append(parts, u.sendPart(i+1, partData))
			}

			resp := u.complete(parts...)
			require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
			s.requireStored("files/alice/file", data)
		})
	}
}

// The S3 routes refuse parts whose number or size is outside of the bucket's limits.
func TestS3RefusesPartsOutsideLimits(t *testing.T) {
	const minSize, maxSize, maxParts = 1000, 2000, 3
	partLimits := faults.Limits{MinPartSize: minSize, MaxPartSize: maxSize, MaxParts: maxParts}
	bucket := memstore.New(driver.WithLayer(faults.WithLimits(partLimits)))
	s := newSessionSite(t, bucket, uploads.Config{ProxyParts: true})
	u := s.beginMultipart(map[string]any{"filename": "file"})

	// A number above the limit gets no URL.
	resp := s.get(alice, u.path("/"+itoa(maxParts+1)))
	require.Equal(t, "400 invalid_value partNumber", resp.refusal(t))

	// A part that is too large is refused when it is sent.
	resp = s.putTo(u.signPart(1, "").URL, content(maxSize+1))
	require.Equal(t, "413 too_large Content-Length", resp.refusal(t))

	// A part that is too small is refused when the upload is completed, except the last one.
	last := u.sendPart(2, content(10))
	tooSmall := u.sendPart(1, content(minSize-1))
	require.Equal(t, "422 wrong_size parts[0]", u.complete(tooSmall, last).refusal(t))
	largeEnough := u.sendPart(1, content(minSize))
	require.Equal(t, http.StatusOK, u.complete(largeEnough, last).StatusCode)
}

// A tus upload that needs parts larger than the memory limit is refused when it is created.
func TestTusRefusesAFileThatNeedsTooMuchMemory(t *testing.T) {
	const memory = 16 << 20
	const maxParts = 10
	bucket := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{MaxParts: maxParts})))
	s := newSessionSite(t, bucket, uploads.Config{MemoryLimit: memory})
	s.handler.SetBasePart(uploads.BasePart)

	tooLarge := itoa(maxParts*memory + 1<<20)
	resp := s.tus("POST", "/tus/", nil, "Upload-Length", tooLarge)
	require.Equal(t, "413 too_large Upload-Length", resp.refusal(t))
	require.Empty(t, s.keysAfterExpiry())
}

// Several tus uploads that do not fit into the memory limit together all succeed, because some wait for others.
func TestTusUploadsShareMemory(t *testing.T) {
	s := newSessionSite(t, openMemory(t), uploads.Config{MemoryLimit: 16 << 20})
	s.handler.SetBasePart(uploads.BasePart)
	data := content(uploads.BasePart + 1000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	// All clients send their files at the same time.
	const clients = 6
	done := make(chan error, clients)
	for i := range clients {
		name := filenameMetadata(itoa(int64(i)))
		location := s.create("Upload-Length", size(data), "Upload-Metadata", name)
		go func() {
			_, err := s.try(ctx, alice, "PATCH", location, bytes.NewReader(data), headers{
				"Tus-Resumable": "1.0.0",
				"Content-Type":  "application/offset+octet-stream",
				"Upload-Offset": "0",
			})
			done <- err
		}()
	}

	for range clients {
		require.NoError(t, <-done)
	}

	// All files are stored.
	for i := range clients {
		s.requireStored("files/alice/"+itoa(int64(i)), data)
	}
}
