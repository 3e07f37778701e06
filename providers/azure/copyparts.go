package azure

import (
	"cmp"
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/copyparts"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// A copyRange is a range of a source that becomes a block.
type copyRange struct {
	source driver.ObjectRef
	bytes  blob.HTTPRange
}

// split appends the ranges of a source to ranges, one for each block. size is that of the source in
// bytes. It returns Unsupported if the blocks would be too many or too large for a blob.
func (cp *copier) split(ranges []copyRange, size int64, source driver.ObjectRef) ([]copyRange, error) {
	// The blocks are larger than usual if the source would otherwise need more than maxBlocks.
	length := max(cp.blockSize(), (size+maxBlocks-1)/maxBlocks)
	if length > maxBlockSize {
		return nil, storage.Unsupported
	}
	for offset := int64(0); offset < size; offset += length {
		if len(ranges) == maxBlocks {
			return nil, storage.Unsupported
		}
		part := blob.HTTPRange{Offset: offset, Count: min(length, size-offset)}
		ranges = append(ranges, copyRange{source: source, bytes: part})
	}
	return ranges, nil
}

// blockSize returns the usual size of a block in bytes. For a large source, split chooses larger
// blocks.
func (cp *copier) blockSize() int64 {
	if cp.container.account.isBefore(largeBlocksVersion) {
		return cmp.Or(cp.block, oldBlockSize)
	}
	return cmp.Or(cp.block, copyparts.DefaultSize)
}

// copyRanges creates an object from ranges. If it fails, uncommitted blocks remain, which the
// service drops after a week.
func (cp *copier) copyRanges(ctx context.Context, ranges []copyRange, c *driver.PutRequest) (*storage.Attrs, error) {
	ids, err := cp.stageRanges(ctx, ranges, c, cp.stageRange)
	if err != nil {
		return nil, err
	}
	return cp.commitCopied(ctx, ids, c)
}

// A rangeBlock is a block with the bytes of a range of a source.
type rangeBlock struct {
	key    string // of the object that the block becomes a part of
	upload string
	number int // of the block in the upload
	native *nativeOptions
	src    *copyRange
}

// A stageFunc stores a block, and returns its id.
type stageFunc func(ctx context.Context, block rangeBlock) (string, error)

// stageRanges stores each range as a block, several at a time, and returns the ids of the blocks in the
// order of ranges. stage stores one block.
func (cp *copier) stageRanges(
	ctx context.Context, ranges []copyRange, req *driver.PutRequest, stage stageFunc,
) (ids []string, err error) {
	n, err := cp.container.account.nativeWriteOptions(req.Native)
	if err != nil {
		return nil, err
	}
	if _, err := cp.blocks.options(req); err != nil {
		// An invalid option must fail before blocks are sent.
		return nil, err
	}

	upload := newUploadID()
	ids = make([]string, len(ranges))
	err = copyparts.CopyAll(ctx, len(ranges), func(ctx context.Context, i int) (err error) {
		block := rangeBlock{key: req.Key, upload: upload, number: i + 1, native: n, src: &ranges[i]}
		ids[i], err = stage(ctx, block)
		return err
	})
	// A block does not change the object.
	return ids, sdkerror.WithoutEffect(err)
}

// commitCopied creates an object from blocks. The attributes have the checksum of req, because
// Azure returns none.
func (cp *copier) commitCopied(ctx context.Context, ids []string, req *driver.PutRequest) (*storage.Attrs, error) {
	attrs, err := cp.blocks.commit(ctx, ids, req)
	if err != nil {
		return nil, err
	}
	attrs.CRC32C = req.CRC32C
	return attrs, nil
}

// stageRange copies a range to a block, with one Put Block From URL request, and returns the id of
// the block.
func (cp *copier) stageRange(ctx context.Context, block rangeBlock) (string, error) {
	// The checksum, which is part of an id, is not known.
	id, err := blockID(block.upload, block.number, 0)
	if err != nil {
		return "", err
	}

	// Each block is authorized, because a long copy may outlast one signature or token.
	address, authorization, err := cp.container.account.authorizeSource(ctx, block.src.source)
	if err != nil {
		return "", err
	}

	tag, err := cp.blocks.stage(ctx, block.key, id, func(id string) error {
		return cp.copyBlock(ctx, block, id, address, authorization)
	})
	if err != nil {
		return "", cp.copyError(ctx, translate(err), block.src.source, storage.Condition{})
	}
	// A tag from stage is valid.
	id, _ = blockIDFromTag(tag)
	return id, nil
}

// copyBlock makes one Put Block From URL request, which copies the range of a block to the given id. The
// service reads the source from address with this authorization (see authorizeSource).
func (cp *copier) copyBlock(ctx context.Context, block rangeBlock, id, address, authorization string) error {
	n := block.native
	src := block.src
	opts := &blockblob.StageBlockFromURLOptions{
		Range:                          src.bytes,
		CopySourceAuthorization:        httpheader.Optional(authorization),
		SourceModifiedAccessConditions: sourceCondition(src.source.Revision),
		CPKInfo:                        n.keyInfo(),
		CPKScopeInfo:                   n.scopeInfo(),
		SourceCustomerProvidedKey:      newNativeOptions(src.source.Native).sourceKeyInfo(),
	}
	// The user's functions of WithOptions for this request may change it.
	n.apply(opts)

	request := func(
		ctx context.Context, opts *blockblob.StageBlockFromURLOptions,
	) (blockblob.StageBlockFromURLResponse, error) {
		return cp.container.blob(block.key).StageBlockFromURL(ctx, id, address, opts)
	}
	_, err := send(withCopyTimeout(ctx), cp.container.account, request, opts)
	return err
}
