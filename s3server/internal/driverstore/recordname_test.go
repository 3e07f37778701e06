package driverstore

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/lifetime"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A recordCase is a service that has the records of a store in one of the possible places.
type recordCase struct {
	name       string
	newService func(*testing.T) driver.ServiceDriver
	stages     bool // whether the parts of uploads are private objects beside the records
}

// recordCases has all places of records.
var recordCases = []recordCase{
	{
		name:       "private files of a directory",
		newService: newLocalService,
	},
	{
		name:       "private objects in memory",
		newService: func(*testing.T) driver.ServiceDriver { return newMemoryService() },
	},
	{
		name:       "among the objects of a bucket",
		newService: func(*testing.T) driver.ServiceDriver { return onlyObjects{newMemoryService()} },
	},
	{
		name:       "beside staged parts",
		newService: func(*testing.T) driver.ServiceDriver { return stagingService{newMemoryService()} },
		stages:     true,
	},
}

// newLocalService returns an account in a directory.
func newLocalService(t *testing.T) driver.ServiceDriver {
	t.Helper()
	s, err := local.NewServiceDriver(t.TempDir(), local.Config{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// newMemoryService returns an account in memory.
func newMemoryService() driver.ServiceDriver {
	return memstore.NewServiceDriver(memstore.ServiceConfig{})
}

// onlyObjects is a service without private objects.
type onlyObjects struct{ driver.ServiceDriver }

// newStore returns a store over a service, and creates buckets in it.
func newStore(t *testing.T, service driver.ServiceDriver, buckets ...string) *Store {
	t.Helper()
	return newStoreAt(t, service, func() time.Time { return time.Now().UTC() }, buckets...)
}

// newStoreAt is like newStore, but the store has the given clock.
func newStoreAt(t *testing.T, service driver.ServiceDriver, now func() time.Time, buckets ...string) *Store {
	t.Helper()
	s := New(Config{Service: service, Now: now, Account: "1", Region: "us-east-1"})
	t.Cleanup(s.Close)
	for _, name := range buckets {
		_, err := s.CreateBucket(t.Context(), &state.Bucket{Name: name, Account: "1", Region: "us-east-1"})
		require.NoError(t, err)
	}
	return s
}

// beginUpload begins an upload to the key "k", and stores part 1.
func beginUpload(t *testing.T, s *Store, bucket string) *state.Upload {
	t.Helper()
	u := &state.Upload{Bucket: bucket, Key: "k", Kind: checksum.Default, Covers: checksum.FullObject}
	u.Object.Encryption.Algorithm = state.ByStore
	require.NoError(t, s.BeginUpload(t.Context(), u))
	u, err := s.Upload(t.Context(), bucket, "k", u.ID)
	require.NoError(t, err)
	putPart(t, s, u, 1)
	return u
}

// putPart stores a part of one byte.
func putPart(t *testing.T, s *Store, u *state.Upload, number int) {
	t.Helper()
	digest := checksum.NewDigest(u.Kind, false)
	_, err := s.PutPart(t.Context(), u, number, &state.Body{
		From:   teeReader("x", digest),
		Size:   1,
		Digest: digest,
		Check:  func() error { return nil },
	})
	require.NoError(t, err)
}

// recordsOf opens the records of a bucket.
func recordsOf(t *testing.T, s *Store, bucket string) *records {
	t.Helper()
	b, _, err := s.bucketOf(t.Context(), bucket)
	require.NoError(t, err)
	r, err := b.openRecords(t.Context(), true)
	require.NoError(t, err)
	return r
}

// names returns the names of all records.
func (r *records) names(t *testing.T) (names []string) {
	t.Helper()
	for name, err := range r.list(t.Context(), "", "") {
		require.NoError(t, err)
		names = append(names, name)
	}
	return names
}

// putRaw stores an object under the name of a record.
func (r *records) putRaw(t *testing.T, name, content string, p storage.Properties) {
	t.Helper()
	_, err := r.driver.Put(t.Context(), &driver.PutRequest{
		Key:        r.prefix + name,
		Body:       strings.NewReader(content),
		Size:       int64(len(content)),
		Properties: p,
		CRC32C:     storage.CRC32C{Sum: crc32c.Sum([]byte(content)), Known: true},
	})
	require.NoError(t, err)
}

// copyRecords copies all records, like a program that copies a bucket.
func copyRecords(t *testing.T, src, dst *records) {
	t.Helper()
	for _, name := range src.names(t) {
		attrs, body, err := src.driver.Get(t.Context(), &driver.GetRequest{
			Key:    src.prefix + name,
			Length: -1,
		})
		require.NoError(t, err)
		content, err := io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		dst.putRaw(t, name, string(content), attrs.Properties)
	}
}

// If records are copied to another bucket together with its objects, they have no effect in that
// bucket.
func TestRecordsOfCopiedBucket(t *testing.T) {
	for _, tt := range recordCases {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t, tt.newService(t), "photos", "archive")
			upload := beginUpload(t, s, "photos")

			// Another program copies the records of the upload to another bucket.
			archive := recordsOf(t, s, "archive")
			copyRecords(t, recordsOf(t, s, "photos"), archive)
			copied := archive.names(t)

			// The copied upload does not exist in the other bucket.
			_, err := s.Upload(t.Context(), "archive", "k", upload.ID)
			require.True(t, s3error.Is(err, "NoSuchUpload"), "%v", err)

			var listed []string
			_, err = s.ListUploads(
				t.Context(), "archive", state.Listing{Max: 10}, state.UploadPosition{},
				func(u *state.Upload, _ string) {
					listed = append(listed, u.ID)
				},
			)
			require.NoError(t, err)
			require.Empty(t, listed)

			s.SweepUploads(t.Context())
			require.Equal(t, copied, archive.names(t), "a sweep does not remove the copied records")

			// The original upload continues.
			parts, _, err := s.Parts(t.Context(), upload, 0, 10)
			require.NoError(t, err)
			require.Len(t, parts, 1)
			require.NoError(t, s.Abort(t.Context(), upload))

			require.NoError(t, s.DeleteBucket(t.Context(), "archive"), "the copied records do not keep the bucket")
		})
	}
}

