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

// New refuses a bucket without conditional writes, unless Config.States keeps the states elsewhere.
func TestStatesNeedConditions(t *testing.T) {
	bucket := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{
		Disable: storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove,
	})))

	// The bucket cannot keep the states.
	_, err := uploads.New(bucket, withTestDefaults(uploads.Config{Begin: overwritingTarget}))
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "Config.States")

	// With the states in another bucket, uploads work.
	states := memstore.New()
	s := newSessionSite(t, bucket, uploads.Config{
		Begin:     overwritingTarget,
		States:    uploads.BucketStates(states),
		Unguarded: true,
	})

	// The second round overwrites the file of the first one.
	data := content(part + 1000)
	for range 2 {
		location := s.create("Upload-Length", size(data))
		s.patch(location, 0, data[:part+10], part+10)
		s.patch(location, part+10, data[part+10:], int64(len(data)))
		s.requireStored("files/alice/file", data)

		// The same file is also sent in parts.
		u := s.beginMultipart(map[string]any{"filename": "file"})
		resp := u.complete(u.sendPart(1, data))
		require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
	}

	// Sweep removes an unfinished upload with its state.
	location := s.create("Upload-Length", size(data))
	s.patch(location, 0, data[:10], 10)
	require.Equal(t, []string{"files/alice/file"}, s.keysAfterExpiry())
	for entry, err := range states.List(t.Context()) {
		require.NoError(t, err)
		require.Fail(t, "a state is left", entry.Key)
	}
}

// A slowStates is a database that calls the function next before its next answer. If next returns an error, the
// database fails with it.
type slowStates struct {
	uploads.States
	next func() error
}

// State reads a state, and then calls d.next once. If d.next fails, State returns its error in place of the state.
func (d *slowStates) State(ctx context.Context, key string) ([]byte, string, error) {
	data, revision, err := d.States.State(ctx, key)
	if next := d.next; next != nil {
		d.next = nil
		if err := next(); err != nil {
			return nil, "", err
		}
	}
	return data, revision, err
}

// The offset that HEAD returns includes the bytes of a request that ends while HEAD reads the state of the upload.
func TestTusRereadsStateAfterHolderEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := &slowStates{States: uploads.BucketStates(memstore.New())}
		s := newSynctestSite(t, memstore.New(), uploads.Config{States: states})
		location := s.create("Upload-Length", "100")

		// A request has sent half of the bytes, and its connection is open.
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

		// The connection breaks when HEAD has read the state. The server stores the bytes that it has got, before HEAD
		// continues.
		states.next = func() error {
			_ = client.CloseWithError(storage.Unavailable)
			time.Sleep(time.Second)
			return nil
		}
		require.EqualValues(t, 50, s.offset(location))
	})
}

// A call that fails releases its claim, so that a client can continue in another process at once.
func TestStatesReleaseAfterFailure(t *testing.T) {
	for _, fault := range []faults.Rule{faults.Fail(faults.Any), faults.DropResponse(faults.Any)} {
		// Let the first call to the store fail, then the second and so on, until a request makes fewer calls.
		for call, hasFailed := 1, true; hasFailed; call++ {
			synctest.Test(t, func(t *testing.T) {
				drv := memstore.NewDriver(memstore.Config{})
				injector := faults.New()
				noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
				failing := newSynctestSite(t, engine.New(drv, driver.WithLayer(injector.Layer()), noRetry), uploads.Config{})
				other := newSynctestSite(t, engine.New(drv), uploads.Config{})

				location := failing.create("Upload-Length", "3")
				injector.Set(fault.Nth(call))
				failing.tus("PATCH", location, []byte("abc"), "Upload-Offset", "0")
				hasFailed = len(injector.Hits()) > 0

				// The other process, on the same store, need not wait.
				start := time.Now()
				resp := other.tus("HEAD", other.rebase(location), nil)
				require.Equal(t, http.StatusOK, resp.StatusCode)
				require.Less(t, time.Since(start), time.Second, "%v of call %d", fault, call)
			})
		}
	}
}

// If both Stored and a write of the state fail once, the client can complete the upload again without waiting.
func TestStatesFailOnceReleasesUpload(t *testing.T) {
	states := &slowStates{States: uploads.BucketStates(memstore.New())}
	storedCalls := 0
	s := newSessionSite(t, memstore.New(), uploads.Config{
		ProxyParts: true,
		States:     states,
		Stored: func(context.Context, *uploads.File) error {
			storedCalls++
			if storedCalls == 1 {
				states.next = func() error { return storage.Unavailable }
				return storage.Unavailable
			}
			return nil
		},
	})
	u := s.beginMultipart(map[string]any{"filename": "file"})

	// The function Stored fails, and then the write of the state fails.
	part := u.sendPart(1, []byte("abc"))
	require.Equal(t, "503 busy", u.complete(part).refusal(t))
	require.Nil(t, states.next)

	// The second completion succeeds at once.
	resp := u.complete(part)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(resp.body))
}

// limits are those of stores that are stricter than memory.
var limits = []struct {
	name   string
	limits faults.Limits
}{
	{"a minimum", faults.Limits{MinPartSize: 40 << 10}},
	{"a large minimum", faults.Limits{MinPartSize: part + 1}},
	{"a maximum", faults.Limits{MaxPartSize: 16 << 10}},
	{"a unit", faults.Limits{PartUnit: 24 << 10}},
	{"equal parts", faults.Limits{EqualParts: true, MinPartSize: 40 << 10}},
	{"few parts", faults.Limits{MaxParts: 2}},
}

// A tus upload keeps to the store's limits for parts, however small the requests are that bring the bytes.
func TestTusKeepsTheLimitsOfTheStore(t *testing.T) {
	for _, tt := range limits {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New(driver.WithLayer(faults.WithLimits(tt.limits)))
			s := newSessionSite(t, bucket, uploads.Config{})
			data := content(2*part + 1000)
			location := s.create("Upload-Length", size(data))
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
	for _, tt := range limits {
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
	partLimits := faults.Limits{MinPartSize: 1000, MaxPartSize: 2000, MaxParts: 3}
	bucket := memstore.New(driver.WithLayer(faults.WithLimits(partLimits)))
	s := newSessionSite(t, bucket, uploads.Config{ProxyParts: true})
	u := s.beginMultipart(map[string]any{"filename": "file"})
	require.Equal(t, "400 invalid_value partNumber", s.get(alice, u.path("/4")).refusal(t))

	part := u.signPart(1, "")
	resp := s.putTo(part.URL, content(2001))
	require.Equal(t, "413 too_large Content-Length", resp.refusal(t))

	parts := []sentPart{u.sendPart(1, content(999)), u.sendPart(2, content(10))}
	require.Equal(t, "422 wrong_size parts[0]", u.complete(parts...).refusal(t))

	parts[0] = u.sendPart(1, content(1000))
	require.Equal(t, http.StatusOK, u.complete(parts...).StatusCode)
}

// A tus upload that needs parts larger than the memory limit is refused when it is created.
func TestTusRefusesAFileThatNeedsTooMuchMemory(t *testing.T) {
	bucket := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{MaxParts: 10})))
	s := newSessionSite(t, bucket, uploads.Config{MemoryLimit: 16 << 20})
	s.handler.SetBasePart(uploads.BasePart)
	// In ten parts, a part has more than 16 MiB.
	resp := s.tus("POST", "/tus/", nil, "Upload-Length", itoa(161<<20))
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
