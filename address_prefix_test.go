package storage_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	_ "github.com/omnibucket/storage/providers/local"
)

// lent is the bucket that an address with the scheme "lent" opens. It is nil outside of a test that
// calls lend.
var lent storage.Bucket

// An address with the scheme "lent" opens the bucket that was last passed to the function lend.
func init() {
	storage.Register("lent", storage.Opener{
		Bucket: func(context.Context, *url.URL, []storage.OpenOption) (storage.Bucket, error) {
			return lent, nil
		},
	})
}

// lend lets addresses with the scheme "lent" open b during the test.
func lend(t *testing.T, b storage.Bucket) {
	t.Helper()
	lent = b
	t.Cleanup(func() {
		lent = nil
	})
}

// An address with a prefix parameter opens a view of the keys under the prefix.
func TestOpenWithPrefix(t *testing.T) {
	addresses := map[string]string{
		"mem":  "mem://folder",
		"file": "file://" + filepath.ToSlash(t.TempDir()),
	}
	for scheme, address := range addresses {
		t.Run(scheme, func(t *testing.T) {
			// In the query, %2B stands for a plus sign and + for a space.
			whole, err := storage.Open(t.Context(), address)
			require.NoError(t, err)
			view, err := storage.Open(t.Context(),
				address+"?public_base_url=https://cdn.example.com&prefix=us/a%2Bb+c/")
			require.NoError(t, err)

			attrs, err := view.Upload(t.Context(), "k", strings.NewReader("text"))
			require.NoError(t, err)
			require.Equal(t, "k", attrs.Key)

			// The bucket has the object under the prefix.
			content, _, err := storage.ReadAll(t.Context(), whole, "us/a+b c/k")
			require.NoError(t, err)
			require.Equal(t, "text", string(content))

			// The public URL has the whole key.
			url, err := view.PublicURL("k")
			require.NoError(t, err)
			require.Equal(t, "https://cdn.example.com/us/a%2Bb%20c/k", url)

			// Errors have the key in the view.
			_, err = view.Attrs(t.Context(), "missing")
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, storage.ObjectNotFound, storageErr.Code)
			require.Equal(t, "missing", storageErr.Key)

			require.NoError(t, storage.Close(view))
			require.NoError(t, storage.Close(whole))
		})
	}
}

// Open and CheckAddress fail with InvalidArgument for an invalid prefix in the address, before anything is opened.
func TestOpenRefusesBadPrefix(t *testing.T) {
	tests := map[string]struct {
		query       string
		wantMessage string
	}{
		"no slash at the end": {
			query:       "prefix=users",
			wantMessage: `parameter prefix must consist of whole segments and end in "/"`,
		},
		"empty": {
			query:       "prefix=",
			wantMessage: "prefix must not be empty (leave it out to open the whole bucket)",
		},
		"only a slash": {query: "prefix=/", wantMessage: "parameter prefix must consist of valid segments"},
		"a slash at the beginning": {
			query:       "prefix=/users/",
			wantMessage: "parameter prefix must consist of valid segments",
		},
		"two dots": {query: "prefix=a/../b/", wantMessage: "parameter prefix must consist of valid segments"},
		"a control character": {
			query:       "prefix=a%00/",
			wantMessage: "parameter prefix must consist of valid segments",
		},
		"twice": {query: "prefix=a/&prefix=b/", wantMessage: `has parameter "prefix" more than once`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// The prefix is refused before the opener of "failing" is called.
			errs := map[string]error{
				"Open":         openErr(t, "failing://x?"+tt.query),
				"CheckAddress": storage.CheckAddress("failing://x?" + tt.query),
			}
			for op, err := range errs {
				require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), op)
				require.ErrorContains(t, err, tt.wantMessage)
				require.ErrorContains(t, err, "storage: "+op+": ")
			}
		})
	}
	require.NoError(t, storage.CheckAddress("mem://x?prefix=users/42/"))
}

