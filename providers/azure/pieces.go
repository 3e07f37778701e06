package azure

import (
	"cmp"
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/copyparts"
	"github.com/omnibucket/storage/internal/httpheader"
)

// A piece is a range of a source that becomes a block.
type piece struct {
	ref  storage.ObjectRef
	from copySource
	span blob.HTTPRange
}

// cut adds the pieces of a source to those before it. More than a blob has
// blocks are Unsupported.
func (d *driver) cut(pieces []piece, size int64, ref storage.ObjectRef, from copySource) ([]piece, error) {
	length := max(cmp.Or(d.copyBlock, copyparts.DefaultSize), (size+maxBlocks-1)/maxBlocks)
	for at := int64(0); at < size; at += length {
		if len(pieces) == maxBlocks {
			return nil, storage.Unsupported
		}
		pieces = append(pieces, piece{ref, from, blob.HTTPRange{Offset: at, Count: min(length, size-at)}})
	}
	return pieces, nil
}

// join makes an object of pieces. What fails leaves blocks behind that nobody
// sees, as AbortParts says.
func (d *driver) join(ctx context.Context, pieces []piece, c *commit) (*storage.Attrs, error) {
	upload := newUpload()
	ids := make([]string, len(pieces))
	err := copyparts.CopyAll(ctx, len(pieces), func(ctx context.Context, i int) (err error) {
		ids[i], err = d.copyPiece(ctx, c.key, upload, i+1, &pieces[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	attrs, err := d.commit(ctx, ids, c)
	if err != nil {
		return nil, err
	}
	attrs.CRC32C = c.crc
	return attrs, nil
}

// copyPiece is one Put Block From URL. It returns the block's id.
func (d *driver) copyPiece(ctx context.Context, key, upload string, number int, p *piece) (string, error) {
	id, err := blockID(upload, number, 0)
	if err != nil {
		return "", err
	}
	tag, err := d.stage(ctx, key, id, func(id string) error {
		_, err := d.blob(key).StageBlockFromURL(patiently(d.once(ctx)), id, p.from.address, &blockblob.StageBlockFromURLOptions{
			Range:                          p.span,
			CopySourceAuthorization:        httpheader.Optional(p.from.authorization),
			SourceModifiedAccessConditions: sourceCondition(p.ref.Revision),
		})
		return err
	})
	if err != nil {
		return "", d.copyFailed(ctx, translate(err), p.ref, storage.Condition{})
	}
	id, _ = storedID(tag)
	return id, nil
}
