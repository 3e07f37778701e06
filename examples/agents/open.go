// Package agents has the code that docs/for-agents.md shows: everyday tasks of a program that
// stores objects.
package agents

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/local" // file://
	"github.com/omnibucket/storage/providers/s3"      // s3://
)

// withBucket opens a bucket by its address, and closes it after use.
func withBucket(ctx context.Context, address string, use func(storage.Bucket) error) error {
	bucket, err := storage.Open(ctx, address)
	if err != nil {
		return err
	}
	return errors.Join(use(bucket), storage.Close(bucket))
}

// openWithKeys opens a bucket with keys that the program has already.
func openWithKeys(ctx context.Context, endpoint, id, secret string) (storage.Bucket, error) {
	return s3.Open(ctx, s3.Config{
		Bucket:      "photos",
		Region:      "us-east-1",
		Endpoint:    endpoint,
		AccessKeyID: id,
		SecretKey:   secret,
	})
}
