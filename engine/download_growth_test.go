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

// A download opens more connections only if they make it faster.
func TestDownloadGrowsIfItHelps(t *testing.T) {
	const mebibyte = 1 << 20
	tests := []struct {
		name        string
		size        int
		connection  int64         // bytes a second
		pause       time.Duration // of the reader, after each 64 KiB
		least, most int           // requests
	}{
		{name: "a slow connection", size: 64 * mebibyte, connection: 40e6, least: 16, most: 60},
		{name: "a fast connection", size: 64 * mebibyte, connection: 400e6, least: 1, most: 1},
		{
			name:       "a reader that is slower",
			size:       64 * mebibyte,
			connection: 40e6,
			pause:      4 * time.Millisecond,
			least:      1,
			most:       1,
		},
		{name: "an object of a few MiB", size: 8 * mebibyte, connection: 40e6, least: 1, most: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				injector := faults.New(faults.SlowBody(tt.connection))
				bucket := memstore.New(driver.WithLayer(injector.Layer()))
				text := strings.Repeat("0123456789abcdef", tt.size/16)
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader(text))
				require.NoError(t, err)
				reader, err := bucket.Download(t.Context(), "a")
				require.NoError(t, err)

				// The reader pauses after each chunk, in proportion to what it has read of it.
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

				require.GreaterOrEqual(t, injector.Count(faults.Get), tt.least)
				require.LessOrEqual(t, injector.Count(faults.Get), tt.most)
			})
		})
	}
}

// If other downloads use the BufferLimit, a download stays at one connection.
func TestDownloadKeepsToBufferLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		injector := faults.New(faults.SlowBody(40e6))
		bucket := memstore.New(driver.WithLayer(injector.Layer()),
			storage.WithBufferLimit(&storage.BufferLimit{Max: 32 << 20}))
		_, err := bucket.Upload(t.Context(), "a",
			strings.NewReader(strings.Repeat("0123456789abcdef", 4<<20)))
		require.NoError(t, err)

		// The first download holds the memory of the limit: it fetches ranges that nobody reads.
		first, err := bucket.Download(t.Context(), "a")
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, first, 32<<20)
		require.NoError(t, err)
		synctest.Wait()
		time.Sleep(10 * time.Second)

		// The second one gets none, and needs none.
		injector.Reset()
		got, _, err := storage.ReadAll(t.Context(), bucket, "a")
		require.NoError(t, err)
		require.Len(t, got, 64<<20)
		require.Equal(t, 1, injector.Count(faults.Get))
		require.NoError(t, first.Close())
	})
}

// With WithConcurrency(1), a copy between two stores reads its source over one connection, even if the source is a
// bucket of another type.
func TestCopyWithConcurrencyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		injector := faults.New(faults.SlowBody(40e6))
		src := memstore.New(driver.WithLayer(injector.Layer()))
		dst := memstore.New()
		_, err := src.Upload(t.Context(), "a", strings.NewReader(strings.Repeat("0123456789abcdef", 1<<20)))
		require.NoError(t, err)
		for _, source := range []storage.Downloader{src, struct{ storage.Downloader }{src}} {
			injector.Reset()
			_, err = storage.Copy(t.Context(), dst, "b", source, "a", storage.WithConcurrency(1))
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

// If a store refuses more than a few connections, a download still returns the whole object.
func TestDownloadFromStoreWithFewConnections(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 2<<20) // 32 MiB
	for maximum := range int64(8) {
		t.Run(fmt.Sprintf("%d connections", maximum+1), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				injector := faults.New(faults.SlowBody(10e6))
				var open atomic.Int64
				few := driver.WithLayer(func(next driver.Driver) driver.Driver {
					return connectionLimit{next, maximum + 1, &open}
				})
				bucket := memstore.New(driver.WithLayer(injector.Layer()), few)
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader(content))
				require.NoError(t, err)

				got, _, err := storage.ReadAll(t.Context(), bucket, "a")
				require.NoError(t, err)
				require.True(t, content == string(got))

				path := filepath.Join(t.TempDir(), "to")
				_, err = storage.DownloadFile(t.Context(), bucket, "a", path)
				require.NoError(t, err)
				data, err := os.ReadFile(path)
				require.NoError(t, err)
				require.True(t, content == string(data))
				require.Zero(t, open.Load())
			})
		})
	}
}

// Fifty downloads at the same time share one BufferLimit, and all end within 600 ms. If each used only one
// connection, they would take 420 ms.
func TestDownloadManyAtOnce(t *testing.T) {
	for _, limit := range []int64{1 << 20, 32 << 20, 128 << 20} {
		t.Run(fmt.Sprintf("%d MiB", limit>>20), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				injector := faults.New(faults.SlowBody(40e6))
				bucket := memstore.New(driver.WithLayer(injector.Layer()),
					storage.WithBufferLimit(&storage.BufferLimit{Max: limit}))
				_, err := bucket.Upload(t.Context(), "a",
					strings.NewReader(strings.Repeat("0123456789abcdef", 1<<20)))
				require.NoError(t, err)
				start := time.Now()
				var downloads sync.WaitGroup
				for range 50 {
					downloads.Go(func() {
						reader, err := bucket.Download(t.Context(), "a")
						require.NoError(t, err)
						_, err = io.Copy(struct{ io.Writer }{io.Discard}, reader)
						require.NoError(t, err)
						_ = reader.Close()
					})
				}
				downloads.Wait()
				require.Less(t, time.Since(start), 600*time.Millisecond,
					"over one connection it takes 420 ms")
			})
		})
	}
}

// After a large download, the next one begins with as many connections as helped the one before, until five minutes
// have passed.
func TestDownloadRemembersConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		injector := faults.New(faults.SlowBody(40e6))
		bucket := memstore.New(driver.WithLayer(injector.Layer()))
		_, err := bucket.Upload(t.Context(), "a",
			strings.NewReader(strings.Repeat("0123456789abcdef", 8<<20)))
		require.NoError(t, err)
		download := func() time.Duration {
			start := time.Now()
			_, err := storage.DownloadFile(t.Context(), bucket, "a", filepath.Join(t.TempDir(), "file"),
				storage.WithNoSync())
			require.NoError(t, err)
			return time.Since(start)
		}

		first := download()
		second := download()
		require.Less(t, second, first*8/10)

		time.Sleep(6 * time.Minute)
		require.Equal(t, first, download())
	})
}
