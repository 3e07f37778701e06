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
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// placesOfRecords are where a store has its records: as private objects, among the objects of a bucket, and with
// the parts of uploads beside them.
var placesOfRecords = map[string]func(*testing.T) driver.ServiceDriver{
	"directory": func(t *testing.T) driver.ServiceDriver {
		s, err := local.NewServiceDriver(t.TempDir(), local.Config{NoSync: true})
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Close() })
		return s
	},
	"memory": func(*testing.T) driver.ServiceDriver { return memstore.NewServiceDriver(memstore.ServiceConfig{}) },
	"objects": func(*testing.T) driver.ServiceDriver {
		return onlyObjects{memstore.NewServiceDriver(memstore.ServiceConfig{})}
	},
	"staged parts": func(*testing.T) driver.ServiceDriver {
		return stagingService{memstore.NewServiceDriver(memstore.ServiceConfig{})}
	},
}

// onlyObjects is a service without private objects.
type onlyObjects struct{ driver.ServiceDriver }

func newStore(t *testing.T, service driver.ServiceDriver, buckets ...string) *Store {
	t.Helper()
	s := New(Config{Service: service, Now: func() time.Time { return time.Now().UTC() }, Account: "1", Region: "us-east-1"})
	t.Cleanup(s.Close)
	for _, name := range buckets {
		_, err := s.CreateBucket(t.Context(), &state.Bucket{Name: name, Account: "1", Region: "us-east-1"})
		require.NoError(t, err)
	}
	return s
}

func beginUpload(t *testing.T, s *Store, bucket string) *state.Upload {
	t.Helper()
	u := &state.Upload{Bucket: bucket, Key: "k", Kind: checksum.Default, Covers: checksum.FullObject}
	u.Object.Encryption.Algorithm = state.ByStore
	require.NoError(t, s.BeginUpload(t.Context(), u))
	u, err := s.Upload(t.Context(), bucket, "k", u.ID)
	require.NoError(t, err)
	d := checksum.NewDigest(u.Kind, false)
	_, err = s.PutPart(t.Context(), u, 1, &state.Body{From: teeReader("x", d), Size: 1, Digest: d, Check: func() error { return nil }})
	require.NoError(t, err)
	return u
}

func recordsOf(t *testing.T, s *Store, bucket string) *records {
	t.Helper()
	b, _, err := s.bucketOf(t.Context(), bucket)
	require.NoError(t, err)
	r, err := b.openRecords(t.Context(), true)
	require.NoError(t, err)
	return r
}

func (r *records) names(t *testing.T) (names []string) {
	t.Helper()
	require.NoError(t, r.eachName(t.Context(), "", "", func(name string) (bool, error) {
		names = append(names, name)
		return true, nil
	}))
	return names
}

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

// copyRecords copies all records, as a program does that copies a bucket.
func copyRecords(t *testing.T, src, dst *records) {
	t.Helper()
	for _, name := range src.names(t) {
		attrs, body, err := src.driver.Get(t.Context(), &driver.GetRequest{Key: src.prefix + name, Length: -1})
		require.NoError(t, err)
		content, err := io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		dst.putRaw(t, name, string(content), attrs.Properties)
	}
}

// If a bucket is copied with the server's records, the copied records have no effect.
func TestRecordsOfCopiedBucket(t *testing.T) {
	for name, place := range placesOfRecords {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, place(t), "photos", "archive")
			u := beginUpload(t, s, "photos")
			archive := recordsOf(t, s, "archive")
			copyRecords(t, recordsOf(t, s, "photos"), archive)
			names := archive.names(t)

			_, err := s.Upload(t.Context(), "archive", "k", u.ID)
			require.True(t, s3error.Is(err, "NoSuchUpload"), "%v", err)
			_, err = s.ListUploads(t.Context(), "archive", state.Listing{Max: 10}, state.UploadPosition{}, func(u *state.Upload, _ string) {
				require.Fail(t, "an upload of another bucket is listed", u.ID)
			})
			require.NoError(t, err)
			s.SweepUploads(t.Context())
			require.Equal(t, names, archive.names(t), "no sweep may remove them")

			parts, _, err := s.Parts(t.Context(), u, 0, 10)
			require.NoError(t, err)
			require.Len(t, parts, 1, "the upload continues")
			require.NoError(t, s.Abort(t.Context(), u))
			require.NoError(t, s.DeleteBucket(t.Context(), "archive"), "copied records keep no bucket")
		})
	}
}

// A sweep of the records' prefix removes only records of the server.
func TestSweepRemovesOnlyRecords(t *testing.T) {
	for name, place := range placesOfRecords {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, place(t), "photos", "other")
			finished := beginUpload(t, s, "photos")
			foreign := beginUpload(t, s, "other")
			r := recordsOf(t, s, "photos")
			require.NoError(t, r.removeAll(t.Context(), uploadName(finished.ID), false)) // a server was killed
			copyRecords(t, recordsOf(t, s, "other"), r)
			require.NoError(t, r.removeAll(t.Context(), uploadName(foreign.ID), false))
			others := map[string]string{"parts/x/notes.txt": "notes", "parts/x/00001": `{"Number":1}`, "parts/x/00001.body": "x", "parts/x/list.json": "[]"}
			for name, content := range others {
				r.putRaw(t, name, content, storage.Properties{})
			}

			require.Contains(t, r.names(t), partRecordName(finished.ID, 1))

			s.SweepUploads(t.Context())
			names := r.names(t)
			require.False(t, slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, partsPrefix(finished.ID)) }), "%q", names)
			require.Contains(t, names, partRecordName(foreign.ID, 1), "it was copied from another bucket")
			for name := range others {
				require.Contains(t, names, name)
			}
		})
	}
}

