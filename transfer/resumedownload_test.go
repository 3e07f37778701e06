package transfer_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/transfer"
)

const largeBytes = 40 << 20

// A halfDownload is a directory into which half of an object was downloaded. Then the download was
// canceled.
type halfDownload struct {
	bucket storage.Bucket
	server *countingServer
	dir    string
	text   string
}

// download runs a Download of the bucket into the directory.
func (h *halfDownload) download(ctx context.Context, opts ...transfer.Option) error {
	_, err := transfer.Download(ctx, h.bucket, h.dir, opts...)
	return err
}

// interruptDownload downloads an object of largeBytes, and cancels the download when half of the
// object has come.
func interruptDownload(t *testing.T, opts ...transfer.Option) *halfDownload {
	t.Helper()
	server, address := startCounting(t, s3server.New(s3server.Config{Buckets: []string{"photos"}}))
	b, err := openCounted(t.Context(), address)
	require.NoError(t, err)
	h := &halfDownload{bucket: b, server: server, dir: t.TempDir()}
	t.Cleanup(func() {
		require.NoError(t, storage.Close(h.bucket))
	})
	h.text = strings.Repeat("0123456789abcdef", largeBytes/16)
	put(t, h.bucket, "sub/large", h.text)

	// The server tells when it has sent half of the object.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h.server.bytes.Store(0)
	h.server.at.Store(largeBytes / 2)
	go func() {
		<-h.server.reached
		cancel()
	}()

	require.ErrorIs(t, h.download(ctx, opts...), storage.Canceled)
	h.server.bytes.Store(0)
	return h
}

// requireComplete fails unless the downloaded file has this text and no temporary file is left.
func (h *halfDownload) requireComplete(t *testing.T, text string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(h.dir, "sub", "large"))
	require.NoError(t, err)
	require.True(t, string(got) == text)
	require.Empty(t, hiddenFiles(t, h.dir))
}

// With WithResume, an interrupted download keeps its bytes. The next download continues after them,
// unless the object has changed.
func TestDownloadInterrupted(t *testing.T) {
	testserver.Slow(t)

	// interruptDownload makes a first job that downloads half of the object "sub/large". After
	// that, h.server counts the bytes of later jobs.
	resume := transfer.WithResume(t.TempDir())

	t.Run("leaves nothing, because the first job has no WithResume", func(t *testing.T) {
		require.Empty(t, hiddenFiles(t, interruptDownload(t).dir))
	})

	t.Run("is continued by a job with WithResume", func(t *testing.T) {
		h := interruptDownload(t, resume)
		require.NotEmpty(t, hiddenFiles(t, h.dir), "the bytes of the first job")

		require.NoError(t, h.download(t.Context(), resume))
		const maxRepeated = 16 << 20 // bytes that the second job may download again
		require.LessOrEqual(t, h.server.bytes.Load(), int64(largeBytes/2+maxRepeated))
		h.requireComplete(t, h.text)
	})

	t.Run("is continued by a job without WithResume", func(t *testing.T) {
		h := interruptDownload(t, resume)

		require.NoError(t, h.download(t.Context()))
		require.Less(t, h.server.bytes.Load(), int64(largeBytes), "not all bytes are downloaded again")
		h.requireComplete(t, h.text)
	})

	t.Run("is interrupted again", func(t *testing.T) {
		h := interruptDownload(t, resume)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()

		require.ErrorIs(t, h.download(ctx, resume), storage.Canceled)
		require.NotEmpty(t, hiddenFiles(t, h.dir))

		require.NoError(t, h.download(t.Context(), resume))
		require.Less(t, h.server.bytes.Load(), int64(largeBytes), "not all bytes are downloaded again")
		h.requireComplete(t, h.text)
	})

	t.Run("of an object that was replaced starts over", func(t *testing.T) {
		h := interruptDownload(t, resume)
		other := strings.Repeat("another object..", largeBytes/16)
		put(t, h.bucket, "sub/large", other)

		require.NoError(t, h.download(t.Context(), resume))
		h.requireComplete(t, other)
	})

	t.Run("of an object that was removed leaves nothing", func(t *testing.T) {
		h := interruptDownload(t, resume)
		require.NoError(t, h.bucket.Remove(t.Context(), "sub/large"))
		put(t, h.bucket, "small", "x")

		require.NoError(t, h.download(t.Context(), resume))
		require.Empty(t, hiddenFiles(t, h.dir))
	})

	t.Run("is continued by the job of its shard", func(t *testing.T) {
		h := interruptDownload(t, resume)

		const shards = 2
		for shard := range shards {
			require.NoError(t, h.download(t.Context(), transfer.WithShard(shard, shards)))
		}
		require.Less(t, h.server.bytes.Load(), int64(largeBytes), "not all bytes are downloaded again")
		h.requireComplete(t, h.text)
	})

	t.Run("is continued by DownloadFile", func(t *testing.T) {
		h := interruptDownload(t, resume)

		attrs, err := storage.DownloadFile(t.Context(), h.bucket, "sub/large",
			filepath.Join(h.dir, "sub", "large"))
		require.NoError(t, err)
		require.Equal(t, int64(largeBytes), attrs.Size)
		require.Less(t, h.server.bytes.Load(), int64(largeBytes), "not all bytes are downloaded again")
		h.requireComplete(t, h.text)
	})

	t.Run("of another bucket starts over", func(t *testing.T) {
		h := interruptDownload(t, resume)

		// Another bucket is downloaded to the directory of the first one.
		other := interruptDownload(t)
		other.dir = h.dir

		require.NoError(t, other.download(t.Context(), resume))
		require.GreaterOrEqual(t, other.server.bytes.Load(), int64(largeBytes))
		other.requireComplete(t, other.text)
	})
}

// Several jobs may download into one directory at the same time. No job removes the files of
// another one.
func TestDownloadsInOneDirectoryAtOnce(t *testing.T) {
	const jobs, smallFiles = 3, 20

	// The download of one large object was interrupted, and the bucket has small ones, too.
	h := interruptDownload(t)
	for i := range smallFiles {
		put(t, h.bucket, fmt.Sprintf("small/%d", i), "x")
	}

	// Several jobs download the bucket at once.
	errs := make(chan error, jobs)
	for range jobs {
		go func() {
			errs <- h.download(t.Context())
		}()
	}

	// A job may fail because of a file that another job has written meanwhile.
	failures := 0
	for range jobs {
		if err := <-errs; err != nil {
			require.ErrorIs(t, err, storage.PreconditionFailed)
			failures++
		}
	}
	require.Less(t, failures, jobs)
	h.requireComplete(t, h.text) // the text of the large object
}
