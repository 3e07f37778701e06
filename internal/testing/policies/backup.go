package policies

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// Backup copies the directory dir into the bucket, and the bucket into the directory restored.
func Backup(ctx context.Context, address, dir, restored string) error {
	bucket, err := storage.Open(ctx, address)
	if err != nil {
		return err
	}
	defer storage.Close(bucket)

	if _, err := transfer.Upload(ctx, bucket, dir); err != nil {
		return err
	}
	_, err = transfer.Download(ctx, bucket, restored)
	return err
}