// A bucket with other objects under the records' prefix is not empty, so DeleteBucket fails. Another program may
// have stored them.
func TestDeleteBucketWithMoreThanRecords(t *testing.T) {
	for name, versioned := range map[string]bool{"without versions": false, "with versions": true} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, onlyObjects{memstore.NewServiceDriver(memstore.ServiceConfig{})}, "photos")
			if versioned {
				require.NoError(t, s.ChangeBucket(t.Context(), "photos", func(b *state.Bucket) error {
					b.Versioning = state.Enabled
					return nil
				}))
			}
			beginUpload(t, s, "photos")
			r := recordsOf(t, s, "photos")
			r.putRaw(t, "notes.txt", "notes", storage.Properties{})
			names := r.names(t)

			err := s.DeleteBucket(t.Context(), "photos")
			require.True(t, s3error.Is(err, "BucketNotEmpty"), "%v", err)
			require.Equal(t, names, r.names(t))

			require.NoError(t, r.removeAll(t.Context(), "notes.txt", versioned))
			require.NoError(t, s.DeleteBucket(t.Context(), "photos"))
		})
	}
}

// If a bucket is copied, the lifecycle rules in its copied records remove nothing.
func TestRulesOfCopiedBucketRemoveNothing(t *testing.T) {
	for name, place := range placesOfRecords {
		if name == "staged parts" { // a gateway takes no rules
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := newStore(t, place(t), "photos", "archive")
			require.NoError(t, s.ChangeBucket(t.Context(), "photos", func(b *state.Bucket) error {
				b.Lifecycle = &lifecycle.Configuration{Rule: []lifecycle.Rule{{ID: "all", Status: "Enabled"}}}
				b.Payer = "Requester"
				return nil
			}))
			copyRecords(t, recordsOf(t, s, "photos"), recordsOf(t, s, "archive"))
			reopened := newStore(t, s.Service)

			b, err := reopened.Bucket(t.Context(), "photos")
			require.NoError(t, err)
			require.NotNil(t, b.Lifecycle)

			b, err = reopened.Bucket(t.Context(), "archive")
			require.NoError(t, err)
			require.Nil(t, b.Lifecycle)
			require.Equal(t, "Requester", b.Payer, "the other settings stay")
		})
	}
}

// withoutParts is the driver of records whose listing does not have the records of parts yet.
type withoutParts struct{ driver.Driver }

func (d withoutParts) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err == nil {
		page.Entries = slices.DeleteFunc(page.Entries, func(e storage.ListEntry) bool { return strings.Contains(e.Key, "parts/") })
	}
	return page, err
}

// If a listing is behind and lacks the records of an upload's parts, SweepUploads keeps the upload.
func TestSweepKeepsUploadIfListingLags(t *testing.T) {
	ahead := time.Duration(0)
	now := func() time.Time { return time.Now().UTC().Add(ahead) }
	for name, service := range map[string]driver.ServiceDriver{
		"directory": func() driver.ServiceDriver {
			s, err := local.NewServiceDriver(t.TempDir(), local.Config{NoSync: true, Now: now})
			require.NoError(t, err)
			t.Cleanup(func() { _ = s.Close() })
			return s
		}(),
		"memory": memstore.NewServiceDriver(memstore.ServiceConfig{Now: now}),
	} {
		t.Run(name, func(t *testing.T) {
			ahead = 0
			s := New(Config{Service: service, Now: now, Account: "1", Region: "us-east-1"})
			t.Cleanup(s.Close)
			_, err := s.CreateBucket(t.Context(), &state.Bucket{Name: "photos", Account: "1", Region: "us-east-1"})
			require.NoError(t, err)
			u := beginUpload(t, s, "photos")
			ahead = 6 * 24 * time.Hour
			d := checksum.NewDigest(u.Kind, false)
			_, err = s.PutPart(t.Context(), u, 2, &state.Body{From: teeReader("y", d), Size: 1, Digest: d, Check: func() error { return nil }})
			require.NoError(t, err)
			ahead = 8 * 24 * time.Hour
			r := recordsOf(t, s, "photos")
			r.driver = withoutParts{r.driver}
			s.SweepUploads(t.Context())
			_, err = s.Upload(t.Context(), "photos", "k", u.ID)
			require.NoError(t, err)
			ahead = 14 * 24 * time.Hour

			_, err = s.Upload(t.Context(), "photos", "k", u.ID)
			require.True(t, s3error.Is(err, "NoSuchUpload"), "%v", err)
		})
	}
}
