package s3server

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// memoryOf returns the store of a server, with a bound on its ledger.
func memoryOf(t *testing.T, most int64) *memoryStore {
	t.Helper()
	h := New(Config{Buckets: []string{"photos"}, MaxBytes: 1 << 30})
	s, ok := h.store.(*memoryStore)
	require.True(t, ok)
	s.ledger.most = most
	return s
}

func emptyBody() *body {
	d := checksum.NewDigest(checksum.Default, false)
	return &body{from: http.NoBody, digest: d, check: func() error { return nil }}
}

func TestEntriesWithoutBytesAreBounded(t *testing.T) {
	ctx := context.Background()
	long := strings.Repeat("x", 1000)
	for name, make := range map[string]func(s *memoryStore) error{
		"empty objects": func(s *memoryStore) error {
			_, _, err := s.put(ctx, &write{bucket: "photos", key: newRequestID()}, emptyBody())
			return err
		},
		"long metadata": func(s *memoryStore) error {
			o := object{properties: properties{header: http.Header{"X-Amz-Meta-A": {long}}}}
			_, _, err := s.put(ctx, &write{bucket: "photos", key: newRequestID(), object: o}, emptyBody())
			return err
		},
		"uploads": func(s *memoryStore) error {
			return s.beginUpload(ctx, &upload{bucket: "photos", key: long, kind: checksum.Default})
		},
		"parts": func(s *memoryStore) error {
			u := &upload{bucket: "photos", key: "k", kind: checksum.Default}
			if err := s.beginUpload(ctx, u); err != nil {
				return err
			}
			for number := range 100 {
				if _, err := s.putPart(ctx, u, number+1, emptyBody()); err != nil {
					return err
				}
			}
			return nil
		},
		"settings of buckets": func(s *memoryStore) error {
			name := newRequestID()
			if _, err := s.createBucket(ctx, &bucket{name: name}); err != nil {
				return err
			}
			return s.changeBucket(ctx, name, func(b *bucket) error {
				b.logging = []byte(long)
				return nil
			})
		},
		"buckets": func(s *memoryStore) error {
			_, err := s.createBucket(ctx, &bucket{name: newRequestID()})
			return err
		},
		"delete markers": func(s *memoryStore) error {
			_ = s.changeBucket(ctx, "photos", func(b *bucket) error {
				b.versioning = enabled
				return nil
			})
			_, err := s.remove(ctx, &removeRequest{versionName: versionName{bucket: "photos", key: "k"}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := memoryOf(t, 100<<10)
			var err error
			for range 1000 {
				if err = make(s); err != nil {
					break
				}
			}
			require.Equal(t, "InsufficientStorage", code(err))
			require.LessOrEqual(t, s.ledger.used, s.ledger.most)
		})
	}
}

func TestTheLedgerIsEmptyAfterEverythingIsRemoved(t *testing.T) {
	ctx := context.Background()
	s := memoryOf(t, 0)
	remove := func(key, id string) {
		_, err := s.remove(ctx, &removeRequest{versionName: versionName{"photos", key, id}})
		require.NoError(t, err)
	}
	for range 2 { // the second one overwrites
		_, _, err := s.put(ctx, &write{bucket: "photos", key: "a"}, emptyBody())
		require.NoError(t, err)
	}
	_, _, err := s.change(ctx, versionName{bucket: "photos", key: "a"}, func(_ *bucket, v *version) error {
		v.object.properties.tags = []tagging.Tag{{Key: "k", Value: "v"}}
		return nil
	})
	require.NoError(t, err)
	for i := range 3 { // one is completed, one aborted, one ends with the bucket
		u := &upload{bucket: "photos", key: "b", kind: checksum.Default}
		require.NoError(t, s.beginUpload(ctx, u))
		for range 2 {
			_, err = s.putPart(ctx, u, 1, emptyBody())
			require.NoError(t, err)
		}
		parts, _, err := s.parts(ctx, u, 0, 10)
		require.NoError(t, err)
		switch i {
		case 0:
			_, _, err = s.complete(ctx, &write{bucket: "photos", key: "b", object: object{parts: make([]objectPart, 1)}}, u, parts)
			require.NoError(t, err)
		case 1:
			require.NoError(t, s.abort(ctx, u))
		}
	}
	v, _, err := s.find(ctx, versionName{bucket: "photos", key: "a"})
	require.NoError(t, err)
	_, _, err = s.copy(ctx, &write{bucket: "photos", key: "c", object: v.object}, v)
	require.NoError(t, err)
	s.release(v)
	require.Positive(t, s.ledger.used)
	for _, key := range []string{"a", "b", "c"} {
		remove(key, "")
	}
	require.NoError(t, s.deleteBucket(ctx, "photos"))
	require.Zero(t, s.ledger.used)
	require.Zero(t, s.blobs.bytes)
}
