package policies

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// Migration moves all objects to the second bucket. It may be run again if it was interrupted.
func Migration(ctx context.Context, srcAddress, dstAddress string) error {
	src, err := storage.Open(ctx, srcAddress)
	if err != nil {
		return err
	}
	defer storage.Close(src)
	dst, err := storage.Open(ctx, dstAddress)
	if err != nil {
		return err
	}
	defer storage.Close(dst)

	_, err = transfer.Sync(ctx, transfer.Bucket(dst), transfer.Bucket(src), transfer.WithMove())
	return err
}
