package azure

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// Compose copies each source as blocks, which have no minimum size.
func (d *objectDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	if !d.account.canAuthorizeSource() {
		return nil, storage.Unsupported
	}
	if err := d.container.checkLocks(ctx, &r.Controls); err != nil {
		return nil, err
	}

	var ranges []copyRange
	total := &driver.PutRequest{
		Key:        r.Key,
		Properties: r.Properties,
		Controls:   r.Controls,
		Native:     r.Native,
		Condition:  r.Condition,
	}

	for _, ref := range r.Sources {
		source, err := d.copier.headSource(ctx, ref)
		if err != nil {
			return nil, err
		}
		if source.Size == 0 {
			continue
		}
		if ranges, err = d.copier.split(ranges, source.Size, ref); err != nil {
			return nil, err
		}
		total.Size += source.Size
	}

	total.CRC32C = r.CRC32C
	total.Size += int64(len(r.Tail))
	if len(r.Tail) > 0 {
		return d.appendTail(ctx, r, ranges, total)
	}
	return d.copier.copyRanges(ctx, ranges, total)
}

// appendTail creates an object from the source and r.Tail. It reuses the blocks of the source if it
// can. Otherwise it copies the ranges as new blocks. Blocks cannot be reused if the source was
// stored without blocks, or if the request has an option such as an encryption key.
func (d *objectDriver) appendTail(
	ctx context.Context, r *driver.ComposeRequest, ranges []copyRange, c *driver.PutRequest,
) (*storage.Attrs, error) {
	tail := r.TailPart(newUploadID(), 1)
	part, err := d.PutPart(ctx, tail)
	if err != nil {
		return nil, err
	}
	last, err := partBlockID(tail.Upload, &part)
	if err != nil {
		return nil, err
	}
	var ids []string
	if len(r.Native)+len(r.Sources[0].Native) == 0 {
		ids, err = d.blocks.committed(ctx, r.Key, len(last), c.Size-tail.Size)
	}
	if err == nil && len(ids) == 0 {
		ids, err = d.copier.stageRanges(ctx, ranges, c, d.copier.stageRange)
	}
	if err != nil {
		return nil, err
	}
	return d.copier.commitCopied(ctx, append(ids, last), c)
}

// committed returns the ids of the blocks of an object, for another commit. It returns nil if an id
// does not have the given length, or if the object can have no more blocks. It also returns nil if
// the sizes of the blocks do not add up to size. That occurs after an append with the Data Lake
// API, because the appended bytes are in no listed block.
// https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-known-issues
func (bl *blocks) committed(ctx context.Context, key string, length int, size int64) ([]string, error) {
	resp, err := send(
		ctx, bl.container.account,
		func(ctx context.Context, o *blockblob.GetBlockListOptions) (blockblob.GetBlockListResponse, error) {
			return bl.container.blob(key).GetBlockList(ctx, blockblob.BlockListTypeCommitted, o)
		},
		nil,
	)
	if err != nil {
		return nil, sdkerror.WithoutEffect(bl.container.changeError(ctx, translate(err)))
	}
	ids := make([]string, len(resp.CommittedBlocks))
	fits := len(ids) < maxBlocks
	for i, block := range resp.CommittedBlocks {
		ids[i] = deref(block.Name)
		size -= deref(block.Size)
		fits = fits && len(ids[i]) == length
	}
	if !fits || size != 0 {
		return nil, nil
	}
	return ids, nil
}
