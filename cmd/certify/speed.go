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
	smallCalls = 20
	largeBytes = 64 << 20
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

func (c *certification) measure(t *testing.T) {
	bucket := c.openBucket(t, c.newBucket(t))
	ctx := t.Context()
	content := make([]byte, 1<<10)
	key := func(i int) string { return fmt.Sprintf("small/%02d", i) }
	c.speed.Milliseconds = map[string]quantiles{}
	for _, call := range []struct {
		name string
		do   func(i int) error
	}{
		{"upload 1 KiB", func(i int) error {
			_, err := bucket.Upload(ctx, key(i), bytes.NewReader(content))
			return err
		}},
		{"read 1 KiB", func(i int) error {
			_, _, err := storage.ReadAll(ctx, bucket, key(i))
			return err
		}},
		{"attrs", func(i int) error {
			_, err := bucket.Attrs(ctx, key(i))
			return err
		}},
		{"list 20", func(int) error {
			_, err := storage.ListPage(ctx, bucket, "", storage.WithPrefix("small/"))
			return err
		}},
		{"remove", func(i int) error { return bucket.Remove(ctx, key(i)) }},
	} {
		c.speed.Milliseconds[call.name] = timed(t, call.do)
	}

	large := make([]byte, largeBytes)
	_, _ = rand.Read(large)
	start := time.Now()
	_, err := bucket.Upload(ctx, "large", bytes.NewReader(large))
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

func timed(t *testing.T, call func(i int) error) quantiles {
	t.Helper()
	took := make([]float64, smallCalls)
	for i := range took {
		start := time.Now()
		require.NoError(t, call(i))
		took[i] = float64(time.Since(start).Microseconds()) / 1000
	}
	slices.Sort(took)
	return quantiles{Median: took[smallCalls/2], P90: took[smallCalls*9/10]}
}

func megabytesASecond(took time.Duration) float64 { return largeBytes / 1e6 / took.Seconds() }
