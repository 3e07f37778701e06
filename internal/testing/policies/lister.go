package policies

import (
	"context"

	"github.com/omnibucket/storage"
)

// Lister returns the total size in bytes of all objects below the prefix "logs/".
func Lister(ctx context.Context, address string) (sum int64, err error) {
	bucket, err := storage.Open(ctx, address)
	if err != nil {
		return 0, err
	}
	defer storage.Close(bucket)

	for object, err := range bucket.List(ctx, storage.WithPrefix("logs/")) {
		if err != nil {
			return 0, err
		}
		sum += object.Size
	}
	return sum, nil
}
