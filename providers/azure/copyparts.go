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

// split appends the ranges into which a source is split, one for each block. If the blocks would be
// too many or too large for a blob, it returns Unsupported.
func (cp *copier) split(ranges []copyRange, size int64, source driver.ObjectRef) ([]copyRange, error) {
	length := max(cp.blockSize(), (size+maxBlocks-1)/maxBlocks)
	if length > maxBlockSize {
		return nil, storage.Unsupported
	}
	for offset := int64(0); offset < size; offset += length {
		if len(ranges) == maxBlocks {
			return nil, storage.Unsupported
		}
		ranges = append(ranges, copyRange{source, blob.HTTPRange{Offset: offset, Count: min(length, size-offset)}})
	}
	return ranges, nil
}

// blockSize returns the usual size of a block in bytes. For a large source, the method split
// chooses larger blocks.
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

type stageFunc func(ctx context.Context, key string, n *natives, upload string, number int, p *copyRange) (string, error)

func (cp *copier) stageRanges(
	ctx context.Context, ranges []copyRange, c *driver.PutRequest, stage stageFunc,
) (ids []string, err error) {
	n, err := cp.container.account.writeNatives(c.Native)
	if err != nil {
		return nil, err
	}
	if _, err := cp.blocks.options(c); err != nil {
		// An invalid option must fail before blocks are sent.
		return nil, err
	}
	upload := newUploadID()
	ids = make([]string, len(ranges))
	err = copyparts.CopyAll(ctx, len(ranges), func(ctx context.Context, i int) (err error) {
		ids[i], err = stage(ctx, c.Key, n, upload, i+1, &ranges[i])
		return err
	})
	// A block does not change the object.
	return ids, sdkerror.WithoutEffect(err)
}

func (cp *copier) commitCopied(ctx context.Context, ids []string, c *driver.PutRequest) (*storage.Attrs, error) {
	attrs, err := cp.blocks.commit(ctx, ids, c)
	if err != nil {
		return nil, err
	}
	attrs.CRC32C = c.CRC32C
	return attrs, nil
}

// stageRange makes one Put Block From URL request. It returns the block's id.
func (cp *copier) stageRange(
	ctx context.Context, key string, n *natives, upload string, number int, p *copyRange,
) (string, error) {
	id, err := blockID(upload, number, 0)
	if err != nil {
		return "", err
	}

	// Authorize each block, because a long copy may outlast one signature or token.
	address, authorization, err := cp.container.account.authorizeSource(ctx, p.source)
	if err != nil {
		return "", err
	}

	tag, err := cp.blocks.stage(ctx, key, id, func(id string) error {
		o := &blockblob.StageBlockFromURLOptions{
			Range:                          p.bytes,
			CopySourceAuthorization:        httpheader.Optional(authorization),
			SourceModifiedAccessConditions: sourceCondition(p.source.Revision),
			CPKInfo:                        n.keyInfo(),
			CPKScopeInfo:                   n.scopeInfo(),
			SourceCustomerProvidedKey:      newNatives(p.source.Native).sourceKeyInfo(),
		}
		apply(n, o, func(f Options) func(*blockblob.StageBlockFromURLOptions) { return f.StageBlockFromURL })
		_, err := send(
			withCopyTimeout(ctx), cp.container.account,
			func(
				ctx context.Context, o *blockblob.StageBlockFromURLOptions,
			) (blockblob.StageBlockFromURLResponse, error) {
				return cp.container.blob(key).StageBlockFromURL(ctx, id, address, o)
			},
			o,
		)
		return err
	})
	if err != nil {
		return "", cp.copyError(ctx, translate(err), p.source, storage.Condition{})
	}

	id, _ = blockIDFromTag(tag)
	return id, nil
}
