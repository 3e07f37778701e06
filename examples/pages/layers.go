package pages

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/layers/limit"
	"github.com/omnibucket/storage/layers/readonly"
)

// openReports returns a bucket that can only be read. The bucket reads at most ten mebibytes a
// second from the store. It makes at most a hundred requests a second. Blocks that were read are
// kept on the disk. Close the cache after the bucket.
func openReports(ctx context.Context, address, dir string) (storage.Bucket, *diskcache.Cache, error) {
	limited, err := limit.New(limit.Config{
		Bytes:    limit.Constant(limit.Rates{Download: 10 << 20}),
		Requests: limit.Requests{Reads: 100},
	})
	if err != nil {
		return nil, nil, err
	}
	cache, err := diskcache.Open(dir, diskcache.Config{MaxBytes: 10 << 30})
	if err != nil {
		return nil, nil, err
	}
	bucket, err := storage.Open(ctx, address,
		driver.WithLayer(limited), driver.WithLayer(cache.Layer()), driver.WithLayer(readonly.New(readonly.Config{})))
	return bucket, cache, err
}
