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

// Iter lists folders or all objects, and their times if the caller asks for them.
func TestIterTimes(t *testing.T) {
	b := New(memstore.New(), Config{})
	require.Equal(t, thanos.ObjProvider("OMNIBUCKET"), b.Provider())
	err := b.Upload(t.Context(), "a/b", strings.NewReader("text"), thanos.WithContentType("text/x-test"))
	require.NoError(t, err)

	tests := map[string]struct {
		options []thanos.IterOption
		want    []string
		timed   bool // entries have their times
	}{
		"a folder": {
			options: nil,
			want:    []string{"a/"},
			timed:   false,
		},
		"below, with times": {
			options: []thanos.IterOption{thanos.WithRecursiveIter(), thanos.WithUpdatedAt()},
			want:    []string{"a/b"},
			timed:   true,
		},
		"below, as they are": {
			options: []thanos.IterOption{thanos.WithRecursiveIter()},
			want:    []string{"a/b"},
			timed:   false,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var names []string
			visit := func(attrs thanos.IterObjectAttributes) error {
				names = append(names, attrs.Name)
				modified, ok := attrs.LastModified()
				require.Equal(t, tt.timed, ok)
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

// IsObjNotFoundErr and IsAccessDeniedErr recognize the errors of the store.
func TestIsObjNotFoundErr(t *testing.T) {
	b := New(memstore.New(), Config{})
	_, err := b.Get(t.Context(), "none")
	require.True(t, b.IsObjNotFoundErr(err))
	require.False(t, b.IsAccessDeniedErr(err))
	require.True(t, b.IsAccessDeniedErr(&storage.Error{Code: storage.PermissionDenied}))
	require.False(t, b.IsObjNotFoundErr(nil))
	require.True(t, b.IsObjNotFoundErr(fmt.Errorf("reading the meta file: %w", err)))
}

// If a call fails, the object that was there stays.
func TestBucketFailuresChangeNothing(t *testing.T) {
	b := New(memstore.New(), Config{})
	for _, name := range []string{"a/1", "a/2", "a/3"} {
		require.NoError(t, b.Upload(t.Context(), name, strings.NewReader("text")))
	}
	stopped := errors.New("enough")
	count := 0
	require.ErrorIs(t, b.Iter(t.Context(), "a/", func(string) error {
		count++
		return stopped
	}), stopped)
	require.Equal(t, 1, count, "the first error ends the listing")
	require.NoError(t, b.Iter(t.Context(), "/", func(name string) error { return errors.New(name) }),
		"no object is below the root's slash")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, b.Iter(ctx, "a", func(string) error { return nil }), context.Canceled)
	require.ErrorIs(t, b.Upload(ctx, "a/1", strings.NewReader("new")), context.Canceled)
	require.ErrorIs(t, b.Upload(t.Context(), "a/1", iotest.ErrReader(io.ErrUnexpectedEOF)),
		io.ErrUnexpectedEOF)
	for _, name := range []string{"a//b", "dir/", "../a", "", "tab\t"} {
		require.ErrorIs(t, b.Upload(t.Context(), name, strings.NewReader("x")), storage.InvalidArgument,
			"%q", name)
	}

	r, err := b.GetRange(t.Context(), "a/1", 1, 2)
	require.NoError(t, err)

	size, err := thanos.TryToGetSize(r)
	require.NoError(t, err)
	require.Equal(t, int64(2), size)

	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "ex", string(text))

	require.NoError(t, r.Close())
	require.NoError(t, r.Close(), "again")
	_, err = b.GetRange(t.Context(), "a/1", 5, 1)
	require.ErrorIs(t, err, storage.RangeNotSatisfiable)

	for _, span := range [][2]int64{{-1, -1}, {-1, 1}, {0, -2}, {2, -5}} {
		_, err = b.GetRange(t.Context(), "a/1", span[0], span[1])
		require.ErrorIs(t, err, storage.InvalidArgument, "%v", span)
	}
}
