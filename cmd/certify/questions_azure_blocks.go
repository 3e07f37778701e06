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

// probeBlockCRC64 tests whether Put Block returns a checksum if the request had none.
func probeBlockCRC64(ctx context.Context, p *probe) (string, error) {
	_, client, err := bucketWithClient[*container.Client](ctx, p)
	if err != nil {
		return "", err
	}

	resp, err := stageBlock(ctx, client, blockID)
	if err != nil {
		return "", err
	}
	if len(resp.ContentCRC64) > 0 {
		return "yes", nil
	}
	return "no", nil
}

// blockID is an id of 4 bytes, in base64.
const blockID = "MDAwMQ=="

// stageBlock uploads a block of the blob "a" without committing it.
func stageBlock(ctx context.Context, client *container.Client, id string) (blockblob.StageBlockResponse, error) {
	return client.NewBlockBlobClient("a").StageBlock(ctx, id, streaming.NopCloser(strings.NewReader("text")), nil)
}

// probeBlockIDs tests whether the ids of the blocks of one blob may have 4 and 6 bytes, whose encodings are
// equally long.
func probeBlockIDs(ctx context.Context, p *probe) (string, error) {
	_, client, err := bucketWithClient[*container.Client](ctx, p)
	if err != nil {
		return "", err
	}
	// The id of this block has 4 bytes.
	if _, err := stageBlock(ctx, client, blockID); err != nil {
		return "", err
	}

	const idOf6Bytes = "MDAwMDAy"
	_, err = stageBlock(ctx, client, idOf6Bytes)
	if err == nil {
		return "yes", nil
	}
	if refused, ok := errors.AsType[*azcore.ResponseError](err); ok {
		p.setDetail("status %d, %s", refused.StatusCode, refused.ErrorCode)
		return "no", nil
	}
	return "", err
}

// probeLeftoverBlocks tests whether Put Blob drops the uncommitted blocks of its key.
func probeLeftoverBlocks(ctx context.Context, p *probe) (string, error) {
	b, client, err := bucketWithClient[*container.Client](ctx, p)
	if err != nil {
		return "", err
	}
	if _, err := stageBlock(ctx, client, blockID); err != nil {
		return "", err
	}
	// The block belongs to the key "a", under which Put Blob now stores an object.
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

// probeUncommittedCreate tests whether a conditional Put Blob creates a blob whose key has uncommitted
// blocks.
func probeUncommittedCreate(ctx context.Context, p *probe) (string, error) {
	b, client, err := bucketWithClient[*container.Client](ctx, p)
	if err != nil {
		return "", err
	}

	if _, err := stageBlock(ctx, client, blockID); err != nil {
		return "", err
	}
	_, err = b.Upload(ctx, "a", strings.NewReader("x"), storage.IfAbsent())
	if errors.Is(err, storage.PreconditionFailed) {
		return "no", nil
	}
	return "yes", err
}

// probePartVersions tests whether a container that keeps versions also keeps those of the parts of an open
// upload.
func probePartVersions(ctx context.Context, p *probe) (string, error) {
	if _, err := p.newBucket(ctx); err != nil {
		return "", err
	}

	// A bucket shows versions only if it is opened with this option.
	b, err := p.open(p.name(), storage.WithVersioning(true))
	if err != nil {
		return "", err
	}
	attrs, err := b.Upload(ctx, "b", strings.NewReader("text"))
	if err != nil {
		return "", err
	}
	if attrs.Version == "" {
		return "", notApplicable("the account keeps no versions")
	}

	client, err := clientOf[*container.Client](b)
	if err != nil {
		return "", err
	}
	if _, err := uploadOnePart(ctx, b); err != nil {
		return "", err
	}
	versionCount, err := countPartVersions(ctx, client)
	if err != nil {
		return "", err
	}

	p.setDetail("%d", versionCount)
	if versionCount > 0 {
		return "yes", nil
	}
	return "no", nil
}

// countPartVersions returns the number of versions below ".omnibucket", where the parts of open uploads
// are.
func countPartVersions(ctx context.Context, client *container.Client) (int, error) {
	count := 0
	pages := client.NewListBlobsFlatPager(
		&container.ListBlobsFlatOptions{Include: container.ListBlobsInclude{Versions: true}},
	)

	for pages.More() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, err
		}
		for _, item := range page.Segment.BlobItems {
			if item.Name != nil && strings.HasPrefix(*item.Name, ".omnibucket") {
				count++
			}
		}
	}
	return count, nil
}