// A sweep removes the records that a killed server left, but no records of another bucket and no other objects.
func TestSweepRemovesOnlyRecords(t *testing.T) {
	const isVersioned = false // the bucket keeps no versions

	// The names of these objects are like those of records of parts.
	otherObjects := []struct{ name, content string }{
		{name: "parts/x/notes.txt", content: "notes"},
		{name: "parts/x/00001", content: `{"Number":1}`},
		{name: "parts/x/00001.body", content: "x"},
		{name: "parts/x/list.json", content: "[]"},
	}
	for _, tt := range recordCases {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t, tt.newService(t), "photos", "other")
			r := recordsOf(t, s, "photos")

			// A server was killed after it had removed the record of an upload, but before it
			// removed the records of the upload's parts.
			ended := beginUpload(t, s, "photos")
			require.NoError(t, r.removeAll(t.Context(), uploadName(ended.ID), isVersioned))
			require.Contains(t, r.names(t), partRecordName(ended.ID, 1))

			// Another program copied the record of a part from another bucket, but did not copy the
			// record of the part's upload.
			foreign := beginUpload(t, s, "other")
			copyRecords(t, recordsOf(t, s, "other"), r)
			require.NoError(t, r.removeAll(t.Context(), uploadName(foreign.ID), isVersioned))

			// The other program also stored objects of its own.
			for _, object := range otherObjects {
				r.putRaw(t, object.name, object.content, storage.Properties{})
			}

			// Only the records of the killed server's upload are removed.
			s.SweepUploads(t.Context())
			names := r.names(t)
			for _, name := range names {
				require.False(t, strings.HasPrefix(name, partsPrefix(ended.ID)), "%s stays", name)
			}
			require.Contains(t, names, partRecordName(foreign.ID, 1))
			for _, object := range otherObjects {
				require.Contains(t, names, object.name)
			}
		})
	}
}

// DeleteBucket fails if another program has stored objects under the prefix of the server's records.
func TestDeleteBucketWithMoreThanRecords(t *testing.T) {
	tests := []struct {
		name       string
		versioning string
	}{
		{name: "without versions"},
		{name: "with versions", versioning: state.Enabled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// This store keeps its records among the objects of the bucket.
			s := newStore(t, onlyObjects{newMemoryService()}, "photos")
			require.NoError(t, s.ChangeBucket(t.Context(), "photos", func(b *state.Bucket) error {
				b.Versioning = tt.versioning
				return nil
			}))

			// Beside the records of an upload, there is an object of another program.
			beginUpload(t, s, "photos")
			r := recordsOf(t, s, "photos")
			r.putRaw(t, "notes.txt", "notes", storage.Properties{})
			names := r.names(t)

			err := s.DeleteBucket(t.Context(), "photos")
			require.True(t, s3error.Is(err, "BucketNotEmpty"), "%v", err)
			require.Equal(t, names, r.names(t), "nothing was removed")

			// Without the other object, the bucket can be removed with its records.
			require.NoError(t, r.removeAll(t.Context(), "notes.txt", tt.versioning != ""))
			require.NoError(t, s.DeleteBucket(t.Context(), "photos"))
		})
	}
}

