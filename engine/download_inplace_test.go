package engine_test

import (
	"bytes"
	"context"
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

// WriteTo of a Reader with several connections writes to a file from the file's offset on, even with O_APPEND. It moves
// the offset to the end of what it wrote.
func TestWriteToAFileInPlace(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // 2 MiB
	bucket := memstore.New(storage.WithBufferLimit(&storage.BufferLimit{Max: 1 << 20}))
	_, err := bucket.Upload(t.Context(), "k", bytes.NewReader(content))
	require.NoError(t, err)

	tests := []struct {
		name  string
		flags int // of the file
		opts  []storage.DownloadOption
		read  int64 // bytes that are read before WriteTo
		want  []byte
	}{
		{name: "the whole object", want: content},
		{
			name: "a range",
			opts: []storage.DownloadOption{storage.WithRange(100, 1<<20)},
			want: content[100 : 100+1<<20],
		},
		{name: "the rest after a read", read: 1000, want: content[1000:]},
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

			// The offset of the file is after this text.
			_, err = file.WriteString("before")
			require.NoError(t, err)

			// Read tt.read bytes first, and let WriteTo write the rest.
			reader, err := bucket.Download(t.Context(), "k", append(tt.opts, storage.WithConcurrency(4))...)
			require.NoError(t, err)
			_, err = io.CopyN(io.Discard, reader, tt.read)
			require.NoError(t, err)
			written, err := reader.WriteTo(file)
			require.NoError(t, err)
			require.Equal(t, int64(len(tt.want)), written)

			// The offset of the file is at the end of these bytes.
			_, err = file.WriteString("after")
			require.NoError(t, err)

			// Nothing is left to read.
			_, err = reader.Read(make([]byte, 1))
			require.Equal(t, io.EOF, err)
			require.NoError(t, reader.Close())

			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, "before"+string(tt.want)+"after" == string(got))
		})
	}
}

// newObjectOf2MiB returns a bucket with the object "k" of 2 MiB, and the faults of its driver.
func newObjectOf2MiB(t *testing.T) (storage.Bucket, *faults.Injector) {
	t.Helper()
	injector := faults.New()
	bucket := memstore.New(driver.WithLayer(injector.Layer()),
		storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	_, err := bucket.Upload(t.Context(), "k", bytes.NewReader(make([]byte, 2<<20)))
	require.NoError(t, err)
	return bucket, injector
}

// openTarget opens a new file with flags.
func openTarget(t *testing.T, flags int) *os.File {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "to"), os.O_CREATE|flags, 0o666)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return file
}

// downloadParallel begins a download of "k" over four connections.
func downloadParallel(t *testing.T, ctx context.Context, b storage.Bucket) *storage.Reader {
	t.Helper()
	reader, err := b.Download(ctx, "k", storage.WithConcurrency(4))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, reader.Close()) })
	return reader
}

// WriteTo returns the error of a store that fails, and leaves the offset of the file as it was.
func TestWriteToAFileStoreFails(t *testing.T) {
	bucket, injector := newObjectOf2MiB(t)
	file := openTarget(t, os.O_RDWR)
	reader := downloadParallel(t, t.Context(), bucket)
	injector.Set(faults.Fail(faults.Get).WithError(storage.PermissionDenied))

	_, err := reader.WriteTo(file)
	require.ErrorIs(t, err, storage.PermissionDenied)
	offset, err := file.Seek(0, io.SeekCurrent)
	require.NoError(t, err)
	require.Zero(t, offset)
}

// WriteTo returns the error of a file that fails, and later reads fail, because the bytes that were fetched are lost.
func TestWriteToAFileFileFails(t *testing.T) {
	// Each write to a file that is only open for reading fails.
	bucket, _ := newObjectOf2MiB(t)
	file := openTarget(t, os.O_RDONLY)
	reader := downloadParallel(t, t.Context(), bucket)
	_, err := reader.WriteTo(file)
	var pathErr *os.PathError
	require.ErrorAs(t, err, &pathErr)

	// The reader cannot return the lost bytes, so it fails with the same error.
	_, err = reader.Read(make([]byte, 1))
	require.ErrorIs(t, err, storage.Internal)
	require.ErrorAs(t, err, &pathErr)
	_, err = reader.WriteTo(io.Discard)
	require.ErrorIs(t, err, storage.Internal)
}

