package azure

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// Compose copies each source as blocks, which have no minimum size. It returns Unsupported if this
// package cannot authorize the service to read the sources.
func (d *objectDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	if !d.account.canAuthorizeSource() {
		return nil, storage.Unsupported
	}
	if err := d.container.checkLocks(ctx, &r.Controls); err != nil {
		return nil, err
	}

	// Divide the sources into ranges, and add up the size of the new object.
	var ranges []copyRange
	req := &driver.PutRequest{
		Key:        r.Key,
		Properties: r.Properties,
		Controls:   r.Controls,
		Native:     r.Native,
		Condition:  r.Condition,
		CRC32C:     r.CRC32C,
		Size:       int64(len(r.Tail)),
	}

	for _, ref := range r.Sources {
		source, err := d.copier.headSource(ctx, ref)
		if err != nil {
			return nil, err
		}
		if source.Size == 0 {
			// An empty source adds no bytes, and so no range.
			continue
		}
		ranges, err = d.copier.split(ranges, source.Size, ref)
		if err != nil {
			return nil, err
		}
		req.Size += source.Size
	}

	if len(r.Tail) > 0 {
		return d.appendTail(ctx, r, ranges, req)
	}
	return d.copier.copyRanges(ctx, ranges, req)
}

// appendTail creates an object from the source and r.Tail. It uses the blocks of the source again,
// or else copies the ranges as new blocks. Blocks cannot be used again if the source was stored
// without blocks, or if the request has an option such as an encryption key.
func (d *objectDriver) appendTail(
	ctx context.Context, r *driver.ComposeRequest, ranges []copyRange, req *driver.PutRequest,
) (*storage.Attrs, error) {
	// Store the tail as a block.
	tail := r.TailPart(newUploadID(), 1)
	part, err := d.PutPart(ctx, tail)
	if err != nil {
		return nil, err
	}
	tailID, err := partBlockID(tail.Upload, &part)
	if err != nil {
		return nil, err
	}

	// Use the blocks of the source again, if possible.
	var sourceIDs []string
	if len(r.Native) == 0 && len(r.Sources[0].Native) == 0 {
		sourceIDs, err = d.blocks.committedIDs(ctx, r.Key, len(tailID), req.Size-tail.Size)
		if err != nil {
			return nil, err
		}
	}

	// Otherwise, copy the ranges to new blocks.
	if len(sourceIDs) == 0 {
		sourceIDs, err = d.copier.stageRanges(ctx, ranges, req, d.copier.stageRange)
		if err != nil {
			return nil, err
		}
	}

	return d.copier.commitCopied(ctx, append(sourceIDs, tailID), req)
}

// committedIDs returns the ids of the blocks of an object, for another commit, or nil if they cannot be
// used again. An id must have the length idLength, because all ids of a commit have the same length. The
// sizes of the blocks must add up to size. After an append with the Data Lake API, they do not, because
// the appended bytes are in no listed block.
// https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-known-issues
func (bl *blocks) committedIDs(ctx context.Context, key string, idLength int, size int64) ([]string, error) {
	request := func(ctx context.Context, opts *blockblob.GetBlockListOptions) (blockblob.GetBlockListResponse, error) {
		return bl.container.blob(key).GetBlockList(ctx, blockblob.BlockListTypeCommitted, opts)
	}
	resp, err := send(ctx, bl.container.account, request, nil)
	if err != nil {
		return nil, sdkerror.WithoutEffect(bl.container.changeError(ctx, translate(err)))
	}
	if len(resp.CommittedBlocks) >= maxBlocks {
		// The object has no room for another block.
		return nil, nil
	}

	// Each id must fit, and the blocks must be the whole object.
	ids := make([]string, len(resp.CommittedBlocks))
	sum := int64(0)
	for i, block := range resp.CommittedBlocks {
		ids[i] = deref(block.Name)
		if len(ids[i]) != idLength {
			return nil, nil
		}
		sum += deref(block.Size)
	}
	if sum != size {
		return nil, nil
	}
	return ids, nil
}