func openErr(t *testing.T, address string) error {
	_, err := storage.Open(t.Context(), address)
	return err
}

// OpenService fails with InvalidArgument for an address with a prefix parameter.
func TestOpenServiceRefusesPrefix(t *testing.T) {
	for _, address := range []string{"mem://?prefix=a/", "nothing://?prefix=a/"} {
		t.Run(address, func(t *testing.T) {
			_, err := storage.OpenService(t.Context(), address)
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
			require.ErrorContains(t, err, "OpenService: ")
			require.ErrorContains(t, err, "an account has no prefix")
		})
	}
}

// Close of a bucket that was opened with a prefix closes the store, but Close of its views does not.
func TestOpenWithPrefixClose(t *testing.T) {
	bucket, err := storage.Open(t.Context(), "mem://closing?prefix=a/")
	require.NoError(t, err)
	ref := storage.Ref[storage.Bucket](bucket)

	// Close of a view or of a Ref has no effect on the bucket.
	require.NoError(t, storage.Close(storage.Prefixed(bucket, "b/")))
	require.NoError(t, storage.Close(ref))
	_, err = bucket.Upload(t.Context(), "k", strings.NewReader("x"))
	require.NoError(t, err)

	// Close of the bucket closes the store, also for the Ref.
	require.NoError(t, storage.Close(bucket))
	for name, closed := range map[string]storage.Bucket{"bucket": bucket, "ref": ref} {
		_, err = closed.Exists(t.Context(), "k")
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), name)
	}
}

// As and Wrap of a bucket that was opened with a prefix fail, because they would give access to the whole store.
func TestOpenWithPrefixHidesRest(t *testing.T) {
	dir := "file://" + filepath.ToSlash(t.TempDir())
	bucket, err := storage.Open(t.Context(), dir+"?prefix=a/")
	require.NoError(t, err)
	defer storage.Close(bucket)

	_, hasNative := storage.As[*os.Root](bucket)
	require.False(t, hasNative)
	_, err = storage.Wrap(bucket, func(c storage.Core) storage.Core { return c })
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
}

// Hooks of a bucket that was opened with a prefix see whole keys.
func TestOpenWithPrefixHooks(t *testing.T) {
	var keys []string
	hook := func(_ context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		keys = append(keys, op.Key)
		return nil, nil, nil
	}
	bucket, err := storage.Open(t.Context(), "mem://hooked?prefix=a/", storage.WithHook(hook))
	require.NoError(t, err)

	_, err = bucket.Exists(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, []string{"a/k"}, keys)
}

// Open fails with Unsupported for an address with a prefix if the bucket is of another type, which cannot be narrowed.
func TestOpenWithPrefixOfOtherBucketType(t *testing.T) {
	type otherType struct{ storage.Bucket }
	lend(t, otherType{memstore.New()})
	require.NoError(t, openErr(t, "lent://x"))

	err := openErr(t, "lent://x?prefix=a/")
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))
	require.ErrorContains(t, err, "parameter prefix needs a bucket of this library")
}

// Open with a prefix fails with Internal if the opener returns neither a bucket nor an error.
func TestOpenWithPrefixOfNothing(t *testing.T) {
	lend(t, nil)
	require.Equal(t, storage.Internal, storage.CodeOf(openErr(t, "lent://x?prefix=a/")))
}

// If a scheme opens a view of a bucket, closing what Open returned leaves the bucket itself open.
func TestOpenWithPrefixOfView(t *testing.T) {
	parent := memstore.New()
	lend(t, storage.Prefixed(parent, "a/"))
	b, err := storage.Open(t.Context(), "lent://x?prefix=b/")
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "k", strings.NewReader("x"))
	require.NoError(t, err)
	require.NoError(t, storage.Close(b))

	exists, err := parent.Exists(t.Context(), "a/b/k")
	require.NoError(t, err)
	require.True(t, exists)
}