// A vanishing driver removes each record of a part after the record was listed, and before it is
// read. Another request that ends the upload would do the same.
type vanishing struct{ driver.Driver }

func (d vanishing) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	if strings.Contains(r.Key, "/parts/") {
		if err := d.Driver.Delete(ctx, &driver.DeleteRequest{Key: r.Key}); err != nil {
			return nil, nil, err
		}
	}
	return d.Driver.Get(ctx, r)
}

// DeleteBucket does not mistake a record for an object of another program if the record is removed
// at the same time.
func TestDeleteBucketWhileAnUploadEnds(t *testing.T) {
	memory := newMemoryService()
	upload := beginUpload(t, newStore(t, onlyObjects{memory}, "photos"), "photos")
	layer := func(next driver.Driver) driver.Driver { return vanishing{next} }
	s := newStore(t, onlyObjects{driver.ServiceWithLayers(memory, layer)})
	require.Contains(t, recordsOf(t, s, "photos").names(t), partRecordName(upload.ID, 1))

	require.NoError(t, s.DeleteBucket(t.Context(), "photos"))
}

// The copy of a bucket keeps its settings, except for the lifecycle rules. These must not remove
// objects of the copy.
func TestRulesOfCopiedBucketRemoveNothing(t *testing.T) {
	for _, tt := range recordCases {
		if tt.stages {
			// A gateway takes no lifecycle rules.
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t, tt.newService(t), "photos", "archive")
			require.NoError(t, s.ChangeBucket(t.Context(), "photos", func(b *state.Bucket) error {
				b.Lifecycle = &lifecycle.Configuration{Rule: []lifecycle.Rule{{ID: "all", Status: "Enabled"}}}
				b.Payer = "Requester"
				return nil
			}))

			// Another program copies the settings, which are records, too.
			copyRecords(t, recordsOf(t, s, "photos"), recordsOf(t, s, "archive"))

			// A new store reads the copied settings.
			reopened := newStore(t, s.Service)

			b, err := reopened.Bucket(t.Context(), "photos")
			require.NoError(t, err)
			require.NotNil(t, b.Lifecycle)

			b, err = reopened.Bucket(t.Context(), "archive")
			require.NoError(t, err)
			require.Nil(t, b.Lifecycle)
			require.Equal(t, "Requester", b.Payer)
		})
	}
}

// withoutParts is a driver for records whose listing does not show the records of parts yet.
type withoutParts struct{ driver.Driver }

func (d withoutParts) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err != nil {
		return nil, err
	}
	page.Entries = slices.DeleteFunc(page.Entries, func(e storage.ListEntry) bool {
		return strings.Contains(e.Key, "parts/")
	})
	return page, nil
}

// SweepUploads removes an upload only if no part was sent for lifetime.IdleUpload. A listing that does not show the
// latest parts yet must not make the upload look idle.
func TestSweepKeepsUploadIfListingLags(t *testing.T) {
	tests := []struct {
		name       string
		newService func(t *testing.T, now func() time.Time) driver.ServiceDriver
	}{
		{
			name: "directory",
			newService: func(t *testing.T, now func() time.Time) driver.ServiceDriver {
				s, err := local.NewServiceDriver(t.TempDir(), local.Config{NoSync: true, Now: now})
				require.NoError(t, err)
				t.Cleanup(func() { _ = s.Close() })
				return s
			},
		},
		{
			name: "memory",
			newService: func(_ *testing.T, now func() time.Time) driver.ServiceDriver {
				return memstore.NewServiceDriver(memstore.ServiceConfig{Now: now})
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The clock of the store is ahead by the elapsed time.
			elapsed := time.Duration(0)
			now := func() time.Time { return time.Now().UTC().Add(elapsed) }
			s := newStoreAt(t, tt.newService(t, now), now, "photos")
			u := beginUpload(t, s, "photos")

			// Send the last part a day before the upload would be idle.
			timeOfLastPart := lifetime.IdleUpload - lifetime.Day
			elapsed = timeOfLastPart
			putPart(t, s, u, 2)

			// Two days later, the listing still lacks part 2. The sweep keeps the upload.
			r := recordsOf(t, s, "photos")
			r.driver = withoutParts{r.driver}
			elapsed = lifetime.IdleUpload + lifetime.Day
			s.SweepUploads(t.Context())
			_, err := s.Upload(t.Context(), "photos", "k", u.ID)
			require.NoError(t, err)

			// Much later, the upload is idle even by the time of its last part.
			elapsed = timeOfLastPart + lifetime.IdleUpload + lifetime.Day
			_, err = s.Upload(t.Context(), "photos", "k", u.ID)
			require.True(t, s3error.Is(err, "NoSuchUpload"), "%v", err)
		})
	}
}
