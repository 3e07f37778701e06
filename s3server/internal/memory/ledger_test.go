package memory

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// newStore returns a store with one bucket and a bound on its ledger.
func newStore(t *testing.T, limit int64) *Store {
	t.Helper()
	s := New(time.Now, 1<<30)
	_, err := s.CreateBucket(t.Context(), &state.Bucket{Name: "photos"})
	require.NoError(t, err)
	s.ledger.limit = limit
	return s
}

func emptyBody() *state.Body {
	d := checksum.NewDigest(checksum.Default, false)
	return &state.Body{From: http.NoBody, Digest: d, Check: func() error { return nil }}
}

// The memory limit also counts entries without bytes, such as empty objects and open uploads.
func TestLedgerBoundsEntriesWithoutBytes(t *testing.T) {
	ctx := context.Background()
	long := strings.Repeat("x", 1000)

	// Each function adds one or several entries without bytes.
	addEntry := map[string]func(s *Store) error{
		"empty objects": func(s *Store) error {
			_, _, err := s.Put(ctx, &state.Write{Bucket: "photos", Key: rand.Text()}, emptyBody())
			return err
		},
		"long metadata": func(s *Store) error {
			o := state.Object{Properties: state.Properties{Header: http.Header{"X-Amz-Meta-A": {long}}}}
			_, _, err := s.Put(ctx, &state.Write{Bucket: "photos", Key: rand.Text(), Object: o}, emptyBody())
			return err
		},
		"uploads": func(s *Store) error {
			return s.BeginUpload(ctx, &state.Upload{Bucket: "photos", Key: long, Kind: checksum.Default})
		},
		"parts": func(s *Store) error {
			u := &state.Upload{Bucket: "photos", Key: "k", Kind: checksum.Default}
			if err := s.BeginUpload(ctx, u); err != nil {
				return err
			}
			for number := range 100 {
				if _, err := s.PutPart(ctx, u, number+1, emptyBody()); err != nil {
					return err
				}
			}
			return nil
		},
		"settings of buckets": func(s *Store) error {
			name := rand.Text()
			if _, err := s.CreateBucket(ctx, &state.Bucket{Name: name}); err != nil {
				return err
			}
			return s.ChangeBucket(ctx, name, func(b *state.Bucket) error {
				b.Logging = []byte(long)
				return nil
			})
		},
		"buckets": func(s *Store) error {
			_, err := s.CreateBucket(ctx, &state.Bucket{Name: rand.Text()})
			return err
		},
		"delete markers": func(s *Store) error {
			_ = s.ChangeBucket(ctx, "photos", func(b *state.Bucket) error {
				b.Versioning = state.Enabled
				return nil
			})
			_, err := s.Remove(ctx, &state.RemoveRequest{
				VersionName: state.VersionName{Bucket: "photos", Key: "k"},
			})
			return err
		},
	}
	for name, add := range addEntry {
		t.Run(name, func(t *testing.T) {
			const (
				limit = 100 << 10
				tries = 1000 // which are more than fit into the limit
			)
			s := newStore(t, limit)

			// Add entries until one fails.
			var err error
			for n := 0; n < tries && err == nil; n++ {
				err = add(s)
			}

			require.True(t, s3error.Is(err, "XMinioStorageFull"), err)
			require.LessOrEqual(t, s.ledger.used, int64(limit))
		})
	}
}

// The ledger counts the memory of entries. After everything was removed, it counts none.
func TestLedgerIsEmptyAtEnd(t *testing.T) {
	const unlimited = 0
	ctx := context.Background()
	s := newStore(t, unlimited)

	// Overwrite an object, and change it.
	for range 2 {
		_, _, err := s.Put(ctx, &state.Write{Bucket: "photos", Key: "a"}, emptyBody())
		require.NoError(t, err)
	}
	addTag := func(_ *state.Bucket, v *state.Version) error {
		v.Object.Properties.Tags = []tagging.Tag{{Key: "k", Value: "v"}}
		return nil
	}
	_, _, err := s.Change(ctx, state.VersionName{Bucket: "photos", Key: "a"}, addTag)
	require.NoError(t, err)

	// There are three uploads: complete the first, abort the second, and let the third end with the
	// bucket.
	completed := beginWithPart(t, s)
	parts, _, err := s.Parts(ctx, completed, 0, 10)
	require.NoError(t, err)
	_, _, err = s.Complete(ctx, &state.Write{
		Bucket: "photos",
		Key:    "b",
		Object: state.Object{Parts: make([]state.ObjectPart, 1)},
	}, completed, parts)
	require.NoError(t, err)
	require.NoError(t, s.Abort(ctx, beginWithPart(t, s)))
	beginWithPart(t, s)

	// Copy an object. Find keeps the bytes of the copy's source until Release.
	source, _, err := s.Find(ctx, state.VersionName{Bucket: "photos", Key: "a"})
	require.NoError(t, err)
	_, _, err = s.Copy(ctx, &state.Write{Bucket: "photos", Key: "c", Object: source.Object}, source)
	require.NoError(t, err)
	s.Release(source)
	require.Positive(t, s.ledger.used)

	// Remove everything.
	for _, key := range []string{"a", "b", "c"} {
		_, err := s.Remove(ctx, &state.RemoveRequest{
			VersionName: state.VersionName{Bucket: "photos", Key: key},
		})
		require.NoError(t, err)
	}
	require.NoError(t, s.DeleteBucket(ctx, "photos"))
	require.Zero(t, s.ledger.used)
	require.Zero(t, s.blobs.bytes.used)
}

// beginWithPart begins an upload of the object "b", and puts its part 1 twice.
func beginWithPart(t *testing.T, s *Store) *state.Upload {
	t.Helper()
	upload := &state.Upload{Bucket: "photos", Key: "b", Kind: checksum.Default}
	require.NoError(t, s.BeginUpload(t.Context(), upload))
	for range 2 {
		_, err := s.PutPart(t.Context(), upload, 1, emptyBody())
		require.NoError(t, err)
	}
	return upload
}
