package azure

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc64"
	"io"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/minio/crc64nvme"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// stageParts copies the parts of an open upload as blocks. If the service cannot read the parts
// itself, as in accounts with private endpoints, their bytes pass through this process.
func (cu *componentUploads) stageParts(
	ctx context.Context, ranges []copyRange, req *driver.PutRequest,
) (blockIDs []string, err error) {
	if !cu.container.account.canAuthorizeSource() {
		return cu.copier.stageRanges(ctx, ranges, req, cu.streamRange)
	}
	blockIDs, err = cu.copier.stageRanges(ctx, ranges, req, cu.copier.stageRange)
	if storage.CodeOf(err) == storage.Unsupported {
		return cu.copier.stageRanges(ctx, ranges, req, cu.streamRange)
	}
	return blockIDs, err
}

// streamRange reads the range of a block and sends it to the service. It returns the id of the block.
func (cu *componentUploads) streamRange(ctx context.Context, block rangeBlock) (string, error) {
	// The checksum, which is part of an id, is not known yet.
	id, err := blockID(block.upload, block.number, 0)
	if err != nil {
		return "", err
	}
	tag, err := cu.copier.blocks.stage(ctx, block.key, id, func(id string) error {
		return cu.streamBlock(ctx, block, id)
	})
	if err != nil {
		return "", blockError(err)
	}
	// A tag from stage is valid.
	id, _ = blockIDFromTag(tag)
	return id, nil
}

// streamBlock makes one Put Block request. Its body is the range of the block, which is read while it is
// sent.
func (cu *componentUploads) streamBlock(ctx context.Context, block rangeBlock, id string) error {
	body := &rangeBody{
		size: block.src.bytes.Count,
		open: func() (io.ReadCloser, error) { return cu.openRange(ctx, block.src) },
	}
	defer body.Close()

	n := block.native
	opts := &blockblob.StageBlockOptions{CPKInfo: n.keyInfo(), CPKScopeInfo: n.scopeInfo()}
	n.apply(opts)

	request := func(ctx context.Context, opts *blockblob.StageBlockOptions) (blockblob.StageBlockResponse, error) {
		return cu.container.blob(block.key).StageBlock(ctx, id, body, opts)
	}
	resp, err := send(ctx, cu.container.account, request, opts)
	return body.check(resp.ContentCRC64, err)
}

// openRange requests a range of a part, and returns its body. It fails with Changed if the part has
// changed or is missing.
func (cu *componentUploads) openRange(ctx context.Context, src *copyRange) (io.ReadCloser, error) {
	_, body, err := cu.objects.Get(ctx, &driver.GetRequest{
		Key:       src.source.Key,
		Offset:    src.bytes.Offset,
		Length:    src.bytes.Count,
		Native:    src.source.Native,
		Auxiliary: true,
		Condition: storage.Condition{Revision: src.source.Revision},
	})
	if err == nil {
		return body, nil
	}
	code := storage.CodeOf(err)
	if code == storage.ObjectNotFound || code == storage.PreconditionFailed {
		storageErr := asError(err)
		storageErr.Code = storage.Changed
		return nil, storageErr
	}
	return nil, err
}

// A rangeBody is the body of a request that sends a range of a blob. It requests the range at the
// first Read and passes the bytes on, without a buffer.
type rangeBody struct {
	open func() (io.ReadCloser, error)
	size int64

	mu       sync.Mutex // the HTTP client may still call Read after the service has responded
	offset   int64
	reader   io.ReadCloser // nil until the first Read
	sum      uint64        // CRC64 of the bytes read so far
	err      error         // the error of open or of reader.Read
	isClosed bool
}

// Read reads the range, which the first Read opens, and adds the bytes to the CRC64. It returns
// io.ErrUnexpectedEOF if the range ends too early.
func (b *rangeBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed {
		return 0, io.ErrClosedPipe
	}
	if b.offset == b.size {
		return 0, io.EOF
	}
	if b.reader == nil {
		b.reader, b.err = b.open()
		if b.err != nil {
			return 0, b.err
		}
	}

	// Read no further than the range, and add the bytes to the checksum.
	remaining := b.size - b.offset
	n, err := b.reader.Read(p[:min(int64(len(p)), remaining)])
	b.offset += int64(n)
	b.sum = crc64nvme.Update(b.sum, p[:n])

	if b.offset == b.size {
		// The next Read returns io.EOF.
		return n, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		b.err = translate(err)
	}
	return n, err
}

// Seek moves to the start or the end, but not after the first Read. This is enough for the SDK,
// which learns the length of the body by a Seek to its end, and then returns to the start.
func (b *rangeBody) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	isBegun := b.reader != nil
	if isBegun || offset != 0 {
		return 0, errors.New("the range is read once, from its start")
	}
	if whence == io.SeekStart {
		b.offset = 0
	}
	if whence == io.SeekEnd {
		b.offset = b.size
	}
	return b.offset, nil
}

// Close closes the range, if it was opened. After that, Read fails.
func (b *rangeBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.isClosed = true
	if b.reader == nil {
		return nil
	}
	err := b.reader.Close()
	b.reader = nil
	return err
}

// check returns the error of the request that sent b. err is the error from the SDK, which check drops
// in favor of the error of a failed read. crc is the CRC64 of the bytes that the service received.
func (b *rangeBody) check(crc []byte, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}

	// A service that computes no checksum returns none.
	hasCRC := len(crc) == crc64.Size
	if err == nil && hasCRC && binary.LittleEndian.Uint64(crc) != b.sum {
		return &storage.Error{
			Code:      storage.ChecksumMismatch,
			Retryable: true,
			Err:       errors.New("the block is not the part that was read"),
		}
	}
	return err
}
