package observe

import (
	"context"
	"io"
	"sync"

	"github.com/omnibucket/storage"
)

// CountingBucket is a user's type that overrides three methods of a Bucket.
type CountingBucket struct {
	storage.Bucket

	mu                sync.Mutex // RemoveAll calls Remove concurrently
	Uploads, Removals []string
	Downloads         int
}

func (c *CountingBucket) Upload(ctx context.Context, key string, body io.Reader, opts ...storage.UploadOption) (*storage.Attrs, error) {
	c.mu.Lock()
	c.Uploads = append(c.Uploads, key)
	c.mu.Unlock()
	return c.Bucket.Upload(ctx, key, body, opts...)
}

func (c *CountingBucket) Download(ctx context.Context, key string, opts ...storage.DownloadOption) (*storage.Reader, error) {
	c.mu.Lock()
	c.Downloads++
	c.mu.Unlock()
	return c.Bucket.Download(ctx, key, opts...)
}

func (c *CountingBucket) Remove(ctx context.Context, key string, opts ...storage.RemoveOption) error {
	c.mu.Lock()
	c.Removals = append(c.Removals, key)
	c.mu.Unlock()
	return c.Bucket.Remove(ctx, key, opts...)
}
