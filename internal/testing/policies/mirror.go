package policies

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// Mirror copies what is new to the second bucket, and removes from it what the first bucket does
// not have.
func Mirror(ctx context.Context, srcAddress, dstAddress string) error {
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

	_, err = transfer.Sync(ctx, transfer.Bucket(dst), transfer.Bucket(src), transfer.WithDelete())
	return err
}