// WriteTo fails with Canceled if ctx was canceled before.
func TestWriteToAFileEndsWithContext(t *testing.T) {
	bucket, _ := newObjectOf2MiB(t)
	file := openTarget(t, os.O_RDWR)
	ctx, cancel := context.WithCancel(t.Context())
	reader := downloadParallel(t, ctx, bucket)
	cancel()
	_, err := reader.WriteTo(file)
	require.ErrorIs(t, err, storage.Canceled)
}

// Close ends a WriteTo that waits for bytes of the store.
func TestWriteToAFileClosed(t *testing.T) {
	bucket, injector := newObjectOf2MiB(t)
	file := openTarget(t, os.O_RDWR)
	reader := downloadParallel(t, t.Context(), bucket)
	injector.Set(faults.StallBody(1000))

	done := make(chan error, 1)
	go func() {
		_, err := reader.WriteTo(file)
		done <- err
	}()
	require.NoError(t, reader.Close())
	require.ErrorContains(t, <-done, "the reader is closed")
}

// WriteTo fails if the progress function closes the reader.
func TestWriteToAFileClosedByProgress(t *testing.T) {
	bucket, _ := newObjectOf2MiB(t)
	file := openTarget(t, os.O_RDWR)
	var reader *storage.Reader
	closeReader := storage.WithProgress(func(int64, int64) {
		_ = reader.Close()
	})
	reader, err := bucket.Download(t.Context(), "k", storage.WithConcurrency(4), closeReader)
	require.NoError(t, err)

	_, err = reader.WriteTo(file)
	require.ErrorContains(t, err, "the reader is closed")
}

// If the file fails during WriteTo, the result counts only the bytes that the file has taken.
func TestWriteToAFileCountsBytesTaken(t *testing.T) {
	bucket := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver { return remoteBodies{d} }))
	_, err := bucket.Upload(t.Context(), "k", bytes.NewReader(make([]byte, 9<<20)))
	require.NoError(t, err)

	// Each write to a file that is only open for reading fails.
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "to"), os.O_CREATE|os.O_RDONLY, 0o666)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, file.Close())
	}()

	reader, err := bucket.Download(t.Context(), "k")
	require.NoError(t, err)
	defer func() {
		require.NoError(t, reader.Close())
	}()

	// The file has taken no byte.
	written, err := reader.WriteTo(file)
	require.Error(t, err)
	require.Zero(t, written)
}

// A download over a slow connection becomes parallel even without WithConcurrency. WriteTo then writes ranges at their
// offsets in the file.
func TestWriteToAFileInPlaceIfSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 32 * mebibyte
		const skipped = 1000 // bytes that are read before WriteTo
		limit := &storage.BufferLimit{Max: mebibyte}
		bucket, injector := newThrottledBucket(t, slowConnection, size, storage.WithBufferLimit(limit))

		// The file has some text already. WriteTo must write after it.
		path := filepath.Join(t.TempDir(), "to")
		file, err := os.Create(path)
		require.NoError(t, err)
		_, err = file.WriteString("before")
		require.NoError(t, err)

		// Read some bytes first, and let WriteTo write the rest.
		injector.Reset()
		reader, err := bucket.Download(t.Context(), "a")
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, reader, skipped)
		require.NoError(t, err)
		written, err := reader.WriteTo(file)
		require.NoError(t, err)
		require.EqualValues(t, size-skipped, written)

		// WriteTo has left the offset of the file at the end of these bytes.
		_, err = file.WriteString("after")
		require.NoError(t, err)
		require.NoError(t, reader.Close())
		require.NoError(t, file.Close())

		// Only a parallel download makes more requests than this.
		const manyRequests = 5
		require.Greater(t, injector.Count(faults.Get), manyRequests)

		// The file has all bytes in their order.
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, "before"+textOf(size)[skipped:]+"after" == string(got))
	})
}
