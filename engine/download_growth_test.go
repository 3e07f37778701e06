package engine_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

const (
	mebibyte       = 1 << 20
	slowConnection = 40e6  // bytes a second: a download opens more connections if they help
	fastConnection = 400e6 // bytes a second: more connections do not help
)

// textOf returns a text of size bytes.
func textOf(size int) string {
	const pattern = "0123456789abcdef"
	return strings.Repeat(pattern, size/len(pattern))
}

// newThrottledBucket returns a bucket whose connections deliver rate bytes a second, with its
// faults. The bucket has the object "a" of size bytes.
func newThrottledBucket(
	t *testing.T, rate int64, size int, opts ...storage.OpenOption,
) (storage.Bucket, *faults.Injector) {
	t.Helper()
	injector := faults.New(faults.SlowBody(rate))
	bucket := memstore.New(append(opts, driver.WithLayer(injector.Layer()))...)
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader(textOf(size)))
	require.NoError(t, err)
	return bucket, injector
}

// A download opens more connections only if they make it faster.
func TestDownloadGrowsIfItHelps(t *testing.T) {
	tests := []struct {
		name       string
		size       int
		connection int64         // bytes a second
		pause      time.Duration // of the reader, after each 64 KiB
		wantLeast  int           // requests
		wantMost   int
	}{
		{
			name:       "a slow connection",
			size:       64 * mebibyte,
			connection: slowConnection,
			wantLeast:  16,
			wantMost:   60,
		},
		{
			name:       "a fast connection",
			size:       64 * mebibyte,
			connection: fastConnection,
			wantLeast:  1,
			wantMost:   1,
		},
		{
			name:       "a reader that is slower",
			size:       64 * mebibyte,
			connection: slowConnection,
			pause:      4 * time.Millisecond,
			wantLeast:  1,
			wantMost:   1,
		},
		{
			name:       "an object of a few MiB",
			size:       8 * mebibyte,
			connection: slowConnection,
			wantLeast:  1,
			wantMost:   1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bucket, injector := newThrottledBucket(t, tt.connection, tt.size)
				text := textOf(tt.size)
				reader, err := bucket.Download(t.Context(), "a")
				require.NoError(t, err)

				// After each chunk, the reader pauses for a time that is proportional to the bytes read.
				offset := 0
				chunk := make([]byte, 64<<10)
				for err == nil {
					var n int
					n, err = reader.Read(chunk)
					require.Equal(t, text[offset:offset+n], string(chunk[:n]))
					offset += n
					time.Sleep(tt.pause * time.Duration(n) / time.Duration(len(chunk)))
				}
				require.Equal(t, io.EOF, err)
				require.Equal(t, tt.size, offset)
				require.NoError(t, reader.Close())

				require.GreaterOrEqual(t, injector.Count(faults.Get), tt.wantLeast)
				require.LessOrEqual(t, injector.Count(faults.Get), tt.wantMost)
			})
		})
	}
}

// A download stays at one connection while another one uses up the BufferLimit.
func TestDownloadKeepsToBufferLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 64 * mebibyte
		limit := &storage.BufferLimit{Max: size / 2}
		bucket, injector := newThrottledBucket(t, slowConnection, size, storage.WithBufferLimit(limit))

		// Reading a half of the first download shows that its connection is slow, so it opens more. They fetch
		// ranges that nobody reads, which use up the BufferLimit.
		first, err := bucket.Download(t.Context(), "a")
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, first, size/2)
		require.NoError(t, err)
		synctest.Wait()
		time.Sleep(10 * time.Second)

		// The BufferLimit leaves nothing for the second download. It reads the object by one request, and needs no
		// buffer.
		injector.Reset()
		got, _, err := storage.ReadAll(t.Context(), bucket, "a")
		require.NoError(t, err)
		require.Len(t, got, size)
		require.Equal(t, 1, injector.Count(faults.Get))
		require.NoError(t, first.Close())
	})
}

// A copy between two stores with WithConcurrency(1) reads its source over one connection, even if the source is a
// bucket of another type.
func TestCopyWithConcurrencyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, injector := newThrottledBucket(t, slowConnection, 16*mebibyte)
		dst := memstore.New()
		otherType := struct{ storage.Downloader }{src}
		for _, source := range []storage.Downloader{src, otherType} {
			injector.Reset()
			_, err := storage.Copy(t.Context(), dst, "b", source, "a", storage.WithConcurrency(1))
			require.NoError(t, err)
			require.Equal(t, 1, injector.Count(faults.Get))
		}
	})
}

