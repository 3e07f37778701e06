package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	thanos "github.com/thanos-io/objstore"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/minioserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
)

var stores = map[string]func(t *testing.T) storage.Bucket{
	"memory": func(*testing.T) storage.Bucket { return memstore.New() },
	"local": func(t *testing.T) storage.Bucket {
		b, err := local.Open(filepath.Join(t.TempDir(), "bucket"), local.Config{Create: true, NoSync: true})
		require.NoError(t, err)
		return b
	},
	"minio": func(t *testing.T) storage.Bucket {
		b, err := s3.Open(t.Context(), minioserver.NewBucket(t))
		require.NoError(t, err)
		return b
	},
}

// Thanos' own acceptance test passes on each store.
func TestAcceptance(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			b := New(open(t), Config{Name: "blocks"})
			thanos.AcceptanceTest(t, thanos.WrapWithMetrics(b, nil, "blocks"))
			require.NoError(t, b.Close())
		})
	}
}

// Without a name in the configuration, the provider is OMNIBUCKET.
func TestProvider(t *testing.T) {
	b := New(memstore.New(), Config{})
	require.Equal(t, thanos.ObjProvider("OMNIBUCKET"), b.Provider())
}

// IterWithAttributes lists folders or all objects, with their times if the caller asks for them.
func TestIterTimes(t *testing.T) {
	b := New(memstore.New(), Config{})
	err := b.Upload(t.Context(), "a/b", strings.NewReader("text"), thanos.WithContentType("text/x-test"))
	require.NoError(t, err)

	tests := []struct {
		name      string
		options   []thanos.IterOption
		want      []string
		wantTimes bool
	}{
		{name: "a folder", want: []string{"a/"}},
		{
			name:      "recursive, with times",
			options:   []thanos.IterOption{thanos.WithRecursiveIter(), thanos.WithUpdatedAt()},
			want:      []string{"a/b"},
			wantTimes: true,
		},
		{
			name:    "recursive, without times",
			options: []thanos.IterOption{thanos.WithRecursiveIter()},
			want:    []string{"a/b"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var names []string
			visit := func(attrs thanos.IterObjectAttributes) error {
				names = append(names, attrs.Name)
				modified, ok := attrs.LastModified()
				require.Equal(t, tt.wantTimes, ok)
				if ok {
					require.WithinDuration(t, time.Now(), modified, time.Minute)
				}
				return nil
			}

			require.NoError(t, b.IterWithAttributes(t.Context(), "", visit, tt.options...))
			require.Equal(t, tt.want, names)
		})
	}
}

// IsObjNotFoundErr recognizes the error of a missing object, also if it is wrapped.
func TestIsObjNotFoundErr(t *testing.T) {
	b := New(memstore.New(), Config{})
	_, err := b.Get(t.Context(), "none")
	require.True(t, b.IsObjNotFoundErr(err))
	require.True(t, b.IsObjNotFoundErr(fmt.Errorf("reading the meta file: %w", err)))
	require.False(t, b.IsObjNotFoundErr(nil))
}

// IsAccessDeniedErr recognizes the error of a call that the store does not permit.
func TestIsAccessDeniedErr(t *testing.T) {
	b := New(memstore.New(), Config{})
	require.True(t, b.IsAccessDeniedErr(&storage.Error{Code: storage.PermissionDenied}))
	_, err := b.Get(t.Context(), "none")
	require.False(t, b.IsAccessDeniedErr(err))
}

// If an upload fails, the old object stays.
func TestBucketFailuresChangeNothing(t *testing.T) {
	b := New(memstore.New(), Config{})
	require.NoError(t, b.Upload(t.Context(), "a", strings.NewReader("old")))

	// An upload is canceled.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, b.Upload(ctx, "a", strings.NewReader("new")), context.Canceled)

	// The body of an upload fails.
	errReader := iotest.ErrReader(io.ErrUnexpectedEOF)
	require.ErrorIs(t, b.Upload(t.Context(), "a", errReader), io.ErrUnexpectedEOF)

	// The old object is unchanged.
	r, err := b.Get(t.Context(), "a")
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, "old", string(text))
}

// Upload refuses names that the library does not permit as keys.
func TestUploadInvalidName(t *testing.T) {
	b := New(memstore.New(), Config{})
	for _, name := range []string{"a//b", "dir/", "../a", "", "tab\t"} {
		err := b.Upload(t.Context(), name, strings.NewReader("x"))
		require.ErrorIs(t, err, storage.InvalidArgument, "%q", name)
	}
}

// Iter ends at the first error of its function.
func TestIterEnds(t *testing.T) {
	b := New(memstore.New(), Config{})
	for _, name := range []string{"a/1", "a/2", "a/3"} {
		require.NoError(t, b.Upload(t.Context(), name, strings.NewReader("text")))
	}

	errStop := errors.New("enough")
	visited := 0
	err := b.Iter(t.Context(), "a/", func(string) error {
		visited++
		return errStop
	})
	require.ErrorIs(t, err, errStop)
	require.Equal(t, 1, visited)
}

// Iter visits nothing below "/", because no key begins with a slash.
func TestIterSlash(t *testing.T) {
	b := New(memstore.New(), Config{})
	require.NoError(t, b.Upload(t.Context(), "a/1", strings.NewReader("text")))
	require.NoError(t, b.Iter(t.Context(), "/", func(name string) error { return errors.New(name) }))
}

// Iter fails if its context is canceled.
func TestIterCanceled(t *testing.T) {
	b := New(memstore.New(), Config{})
	require.NoError(t, b.Upload(t.Context(), "a/1", strings.NewReader("text")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := b.Iter(ctx, "a", func(string) error { return nil })
	require.ErrorIs(t, err, context.Canceled)
}

// GetRange returns a range of an object. TryToGetSize of objstore returns the size of the range.
func TestGetRange(t *testing.T) {
	b := New(memstore.New(), Config{})
	require.NoError(t, b.Upload(t.Context(), "a/1", strings.NewReader("text")))

	r, err := b.GetRange(t.Context(), "a/1", 1, 2)
	require.NoError(t, err)
	size, err := thanos.TryToGetSize(r)
	require.NoError(t, err)
	require.Equal(t, int64(2), size)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "ex", string(text))
	require.NoError(t, r.Close())
	require.NoError(t, r.Close(), "must permit a second Close")
}

// GetRange refuses a range outside of the object, and negative numbers other than -1 as the length.
func TestGetRangeInvalid(t *testing.T) {
	b := New(memstore.New(), Config{})
	require.NoError(t, b.Upload(t.Context(), "a/1", strings.NewReader("text")))
	tests := []struct {
		name   string
		offset int64
		length int64
		want   storage.Code
	}{
		{name: "after the end", offset: 5, length: 1, want: storage.RangeNotSatisfiable},
		{name: "negative offset and length", offset: -1, length: -1, want: storage.InvalidArgument},
		{name: "negative offset", offset: -1, length: 1, want: storage.InvalidArgument},
		{name: "negative length", offset: 0, length: -2, want: storage.InvalidArgument},
		{name: "negative length after an offset", offset: 2, length: -5, want: storage.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := b.GetRange(t.Context(), "a/1", tt.offset, tt.length)
			require.ErrorIs(t, err, tt.want)
		})
	}
}
