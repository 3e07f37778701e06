package observe

import (
	"context"
	"io"
	"iter"
	"slices"
	"sync"

	"github.com/omnibucket/storage"
)

// A CountingCore is a Core as a user might write it. It overrides five methods, and records the
// keys of their calls.
type CountingCore struct {
	storage.Core
	// Streams, if true, makes each copy read its source with Download.
	Streams bool

	mu                                   sync.Mutex // calls may be concurrent
	Uploads, Downloads, Copies, Removals []string
}

// Counting wraps b in a CountingCore, and returns the new bucket and that Core.
func Counting(b storage.Bucket) (storage.Bucket, *CountingCore, error) {
	c := &CountingCore{}
	counted, err := storage.Wrap(b, func(inner storage.Core) storage.Core {
		c.Core = inner
		return c
	})
	return counted, c, err
}

// addKeys appends keys to one of the lists of c.
func (c *CountingCore) addKeys(list *[]string, keys ...string) {
	c.mu.Lock()
	*list = append(*list, keys...)
	c.mu.Unlock()
}

// Upload adds the key to c.Uploads.
func (c *CountingCore) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	c.addKeys(&c.Uploads, key)
	return c.Core.Upload(ctx, key, body, o)
}

// Download adds the key to c.Downloads.
func (c *CountingCore) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
	c.addKeys(&c.Downloads, key)
	return c.Core.Download(ctx, key, o)
}

// Source returns the source of a copy, which c.Download reads if c.Streams is true.
func (c *CountingCore) Source(key string) storage.CopySource {
	if c.Streams {
		return storage.NewCopySource(c, key)
	}
	return c.Core.Source(key)
}

// CopyFrom adds the key of the copy to c.Copies.
func (c *CountingCore) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, o *storage.CopyOptions,
) (*storage.Attrs, error) {
	c.addKeys(&c.Copies, key)
	return c.Core.CopyFrom(ctx, key, src, o)
}

// RemoveAll adds the keys to c.Removals.
func (c *CountingCore) RemoveAll(ctx context.Context, keys iter.Seq[string]) (removed int, err error) {
	all := slices.Collect(keys)
	c.addKeys(&c.Removals, all...)
	return c.Core.RemoveAll(ctx, slices.Values(all))
}
