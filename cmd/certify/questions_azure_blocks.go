package main

import (
	"context"
	"errors"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
)

func askBlockCRC64(ctx context.Context, i *inquiry) (string, error) {
	_, client, err := bucketWithClient[*container.Client](ctx, i)
	if err != nil {
		return "", err
	}
	resp, err := stage(ctx, client, "MDAwMQ==")
	if err != nil {
		return "", err
	}
	if len(resp.ContentCRC64) > 0 {
		return "yes", nil
	}
	return "no", nil
}

// stage uploads a block of the blob "a" without committing it.
func stage(ctx context.Context, client *container.Client, id string) (blockblob.StageBlockResponse, error) {
	return client.NewBlockBlobClient("a").StageBlock(ctx, id, streaming.NopCloser(strings.NewReader("text")), nil)
}

func askBlockIDs(ctx context.Context, i *inquiry) (string, error) {
	_, client, err := bucketWithClient[*container.Client](ctx, i)
	if err != nil {
		return "", err
	}
	if _, err := stage(ctx, client, "MDAwMQ=="); err != nil { // 4 bytes
		return "", err
	}
	_, err = stage(ctx, client, "MDAwMDAy") // 6 bytes
	var refused *azcore.ResponseError
	if err == nil {
		return "yes", nil
	}
	if errors.As(err, &refused) {
		i.note("status %d, %s", refused.StatusCode, refused.ErrorCode)
		return "no", nil
	}
	return "", err
}

func askLeftoverBlocks(ctx context.Context, i *inquiry) (string, error) {
	b, client, err := bucketWithClient[*container.Client](ctx, i)
	if err != nil {
		return "", err
	}
	if _, err := stage(ctx, client, "MDAwMQ=="); err != nil {
		return "", err
	}
	if err := put(ctx, b, "a"); err != nil {
		return "", err
	}
	blocks, err := client.NewBlockBlobClient("a").GetBlockList(ctx, blockblob.BlockListTypeUncommitted, nil)
	if err != nil {
		return "", err
	}
	if len(blocks.UncommittedBlocks) > 0 {
		return "no", nil
	}
	return "yes", nil
}

func askUncommittedCreate(ctx context.Context, i *inquiry) (string, error) {
	b, client, err := bucketWithClient[*container.Client](ctx, i)
	if err != nil {
		return "", err
	}
	if _, err := stage(ctx, client, "MDAwMQ=="); err != nil {
		return "", err
	}
	_, err = b.Upload(ctx, "a", strings.NewReader("x"), storage.IfAbsent())
	if errors.Is(err, storage.PreconditionFailed) {
		return "no", nil
	}
	return "yes", err
}

func askPartVersions(ctx context.Context, i *inquiry) (string, error) {
	_, err := i.bucket(ctx)
	if err != nil {
		return "", err
	}

	// A bucket without the option shows no version.
	b, err := i.open(i.name(), storage.WithVersioning(true))
	if err != nil {
		return "", err
	}
	attrs, err := b.Upload(ctx, "b", strings.NewReader("text"))
	if err != nil {
		return "", err
	}
	if attrs.Version == "" {
		return "", notHere("the account keeps no versions")
	}

	client, err := clientOf[*container.Client](b)
	if err != nil {
		return "", err
	}
	if _, err := completed(ctx, b); err != nil {
		return "", err
	}

	count := 0
	pages := client.NewListBlobsFlatPager(
		&container.ListBlobsFlatOptions{Include: container.ListBlobsInclude{Versions: true}},
	)
	for pages.More() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, item := range page.Segment.BlobItems {
			if item.Name != nil && strings.HasPrefix(*item.Name, ".omnibucket") {
				count++
			}
		}
	}

	i.note("%d", count)
	if count > 0 {
		return "yes", nil
	}
	return "no", nil
}
