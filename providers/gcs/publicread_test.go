package gcs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// openPublic opens a bucket whose objects everyone can read, and returns a function that stores an
// object and reads it, so that Google's cache has it.
func openPublic(t *testing.T, conditions string) (storage.Bucket, func(text string, opts ...storage.UploadOption)) {
	t.Helper()
	s := startRuleServer(t)
	s.cache.conditions = conditions
	bucket := openAt(t, s.URL, s.bucket(ruleBucket{public: true}))
	return bucket, func(text string, opts ...storage.UploadOption) {
		_, err := bucket.Upload(t.Context(), "a", strings.NewReader(text), opts...)
		require.NoError(t, err)
		data, _, err := storage.ReadAll(t.Context(), bucket, "a")
		require.NoError(t, err)
		require.Equal(t, text, string(data))
	}
}

// Google may cache a public object for an hour. A read never returns an object that has since been overwritten or
// removed. https://cloud.google.com/storage/docs/consistency#cache-control, googleapis/google-cloud-go#9763,
// googleapis/nodejs-storage#566.
func TestReadOfPublicObjectNotStale(t *testing.T) {
	for _, conditions := range []string{"ignored", "compared", "passed"} {
		for name, opts := range map[string][]storage.UploadOption{
			"without Cache-Control": nil,
			"with Cache-Control":    {storage.WithCacheControl("max-age=86400")},
		} {
			t.Run("conditions are "+conditions+", "+name, func(t *testing.T) {
				b, store := openPublic(t, conditions)
				store("old", opts...)
				store("the new one", opts...)

				t.Run("a range that the old object does not have", func(t *testing.T) {
					data, attrs, err := storage.ReadAll(t.Context(), b, "a", storage.WithRange(4, 3))
					require.NoError(t, err)
					require.Equal(t, "new", string(data))
					require.Equal(t, int64(11), attrs.Size)
				})
				t.Run("the revision that Attrs has", func(t *testing.T) {
					attrs, err := b.Attrs(t.Context(), "a")
					require.NoError(t, err)
					data, readAttrs, err := storage.ReadAll(t.Context(), b, "a", storage.IfRevision(attrs.Revision))
					require.NoError(t, err)
					require.Equal(t, "the new one", string(data))
					require.Equal(t, attrs.CacheControl, readAttrs.CacheControl, "as it is stored")
				})
				t.Run("an update ends", func(t *testing.T) {
					_, err := storage.Update(t.Context(), b, "a", func(old []byte, _ *storage.Attrs) ([]byte, error) {
						return append(old, '!'), nil
					})
					require.NoError(t, err)
					data, _, err := storage.ReadAll(t.Context(), b, "a")
					require.NoError(t, err)
					require.Equal(t, "the new one!", string(data))
				})
				t.Run("a removed object", func(t *testing.T) {
					require.NoError(t, b.Remove(t.Context(), "a"))
					_, _, err := storage.ReadAll(t.Context(), b, "a")
					require.ErrorIs(t, err, storage.ObjectNotFound)
				})
			})
		}
	}
}

// A read of another revision of a public object is PreconditionFailed.
func TestReadOfPublicObjectIfRevision(t *testing.T) {
	for _, conditions := range []string{"ignored", "compared", "passed"} {
		t.Run("conditions are "+conditions, func(t *testing.T) {
			b, store := openPublic(t, conditions)
			store("old")
			old, err := b.Attrs(t.Context(), "a")
			require.NoError(t, err)
			store("new")
			_, _, err = storage.ReadAll(t.Context(), b, "a", storage.IfRevision(old.Revision))
			require.ErrorIs(t, err, storage.PreconditionFailed)
		})
	}
}

// A public object is read in parallel.
func TestReadOfPublicObjectInParallel(t *testing.T) {
	for _, conditions := range []string{"ignored", "compared", "passed"} {
		t.Run("conditions are "+conditions, func(t *testing.T) {
			b, store := openPublic(t, conditions)
			store(strings.Repeat("old", 5<<20))
			text := strings.Repeat("new", 6<<20)
			store(text)
			data, _, err := storage.ReadAll(t.Context(), b, "a", storage.WithConcurrency(3))
			require.NoError(t, err)
			require.True(t, text == string(data))
		})
	}
}

// After a response that may have come from Google's cache, reads in that bucket take two requests. Other reads
// take one.
func TestReadOfPublicObjectRequests(t *testing.T) {
	tests := []struct {
		name, stored string
		public       bool
		first, later int
	}{
		{name: "a private object", first: 1, later: 1},
		{name: "a public object", public: true, first: 3, later: 2},
		{name: "an object with max-age", stored: "max-age=60", first: 3, later: 2},
		{name: "an object that no cache keeps", stored: "no-store", public: true, first: 1, later: 1},
		{name: "an object that a cache must check", stored: "public, no-cache", public: true, first: 1, later: 1},
		{name: "an object for caches of one user", stored: "Private, max-age=60", public: true, first: 1, later: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startRuleServer(t)
			b := openAt(t, s.URL, s.bucket(ruleBucket{public: tt.public}))
			_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), storage.WithCacheControl(tt.stored))
			require.NoError(t, err)
			for _, requests := range []int{tt.first, tt.later} {
				s.requests()
				_, attrs, err := storage.ReadAll(t.Context(), b, "a")
				require.NoError(t, err)
				require.Equal(t, tt.stored, attrs.CacheControl)
				require.Len(t, s.requests(), requests)
			}
		})
	}
}
