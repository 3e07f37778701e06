package gcs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// cacheModes are the ways in which Google's cache may treat the conditions of a read.
var cacheModes = []string{"ignored", "compared", "passed"}

// openPublic opens a bucket whose objects everyone can read, behind a cache. conditions is one of the cacheModes: how
// the cache treats the conditions of requests.
func openPublic(t *testing.T, conditions string) storage.Bucket {
	t.Helper()
	server := startRuleServer(t)
	server.cache.conditions = conditions
	return openAt(t, server.URL, server.bucket(ruleBucket{public: true}))
}

// storeCached stores the object "a" and reads it, so that Google's cache has it.
func storeCached(t *testing.T, bucket storage.Bucket, text string, opts ...storage.UploadOption) {
	t.Helper()
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader(text), opts...)
	require.NoError(t, err)
	requireText(t, bucket, text)
}

// requireText requires that the object "a" has the text.
func requireText(t *testing.T, bucket storage.Bucket, text string) {
	t.Helper()
	data, _, err := storage.ReadAll(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.Equal(t, text, string(data))
}

// A read never returns an object that was overwritten or removed, although Google may cache a public object for an
// hour: https://cloud.google.com/storage/docs/consistency#cache-control, googleapis/google-cloud-go#9763,
// googleapis/nodejs-storage#566.
func TestReadOfPublicObjectNotStale(t *testing.T) {
	headers := []struct {
		name string
		opts []storage.UploadOption
	}{
		{name: "without Cache-Control", opts: nil},
		{
			name: "with Cache-Control",
			opts: []storage.UploadOption{storage.WithCacheControl("max-age=86400")},
		},
	}
	for _, conditions := range cacheModes {
		for _, header := range headers {
			t.Run("conditions are "+conditions+", "+header.name, func(t *testing.T) {
				// The cache has the old object when the new one is stored.
				bucket := openPublic(t, conditions)
				storeCached(t, bucket, "old", header.opts...)
				storeCached(t, bucket, "the new one", header.opts...)

				// This range is the word "new", which the old object does not have.
				data, attrs, err := storage.ReadAll(t.Context(), bucket, "a", storage.WithRange(4, 3))
				require.NoError(t, err)
				require.Equal(t, "new", string(data))
				require.Equal(t, int64(11), attrs.Size)

				// A read of the revision in Attrs succeeds, with the stored Cache-Control.
				attrs, err = bucket.Attrs(t.Context(), "a")
				require.NoError(t, err)
				data, readAttrs, err := storage.ReadAll(t.Context(), bucket, "a",
					storage.IfRevision(attrs.Revision))
				require.NoError(t, err)
				require.Equal(t, "the new one", string(data))
				require.Equal(t, attrs.CacheControl, readAttrs.CacheControl)

				// Update reads the current object.
				addMark := func(old []byte, _ *storage.Attrs) ([]byte, error) {
					return append(old, '!'), nil
				}
				_, err = storage.Update(t.Context(), bucket, "a", addMark)
				require.NoError(t, err)
				requireText(t, bucket, "the new one!")

				// A removed object is missing at once.
				require.NoError(t, bucket.Remove(t.Context(), "a"))
				_, _, err = storage.ReadAll(t.Context(), bucket, "a")
				require.ErrorIs(t, err, storage.ObjectNotFound)
			})
		}
	}
}

// A read of an old revision of a public object fails with PreconditionFailed, even if Google's cache still has it.
func TestReadOfPublicObjectIfRevision(t *testing.T) {
	for _, conditions := range cacheModes {
		t.Run("conditions are "+conditions, func(t *testing.T) {
			bucket := openPublic(t, conditions)
			storeCached(t, bucket, "old")
			old, err := bucket.Attrs(t.Context(), "a")
			require.NoError(t, err)
			storeCached(t, bucket, "new")

			_, _, err = storage.ReadAll(t.Context(), bucket, "a", storage.IfRevision(old.Revision))
			require.ErrorIs(t, err, storage.PreconditionFailed)
		})
	}
}

// A parallel read of a public object returns only bytes of the current object.
func TestReadOfPublicObjectInParallel(t *testing.T) {
	for _, conditions := range cacheModes {
		t.Run("conditions are "+conditions, func(t *testing.T) {
			bucket := openPublic(t, conditions)
			storeCached(t, bucket, strings.Repeat("old", 5<<20))
			want := strings.Repeat("new", 6<<20)
			storeCached(t, bucket, want)

			got, _, err := storage.ReadAll(t.Context(), bucket, "a", storage.WithConcurrency(3))
			require.NoError(t, err)
			require.True(t, want == string(got), "got %d bytes, want %d", len(got), len(want))
		})
	}
}

// A read takes one request. It takes two only in a bucket whose responses may come from Google's cache.
func TestReadOfPublicObjectRequests(t *testing.T) {
	tests := []struct {
		name          string
		cacheControl  string
		public        bool
		firstRequests int // by the first read
		laterRequests int // by a later read
	}{
		{name: "a private object", firstRequests: 1, laterRequests: 1},
		{name: "a public object", public: true, firstRequests: 3, laterRequests: 2},
		{name: "an object with max-age", cacheControl: "max-age=60", firstRequests: 3, laterRequests: 2},
		{
			name:          "an object that no cache keeps",
			cacheControl:  "no-store",
			public:        true,
			firstRequests: 1,
			laterRequests: 1,
		},
		{
			name:          "an object that a cache must check",
			cacheControl:  "public, no-cache",
			public:        true,
			firstRequests: 1,
			laterRequests: 1,
		},
		{
			name:          "an object for caches of one user",
			cacheControl:  "Private, max-age=60",
			public:        true,
			firstRequests: 1,
			laterRequests: 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := startRuleServer(t)
			bucket := openAt(t, server.URL, server.bucket(ruleBucket{public: tt.public}))
			_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"),
				storage.WithCacheControl(tt.cacheControl))
			require.NoError(t, err)

			for _, want := range []int{tt.firstRequests, tt.laterRequests} {
				server.requests() // forgets the requests so far
				_, attrs, err := storage.ReadAll(t.Context(), bucket, "a")
				require.NoError(t, err)
				require.Equal(t, tt.cacheControl, attrs.CacheControl)
				require.Len(t, server.requests(), want)
			}
		})
	}
}
