package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

const (
	smallCalls = 20       // calls of each kind on small objects
	largeBytes = 64 << 20 // size of the large object
)

// A speed holds the speeds of a store that the program measured from this machine, with default
// options.
type speed struct {
	Milliseconds map[string]quantiles `json:"milliseconds,omitempty"` // by kind of call; the calls are sequential
	UploadMBps   float64              `json:"uploadMBps,omitempty"`   // for one object of 64 MiB, in MB/s
	DownloadMBps float64              `json:"downloadMBps,omitempty"`
}

// quantiles holds the median and the 90th percentile of the times of calls, in milliseconds. The
// number of calls is smallCalls.
type quantiles struct {
	Median float64 `json:"median"`
	P90    float64 `json:"p90"`
}

// measure sets c.speed. It makes calls on small objects, and transfers a large one in both directions.
func (c *certification) measure(t *testing.T) {
	bucket := c.openBucket(t, c.newBucket(t))
	c.measureCalls(t, bucket)
	c.measureTransfers(t, bucket)
}

// measureCalls measures the times of small calls, one after another.
func (c *certification) measureCalls(t *testing.T, bucket storage.Bucket) {
	ctx := t.Context()
	content := make([]byte, 1<<10)
	times := map[string]quantiles{}
	c.speed.Milliseconds = times

	times["upload 1 KiB"] = timeCalls(t, func(key string) error {
		_, err := bucket.Upload(ctx, key, bytes.NewReader(content))
		return err
	})
	times["read 1 KiB"] = timeCalls(t, func(key string) error {
		_, _, err := storage.ReadAll(ctx, bucket, key)
		return err
	})
	times["attrs"] = timeCalls(t, func(key string) error {
		_, err := bucket.Attrs(ctx, key)
		return err
	})
	times["list 20"] = timeCalls(t, func(string) error {
		_, err := storage.ListPage(ctx, bucket, "", storage.WithPrefix(smallPrefix))
		return err
	})
	times["remove"] = timeCalls(t, func(key string) error {
		return bucket.Remove(ctx, key)
	})
}

// smallPrefix begins the keys of the small objects.
const smallPrefix = "small/"

// timeCalls calls call with the key of each small object, and returns the median and the 90th percentile
// of the times.
func timeCalls(t *testing.T, call func(key string) error) quantiles {
	t.Helper()
	milliseconds := make([]float64, smallCalls)
	for i := range milliseconds {
		key := fmt.Sprintf("%s%02d", smallPrefix, i)
		start := time.Now()
		require.NoError(t, call(key))
		milliseconds[i] = float64(time.Since(start).Microseconds()) / 1000
	}

	slices.Sort(milliseconds)
	return quantiles{Median: milliseconds[smallCalls/2], P90: milliseconds[smallCalls*9/10]}
}

// measureTransfers measures the upload and the download of a large object.
func (c *certification) measureTransfers(t *testing.T, bucket storage.Bucket) {
	ctx := t.Context()
	content := make([]byte, largeBytes)
	// rand.Read never fails.
	_, _ = rand.Read(content)

	start := time.Now()
	_, err := bucket.Upload(ctx, "large", bytes.NewReader(content))
	require.NoError(t, err)
	c.speed.UploadMBps = megabytesASecond(time.Since(start))

	start = time.Now()
	reader, err := bucket.Download(ctx, "large")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, reader)
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	c.speed.DownloadMBps = megabytesASecond(time.Since(start))
}

// megabytesASecond returns the speed of a transfer of the large object.
func megabytesASecond(took time.Duration) float64 { return largeBytes / 1e6 / took.Seconds() }
