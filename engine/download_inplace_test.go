package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// WriteTo of a parallel Reader writes to a file from its offset on, even with O_APPEND. A later write to the file
// comes after these bytes.
func TestWriteToAFileInPlace(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // 2 MiB
	b := memstore.New(storage.WithBufferLimit(&storage.BufferLimit{Max: 1 << 20}))
	_, err := b.Upload(t.Context(), "k", bytes.NewReader(content))
	require.NoError(t, err)

	tests := []struct {
		name  string
		flags int
		opts  []storage.DownloadOption
		read  int64 // bytes that are read before
		want  []byte
	}{
		{name: "the whole object", want: content},
		{
			name: "a range",
			opts: []storage.DownloadOption{storage.WithRange(100, 1<<20)},
			want: content[100 : 100+1<<20],
		},
		{name: "the rest", read: 1000, want: content[1000:]},
		{name: "a file with O_APPEND", flags: os.O_APPEND, want: content},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "to")
			file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|tt.flags, 0o666)
			require.NoError(t, err)
			defer func() {
				require.NoError(t, file.Close())
			}()
			_, err = file.WriteString("before")
			require.NoError(t, err)
			r, err := b.Download(t.Context(), "k", append(tt.opts, storage.WithConcurrency(4))...)
			require.NoError(t, err)
			_, err = io.CopyN(io.Discard, r, tt.read)
			require.NoError(t, err)

			n, err := r.WriteTo(file)
			require.NoError(t, err)
			require.Equal(t, int64(len(tt.want)), n)

			_, err = file.WriteString("after")
			require.NoError(t, err)
			_, err = r.Read(make([]byte, 1))
			require.Equal(t, io.EOF, err)

			require.NoError(t, r.Close())
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, bytes.Equal(append(append([]byte("before"), tt.want...), "after"...), got))
		})
	}
}

func TestWriteToAFileInPlaceFails(t *testing.T) {
	content := make([]byte, 2<<20)
	injected := faults.New()
	b := memstore.New(driver.WithLayer(injected.Layer()), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	_, err := b.Upload(t.Context(), "k", bytes.NewReader(content))
	require.NoError(t, err)
	open := func(t *testing.T, ctx context.Context, flags int) (*storage.Reader, *os.File) {
		t.Helper()
		file, err := os.OpenFile(filepath.Join(t.TempDir(), "to"), os.O_CREATE|flags, 0o666)
		require.NoError(t, err)
		t.Cleanup(func() { _ = file.Close() })
		r, err := b.Download(ctx, "k", storage.WithConcurrency(4))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, r.Close()) })
		return r, file
	}

	t.Run("the store", func(t *testing.T) {
		r, file := open(t, t.Context(), os.O_RDWR)
		injected.Set(faults.Fail(faults.Get).WithError(storage.PermissionDenied))
		defer injected.Set()

		_, err := r.WriteTo(file)
		require.ErrorIs(t, err, storage.PermissionDenied)
		offset, err := file.Seek(0, io.SeekCurrent)
		require.NoError(t, err)
		require.Zero(t, offset)
	})

	t.Run("the file", func(t *testing.T) {
		r, file := open(t, t.Context(), os.O_RDONLY)
		_, err := r.WriteTo(file)

		var pathErr *os.PathError
		require.True(t, errors.As(err, &pathErr), "%v", err)
		_, err = r.Read(make([]byte, 1)) // what was fetched is lost
		require.ErrorIs(t, err, storage.Internal)
		require.True(t, errors.As(err, &pathErr), "%v", err)

		_, err = r.WriteTo(io.Discard)
		require.ErrorIs(t, err, storage.Internal)
	})

	t.Run("ctx", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r, file := open(t, ctx, os.O_RDWR)
		cancel()
		_, err := r.WriteTo(file)
		require.ErrorIs(t, err, storage.Canceled)
	})

	t.Run("Close", func(t *testing.T) {
		r, file := open(t, t.Context(), os.O_RDWR)
		injected.Set(faults.StallBody(1000))
		defer injected.Set()
		errc := make(chan error, 1)
		go func() {
			_, err := r.WriteTo(file)
			errc <- err
		}()
		require.NoError(t, r.Close())
		require.ErrorContains(t, <-errc, "the reader is closed")
	})

	t.Run("Close by the progress function", func(t *testing.T) {
		var r *storage.Reader
		_, file := open(t, t.Context(), os.O_RDWR)
		report := storage.WithProgress(func(int64, int64) {
			_ = r.Close()
		})
		r, err = b.Download(t.Context(), "k", storage.WithConcurrency(4), report)
		require.NoError(t, err)
		_, err := r.WriteTo(file)
		require.ErrorContains(t, err, "the reader is closed")
	})
}

// If a file fails during WriteTo, the result counts only the bytes that were written.
func TestWriteToAFileCountsBytesTaken(t *testing.T) {
	b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver { return distant{d} }))
	_, err := b.Upload(t.Context(), "k", bytes.NewReader(make([]byte, 9<<20)))
	require.NoError(t, err)
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "to"), os.O_CREATE|os.O_RDONLY, 0o666)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, file.Close())
	}()
	r, err := b.Download(t.Context(), "k")
	require.NoError(t, err)
	defer func() {
		require.NoError(t, r.Close())
	}()

	n, err := r.WriteTo(file)
	require.Error(t, err)
	require.Zero(t, n)
}

// Without WithConcurrency, a download that is slow becomes parallel and from then on writes ranges at their
// offsets.
func TestWriteToAFileInPlaceIfSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		injected := faults.New(faults.SlowBody(40e6))
		limit := &storage.BufferLimit{Max: 1 << 20}
		b := memstore.New(driver.WithLayer(injected.Layer()), storage.WithBufferLimit(limit))
		content := bytes.Repeat([]byte("0123456789abcdef"), 2<<20) // 32 MiB
		_, err := b.Upload(t.Context(), "k", bytes.NewReader(content))
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "to")
		file, err := os.Create(path)
		require.NoError(t, err)
		_, err = file.WriteString("before")
		require.NoError(t, err)
		injected.Reset()
		r, err := b.Download(t.Context(), "k")
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, r, 1000)
		require.NoError(t, err)

		n, err := r.WriteTo(file)
		require.NoError(t, err)
		require.EqualValues(t, len(content)-1000, n)

		_, err = file.WriteString("after")
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.NoError(t, file.Close())
		require.Greater(t, injected.Count(faults.Get), 5)

		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(append(append([]byte("before"), content[1000:]...), "after"...), got))
	})
}
