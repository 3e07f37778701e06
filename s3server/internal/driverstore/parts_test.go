package driverstore

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A waitingReader waits in its first Read until the test's other readers are read, too. The test
// has added the number of readers to barrier.
type waitingReader struct {
	barrier  *sync.WaitGroup
	hasBegun bool
}

func (r *waitingReader) Read([]byte) (int, error) {
	if !r.hasBegun {
		r.hasBegun = true
		r.barrier.Done()
		r.barrier.Wait()
	}
	return 0, io.EOF
}

// Many slow clients can send parts of an upload at the same time.
func TestPutPartOfSlowClients(t *testing.T) {
	s := newPhotosStore(t)
	upload := &state.Upload{Bucket: "photos", Key: "k", Kind: checksum.Default, Covers: checksum.FullObject}
	require.NoError(t, s.BeginUpload(t.Context(), upload))
	upload, err := s.Upload(t.Context(), "photos", "k", upload.ID)
	require.NoError(t, err)

	// Each part waits for all others. The test would not end if one part blocked another.
	const clients = 200
	var barrier, wg sync.WaitGroup
	barrier.Add(clients)
	errs := make([]error, clients)
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = s.PutPart(t.Context(), upload, i+1, &state.Body{
				From:   &waitingReader{barrier: &barrier},
				Digest: checksum.NewDigest(upload.Kind, false),
				Check:  func() error { return nil },
			})
		})
	}
	wg.Wait()

	for _, err := range errs {
		require.NoError(t, err)
	}
}

// pairedRemovals is a service that removes several records of parts at the same time. Each removal
// waits until as many have begun as the test has added to barrier.
type pairedRemovals struct {
	driver.ServiceDriver
	barrier *sync.WaitGroup
}

func (p pairedRemovals) Driver(name string) (driver.Driver, error) {
	d, err := p.ServiceDriver.Driver(name)
	return pairedDriver{Driver: d, barrier: p.barrier}, err
}

type pairedDriver struct {
	driver.Driver
	barrier *sync.WaitGroup
}

func (d pairedDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	if strings.Contains(r.Key, "/parts/") {
		d.barrier.Done()
		d.barrier.Wait()
	}
	return d.Driver.Delete(ctx, r)
}

// The store removes the records of several parts at the same time.
func TestRecordsOfPartsAreRemovedAtOnce(t *testing.T) {
	// Each removal waits for the others. The test would not end if the store removed one record at
	// a time.
	var barrier sync.WaitGroup
	barrier.Add(maxPartRecords)
	s := New(Config{
		Service: pairedRemovals{
			ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{}),
			barrier:       &barrier,
		},
		Now:     time.Now,
		Account: "1",
		Region:  "us-east-1",
	})
	t.Cleanup(s.Close)
	_, err := s.CreateBucket(t.Context(), &state.Bucket{Name: "photos", Account: "1", Region: "us-east-1"})
	require.NoError(t, err)

	// Begin an upload with as many parts as the store removes at the same time.
	upload := &state.Upload{Bucket: "photos", Key: "k", Kind: checksum.Default, Covers: checksum.FullObject}
	require.NoError(t, s.BeginUpload(t.Context(), upload))
	upload, err = s.Upload(t.Context(), "photos", "k", upload.ID)
	require.NoError(t, err)
	for number := range maxPartRecords {
		putPart(t, s, upload, number+1)
	}

	require.NoError(t, s.Abort(t.Context(), upload))

	// Nothing is left of the upload.
	parts, _, err := s.Parts(t.Context(), upload, 0, 10)
	require.Empty(t, parts)
	require.Error(t, err)
}

// stagingService is a service that seems remote. Its drivers take the parts of an upload in order
// only.
type stagingService struct{ driver.ServiceDriver }

func (s stagingService) Driver(name string) (driver.Driver, error) {
	d, err := s.ServiceDriver.Driver(name)
	return stagingDriver{d}, err
}

type stagingDriver struct{ driver.Driver }

// Describe says that the driver is remote and takes parts in order only. The store therefore stages
// the parts.
func (d stagingDriver) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Local = false
	desc.FixedParts = true
	return desc
}

// SweepUploads keeps an upload whose parts are staged. The driver does not list such an upload,
// because the store begins it at the driver only to complete it.
func TestSweepLeavesStagedUploads(t *testing.T) {
	// The driver is remote and takes parts in order only, so the store stages the parts.
	s := New(Config{
		Service: stagingService{memstore.NewServiceDriver(memstore.ServiceConfig{})},
		Now:     time.Now,
		Account: "1",
		Region:  "us-east-1",
	})
	t.Cleanup(s.Close)
	_, err := s.CreateBucket(t.Context(), &state.Bucket{Name: "photos", Account: "1", Region: "us-east-1"})
	require.NoError(t, err)

	u := &state.Upload{Bucket: "photos", Key: "k", Kind: checksum.Default, Covers: checksum.FullObject}
	u.Object.Encryption.Algorithm = state.ByStore
	require.NoError(t, s.BeginUpload(t.Context(), u))

	s.SweepUploads(t.Context())
	_, err = s.Upload(t.Context(), "photos", "k", u.ID)
	require.NoError(t, err)
}

// withoutRecords is a service whose place for private objects was removed. The records were in that
// place.
type withoutRecords struct{ driver.ServiceDriver }

// PrivateDriver implements [driver.PrivateDriver].
func (withoutRecords) PrivateDriver(context.Context, string, bool) (driver.Driver, error) {
	return nil, storage.BucketNotFound
}

// If another process has removed the records of an upload, the completion of the upload fails with
// NoSuchUpload.
func TestCompletionWithoutRecords(t *testing.T) {
	service := withoutRecords{newMemoryService()}
	_, err := service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "photos"})
	require.NoError(t, err)
	s := newStore(t, service)
	b, _, err := s.bucketOf(t.Context(), "photos")
	require.NoError(t, err)

	// Complete an upload with staged parts. The service does not have the records of the upload.
	u := &state.Upload{ID: "1", Bucket: "photos", Key: "k"}
	u.Object.Data = &uploadRecord{Staged: true}

	uploads := &driverUploads{bucket: b}
	attrs, err := uploads.complete(t.Context(), u, &driver.PutRequest{Key: "k"}, nil)
	require.Nil(t, attrs)
	require.Equal(t, state.NoUpload("1"), err)
}
