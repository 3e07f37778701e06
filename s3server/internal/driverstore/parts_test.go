package driverstore

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A waitingReader ends when all others of its group are read, too.
type waitingReader struct {
	all   *sync.WaitGroup
	begun bool
}

func (r *waitingReader) Read([]byte) (int, error) {
	if !r.begun {
		r.begun = true
		r.all.Done()
		r.all.Wait()
	}
	return 0, io.EOF
}

// While a slow client sends a part, other clients can send other parts. Otherwise this test would not end.
func TestPutPartOfSlowClients(t *testing.T) {
	s := newPhotosStore(t)
	u := &state.Upload{Bucket: "photos", Key: "k", Kind: checksum.Default, Covers: checksum.FullObject}
	require.NoError(t, s.BeginUpload(t.Context(), u))
	u, err := s.Upload(t.Context(), "photos", "k", u.ID)
	require.NoError(t, err)
	const most = 200
	var all, group sync.WaitGroup
	all.Add(most)
	results := make([]error, most)
	for i := range results {
		group.Go(func() {
			d := checksum.NewDigest(u.Kind, false)
			_, results[i] = s.PutPart(t.Context(), u, i+1, &state.Body{
				From:   &waitingReader{all: &all},
				Digest: d,
				Check:  func() error { return nil },
			})
		})
	}
	group.Wait()
	for _, err := range results {
		require.NoError(t, err)
	}
}

// pairedRemovals is a service whose removals of records of parts wait for each other.
type pairedRemovals struct {
	driver.ServiceDriver
	all *sync.WaitGroup
}

func (p pairedRemovals) Driver(name string) (driver.Driver, error) {
	d, err := p.ServiceDriver.Driver(name)
	return pairedDriver{d, p.all}, err
}

type pairedDriver struct {
	driver.Driver
	all *sync.WaitGroup
}

func (d pairedDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	if strings.Contains(r.Key, "/parts/") {
		d.all.Done()
		d.all.Wait()
	}
	return d.Driver.Delete(ctx, r)
}

// The store removes the records of parts several at a time. Otherwise this test would not end.
func TestRecordsOfPartsAreRemovedAtOnce(t *testing.T) {
	var all sync.WaitGroup
	s := New(Config{
		Service: pairedRemovals{memstore.NewServiceDriver(memstore.ServiceConfig{}), &all},
		Now:     time.Now,
		Account: "1",
		Region:  "us-east-1",
	})
	t.Cleanup(s.Close)
	_, err := s.CreateBucket(t.Context(), &state.Bucket{Name: "photos", Account: "1", Region: "us-east-1"})
	require.NoError(t, err)
	u := &state.Upload{Bucket: "photos", Key: "k", Kind: checksum.Default, Covers: checksum.FullObject}
	require.NoError(t, s.BeginUpload(t.Context(), u))
	u, err = s.Upload(t.Context(), "photos", "k", u.ID)
	require.NoError(t, err)
	for number := range maxPartRecords {
		d := checksum.NewDigest(u.Kind, false)
		_, err := s.PutPart(t.Context(), u, number+1, &state.Body{
			From:   teeReader("x", d),
			Size:   1,
			Digest: d,
			Check:  func() error { return nil },
		})
		require.NoError(t, err)
	}

	all.Add(maxPartRecords)
	require.NoError(t, s.Abort(t.Context(), u))

	parts, _, err := s.Parts(t.Context(), u, 0, 10)
	require.Empty(t, parts)
	require.Error(t, err)
}

// stagingService is a service far away whose drivers take parts in order only.
type stagingService struct{ driver.ServiceDriver }

func (s stagingService) Driver(name string) (driver.Driver, error) {
	d, err := s.ServiceDriver.Driver(name)
	return stagingDriver{d}, err
}

type stagingDriver struct{ driver.Driver }

func (d stagingDriver) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Local = false
	desc.FixedParts = true
	return desc
}

// SweepUploads keeps uploads whose parts are staged, although the driver does not know them.
func TestSweepLeavesStagedUploads(t *testing.T) {
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
