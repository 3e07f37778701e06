package gcs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// cacheModes are the ways in which Google's cache may treat the conditions of a read.
var cacheModes = []string{"ignored", "compared", "passed"}

// openPublic opens a bucket whose objects everyone can read, behind a cache. conditions is one of
// the cacheModes, and says how the cache treats the conditions of requests.
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

// A read returns the bytes of the current object, although Google's cache may have an overwritten object for an hour:
// https://cloud.google.com/storage/docs/consistency#cache-control, googleapis/google-cloud-go#9763,
// googleapis/nodejs-storage#566.
func TestReadOfPublicObjectNotStale(t *testing.T) {
	eachStaleCache(t, "old", "the new one", func(t *testing.T, bucket storage.Bucket) {
		// These bytes are the word "new". The old object is too short to have them.
		data, attrs, err := storage.ReadAll(t.Context(), bucket, "a", storage.WithRange(4, 3))
		require.NoError(t, err)
		require.Equal(t, "new", string(data))
		require.Equal(t, int64(len("the new one")), attrs.Size)
	})
}

// A read of the revision that Attrs returns succeeds, although Google's cache has an older revision.
func TestReadOfPublicObjectOfRevision(t *testing.T) {
	eachStaleCache(t, "old", "new", func(t *testing.T, bucket storage.Bucket) {
		attrs, err := bucket.Attrs(t.Context(), "a")
		require.NoError(t, err)

		data, readAttrs, err := storage.ReadAll(t.Context(), bucket, "a", storage.IfRevision(attrs.Revision))
		require.NoError(t, err)
		require.Equal(t, "new", string(data))
		require.Equal(t, attrs.CacheControl, readAttrs.CacheControl)
	})
}

// Update changes the current object, although Google's cache has an older one.
func TestUpdateOfPublicObject(t *testing.T) {
	eachStaleCache(t, "old", "new", func(t *testing.T, bucket storage.Bucket) {
		addMark := func(current []byte, _ *storage.Attrs) ([]byte, error) {
			return append(current, '!'), nil
		}

		_, err := storage.Update(t.Context(), bucket, "a", addMark)
		require.NoError(t, err)
		requireText(t, bucket, "new!")
	})
}

// A read of a removed object fails with ObjectNotFound, although Google's cache has the object.
func TestReadOfRemovedPublicObject(t *testing.T) {
	eachStaleCache(t, "old", "new", func(t *testing.T, bucket storage.Bucket) {
		require.NoError(t, bucket.Remove(t.Context(), "a"))

		_, _, err := storage.ReadAll(t.Context(), bucket, "a")
		require.ErrorIs(t, err, storage.ObjectNotFound)
	})
}

// eachStaleCache runs a test on public buckets. The cache has kept an old text of the object "a",
// which was then overwritten with a new text. There is a bucket for each of the cacheModes, and for
// objects with and without a Cache-Control.
func eachStaleCache(t *testing.T, oldText, newText string, test func(t *testing.T, bucket storage.Bucket)) {
	t.Helper()
	for _, conditions := range cacheModes {
		t.Run("conditions are "+conditions+", without Cache-Control", func(t *testing.T) {
			bucket := openPublic(t, conditions)
			storeCached(t, bucket, oldText)
			storeCached(t, bucket, newText)
			test(t, bucket)
		})
		t.Run("conditions are "+conditions+", with Cache-Control", func(t *testing.T) {
			bucket := openPublic(t, conditions)
			storeCached(t, bucket, oldText, storage.WithCacheControl("max-age=86400"))
			storeCached(t, bucket, newText, storage.WithCacheControl("max-age=86400"))
			test(t, bucket)
		})
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

// A read of an object that no cache may keep takes one request. Otherwise the first read takes
// three: the driver ignores a response that a cache may have sent, and then reads the attributes
// and the bytes. Later reads take only the last two requests.
func TestReadOfPublicObjectRequests(t *testing.T) {
	tests := []struct {
		name         string
		cacheControl string
		public       bool
		wantFirst    int // requests of the first read
		wantLater    int // requests of a later read
	}{
		{name: "private object", wantFirst: 1, wantLater: 1},
		{name: "public object", public: true, wantFirst: 3, wantLater: 2},
		{name: "private object with max-age", cacheControl: "max-age=60", wantFirst: 3, wantLater: 2},
		{
			name:         "public object with no-store",
			cacheControl: "no-store",
			public:       true,
			wantFirst:    1,
			wantLater:    1,
		},
		{
			name:         "public object with no-cache",
			cacheControl: "public, no-cache",
			public:       true,
			wantFirst:    1,
			wantLater:    1,
		},
		{
			name:         "public object for private caches",
			cacheControl: "Private, max-age=60",
			public:       true,
			wantFirst:    1,
			wantLater:    1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := startRuleServer(t)
			bucket := openAt(t, server.URL, server.bucket(ruleBucket{public: tt.public}))
			_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"),
				storage.WithCacheControl(tt.cacheControl))
			require.NoError(t, err)

			for _, want := range []int{tt.wantFirst, tt.wantLater} {
				server.requests() // forgets the requests so far
				_, attrs, err := storage.ReadAll(t.Context(), bucket, "a")
				require.NoError(t, err)
				require.Equal(t, tt.cacheControl, attrs.CacheControl)
				require.Len(t, server.requests(), want)
			}
		})
	}
}