// A connectionLimit is a store that serves a few Gets at once, and refuses others as a proxy does.
type connectionLimit struct {
	driver.Driver
	most int64
	open *atomic.Int64 // bodies that are not closed
}

func (limited connectionLimit) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	if limited.open.Add(1) > limited.most {
		limited.open.Add(-1)
		return nil, nil, &storage.Error{Code: storage.Unavailable, Retryable: true}
	}
	attrs, body, err := limited.Driver.Get(ctx, r)
	if err != nil {
		limited.open.Add(-1)
		return nil, nil, err
	}
	release := sync.OnceFunc(func() { limited.open.Add(-1) })
	return attrs, &limitedBody{ReadCloser: body, release: release}, nil
}

// A limitedBody releases its connection when it is closed.
type limitedBody struct {
	io.ReadCloser
	release func()
}

func (l *limitedBody) Close() error {
	l.release()
	return l.ReadCloser.Close()
}

// A download returns the whole object from a store that refuses more than a few connections.
func TestDownloadFromStoreWithFewConnections(t *testing.T) {
	const verySlow = 10e6 // bytes a second of a connection
	content := textOf(32 * mebibyte)
	for maxOpen := int64(1); maxOpen <= 8; maxOpen++ {
		t.Run(fmt.Sprintf("%d connections", maxOpen), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The connections are so slow that a download tries to open more.
				injector := faults.New(faults.SlowBody(verySlow))
				var open atomic.Int64
				few := driver.WithLayer(func(next driver.Driver) driver.Driver {
					return connectionLimit{next, maxOpen, &open}
				})
				bucket := memstore.New(driver.WithLayer(injector.Layer()), few)
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader(content))
				require.NoError(t, err)

				// Download into memory.
				got, _, err := storage.ReadAll(t.Context(), bucket, "a")
				require.NoError(t, err)
				require.True(t, content == string(got))

				// Download into a file.
				path := filepath.Join(t.TempDir(), "to")
				_, err = storage.DownloadFile(t.Context(), bucket, "a", path)
				require.NoError(t, err)
				got, err = os.ReadFile(path)
				require.NoError(t, err)
				require.True(t, content == string(got))

				// No connection is left open.
				require.Zero(t, open.Load())
			})
		})
	}
}

// Many downloads at the same time share one BufferLimit. They are not much slower than over one connection each.
func TestDownloadManyAtOnce(t *testing.T) {
	const downloadCount = 50
	const objectSize = 16 * mebibyte
	const overOneConnection = 420 * time.Millisecond // objectSize at slowConnection, 40 MB a second
	const notMuchSlower = overOneConnection + 180*time.Millisecond
	for _, maxBytes := range []int64{1 * mebibyte, 32 * mebibyte, 128 * mebibyte} {
		t.Run(fmt.Sprintf("%d MiB", maxBytes/mebibyte), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				buffers := &storage.BufferLimit{Max: maxBytes}
				bucket, _ := newThrottledBucket(t, slowConnection, objectSize, storage.WithBufferLimit(buffers))

				start := time.Now()
				errs := make([]error, downloadCount)
				var downloads sync.WaitGroup
				for i := range errs {
					downloads.Go(func() {
						reader, err := bucket.Download(t.Context(), "a")
						if err != nil {
							errs[i] = err
							return
						}
						// The struct hides the method ReadFrom of io.Discard.
						_, errs[i] = io.Copy(struct{ io.Writer }{io.Discard}, reader)
						_ = reader.Close()
					})
				}
				downloads.Wait()
				require.Less(t, time.Since(start), notMuchSlower)
				for _, err := range errs {
					require.NoError(t, err)
				}
			})
		})
	}
}

// A download over slow connections opens more of them while it runs. The next download begins with that number, unless
// five minutes have passed.
func TestDownloadRemembersConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket, _ := newThrottledBucket(t, slowConnection, 128*mebibyte)
		download := func() time.Duration {
			start := time.Now()
			path := filepath.Join(t.TempDir(), "file")
			_, err := storage.DownloadFile(t.Context(), bucket, "a", path, storage.WithNoSync())
			require.NoError(t, err)
			return time.Since(start)
		}

		// The second download begins with more connections, and is at least a fifth faster.
		first := download()
		second := download()
		require.Less(t, second, first*8/10)

		// After six minutes, the number of connections is forgotten, and a download is as slow as the first one.
		time.Sleep(6 * time.Minute)
		require.Equal(t, first, download())
	})
}
