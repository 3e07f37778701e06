package storagetest

import (
	"context"
	"io"
	"sync"

	"github.com/omnibucket/storage"
)

// countingBucket is a user's type that overrides three methods of a Bucket.
type countingBucket struct {
	storage.Bucket

	mu                sync.Mutex // RemoveAll calls Remove concurrently
	uploads, removals []string
	downloads         int
}

func (c *countingBucket) Upload(ctx context.Context, key string, body io.Reader, opts ...storage.UploadOption) (*storage.Attrs, error) {
	c.mu.Lock()
	c.uploads = append(c.uploads, key)
	c.mu.Unlock()
	return c.Bucket.Upload(ctx, key, body, opts...)
}

func (c *countingBucket) Download(ctx context.Context, key string, opts ...storage.DownloadOption) (*storage.Reader, error) {
	c.mu.Lock()
	c.downloads++
	c.mu.Unlock()
	return c.Bucket.Download(ctx, key, opts...)
}

func (c *countingBucket) Remove(ctx context.Context, key string, opts ...storage.RemoveOption) error {
	c.mu.Lock()
	c.removals = append(c.removals, key)
	c.mu.Unlock()
	return c.Bucket.Remove(ctx, key, opts...)
}
