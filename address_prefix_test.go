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

// lent is the bucket that the scheme "lent" opens. It is nil except during a test.
var lent storage.Bucket

// The scheme "lent" opens the bucket that a test gives to lend.
func init() {
	storage.Register("lent", storage.Opener{
		Bucket: func(context.Context, *url.URL, []storage.OpenOption) (storage.Bucket, error) {
			return lent, nil
		},
	})
}

// lend makes the scheme "lent" open b during the test.
func lend(t *testing.T, b storage.Bucket) {
	t.Helper()
	lent = b
	t.Cleanup(func() {
		lent = nil
	})
}

// A prefix in the address opens a folder as a bucket.
func TestOpenWithPrefix(t *testing.T) {
	for scheme, address := range map[string]string{
		"mem":  "mem://folder",
		"file": "file://" + filepath.ToSlash(t.TempDir()),
	} {
		t.Run(scheme, func(t *testing.T) {
			all, err := storage.Open(t.Context(), address)
			require.NoError(t, err)
			b, err := storage.Open(t.Context(),
				address+"?public_base_url=https://cdn.example.com&prefix=us/a%2Bb+c/")
			require.NoError(t, err)

			attrs, err := b.Upload(t.Context(), "k", strings.NewReader("text"))
			require.NoError(t, err)
			require.Equal(t, "k", attrs.Key)

			text, _, err := storage.ReadAll(t.Context(), all, "us/a+b c/k")
			require.NoError(t, err)
			require.Equal(t, "text", string(text))

			public, err := b.PublicURL("k")
			require.NoError(t, err)
			require.Equal(t, "https://cdn.example.com/us/a%2Bb%20c/k", public)

			_, err = b.Attrs(t.Context(), "missing")
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, storage.ObjectNotFound, e.Code)
			require.Equal(t, "missing", e.Key)

			require.NoError(t, storage.Close(b))
			require.NoError(t, storage.Close(all))
		})
	}
}

// A bad prefix in an address is refused before anything is opened.
func TestOpenRefusesBadPrefix(t *testing.T) {
	tests := map[string]struct{ query, says string }{
		"no slash at its end": {
			query: "prefix=users",
			says:  `parameter prefix must consist of whole segments and end in "/"`,
		},
		"empty": {
			query: "prefix=",
			says:  "prefix must not be empty (leave it out to open the whole bucket)",
		},
		"only a slash": {query: "prefix=/", says: "parameter prefix must consist of valid segments"},
		"a slash at its beginning": {
			query: "prefix=/users/",
			says:  "parameter prefix must consist of valid segments",
		},
		"two dots": {query: "prefix=a/../b/", says: "parameter prefix must consist of valid segments"},
		"a control character": {
			query: "prefix=a%00/",
			says:  "parameter prefix must consist of valid segments",
		},
		"twice": {query: "prefix=a/&prefix=b/", says: `has parameter "prefix" more than once`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for op, err := range map[string]error{
				"Open":         mustFailToOpen(t, "failing://x?"+tt.query),
				"CheckAddress": storage.CheckAddress("failing://x?" + tt.query),
			} {
				require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), op)
				require.ErrorContains(t, err, tt.says)
				require.ErrorContains(t, err, "storage: "+op+": ")
			}
		})
	}
	require.NoError(t, storage.CheckAddress("mem://x?prefix=users/42/"))
}

func mustFailToOpen(t *testing.T, address string) error {
	_, err := storage.Open(t.Context(), address)
	return err
}

// OpenService refuses the parameter prefix.
func TestOpenServiceRefusesPrefix(t *testing.T) {
	for _, address := range []string{"mem://?prefix=a/", "nothing://?prefix=a/"} {
		_, err := storage.OpenService(t.Context(), address)
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), address)
		require.ErrorContains(t, err, "OpenService: ")
		require.ErrorContains(t, err, "an account has no prefix")
	}
}

// Close of a bucket that was opened with a prefix closes the store.
func TestOpenWithPrefixClose(t *testing.T) {
	b, err := storage.Open(t.Context(), "mem://closing?prefix=a/")
	require.NoError(t, err)
	require.NoError(t, storage.Close(storage.Prefixed(b, "b/")))
	narrowed := storage.Ref[storage.Bucket](b)
	require.NoError(t, storage.Close(narrowed))
	_, err = b.Upload(t.Context(), "k", strings.NewReader("x"))
	require.NoError(t, err, "views of the bucket do not close it")
	require.NoError(t, storage.Close(b))

	for name, closed := range map[string]storage.Bucket{"bucket": b, "view": narrowed} {
		_, err = closed.Exists(t.Context(), "k")
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), name)
	}
}

// A bucket that was opened with a prefix gives no access to the rest of the store.
func TestOpenWithPrefixHidesRest(t *testing.T) {
	dir := "file://" + filepath.ToSlash(t.TempDir())
	b, err := storage.Open(t.Context(), dir+"?prefix=a/")
	require.NoError(t, err)
	defer storage.Close(b)

	_, native := storage.As[*os.Root](b)
	require.False(t, native)
	_, err = storage.Wrap(b, func(c storage.Core) storage.Core { return c })
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
}

// Hooks of a bucket that was opened with a prefix see whole keys.
func TestOpenWithPrefixHooks(t *testing.T) {
	var calls []string
	b, err := storage.Open(t.Context(), "mem://hooked?prefix=a/", storage.WithHook(
		func(_ context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
			calls = append(calls, op.Key)
			return nil, nil, nil
		},
	))
	require.NoError(t, err)
	_, err = b.Exists(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, []string{"a/k"}, calls)
}

// If a scheme opens a bucket whose type is not ours, Open refuses an address with a prefix, because it cannot narrow
// that bucket.
func TestOpenWithPrefixOfOtherBucketType(t *testing.T) {
	type own struct{ storage.Bucket }
	lend(t, own{memstore.New()})
	require.NoError(t, mustFailToOpen(t, "lent://x"))

	err := mustFailToOpen(t, "lent://x?prefix=a/")
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))
	require.ErrorContains(t, err, "parameter prefix needs a bucket of this library")

	// An opener that returns neither a bucket nor an error has a fault.
	lend(t, nil)
	require.Equal(t, storage.Internal, storage.CodeOf(mustFailToOpen(t, "lent://x?prefix=a/")))
}

// If the scheme opens a view of a bucket, Close of that view with a prefix leaves the bucket open.
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
