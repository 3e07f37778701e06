package encrypt

import (
	"cmp"
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// checkNotTruncated fails with ChecksumMismatch if the object has lost its end, which only the nonce of
// its last chunk tells. It reads that chunk once, and sends no further request as long as the object
// and its size are remembered.
//
// r is the caller's request, attrs is from the store's response, and storedSize is the size of the object
// in the store. If the object was replaced meanwhile, the error says that the caller can try again.
func (d *objectDriver) checkNotTruncated(
	ctx context.Context, r *driver.GetRequest, key *dataKey, attrs *storage.Attrs, storedSize int64,
) error {
	// The full size is known, and not 0, once this driver has written or decrypted the last chunk.
	fullSize := cmp.Or(key.checkedSize.Load(), d.knownSize(key.header))
	if fullSize == storedSize {
		return nil
	}
	if fullSize != 0 {
		return errDamaged("the object was cut off")
	}
	return d.checkLastChunk(ctx, r, key, attrs.Revision, storedSize)
}

// checkLastChunk reads the last chunk of the object that r reads, and fails with ChecksumMismatch if that
// chunk was not encrypted as the last one of an object. revision and storedSize are those of the object.
func (d *objectDriver) checkLastChunk(
	ctx context.Context, r *driver.GetRequest, key *dataKey, revision string, storedSize int64,
) error {
	last := (storedSize - 1) / sealedChunk
	lastSize := storedSize - last*sealedChunk
	current, body, err := d.Driver.Get(ctx, &driver.GetRequest{
		Key:       r.Key,
		Version:   r.Version,
		Offset:    last * sealedChunk,
		Length:    lastSize,
		Condition: storage.Condition{Revision: revision},
		Native:    r.Native,
		Auxiliary: r.Auxiliary,
	})
	switch storage.CodeOf(err) {
	case storage.PreconditionFailed, storage.ObjectNotFound, storage.RangeNotSatisfiable:
		// The object was replaced.
		return retryableError(err)
	}
	if err != nil {
		return err
	}
	defer body.Close()

	if current.Metadata[headerName] != key.header || current.Size != storedSize {
		return retryableError(errors.New("the object was replaced"))
	}

	tail := &openingBody{sealed: body, key: key, index: last, remaining: lastSize}
	err = tail.fill()
	if err == nil || storage.CodeOf(err) == storage.ChecksumMismatch {
		return err
	}
	// The body could not be read.
	return retryableError(err)
}

// knownSize returns the size that rememberSize has stored for the object with this header, or 0.
func (d *objectDriver) knownSize(header string) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sizes[header]
}

// rememberSize remembers the encrypted size of an object that this driver has just written. While the
// object has this size, checkNotTruncated need not read its last chunk.
func (d *objectDriver) rememberSize(header string, sealed int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.sizes) >= maxKnown {
		clear(d.sizes)
	}
	d.sizes[header] = max(0, sealed)
}

// checkPastEnd fails with ChecksumMismatch if the range of r is past the end only because the object was
// truncated. It is called after the store has refused the range, and asks for the size of the object.
func (d *objectDriver) checkPastEnd(ctx context.Context, r *driver.GetRequest) error {
	attrs, err := d.Driver.Head(ctx, &driver.GetRequest{
		Key:       r.Key,
		Version:   r.Version,
		Length:    -1,
		Condition: r.Condition,
		Native:    r.Native,
		Auxiliary: true,
	})
	if err != nil {
		// Nothing is proved, so the caller returns the error of the store for its range.
		return nil
	}

	storedSize := attrs.Size
	header, err := d.toPlain(attrs) // this makes attrs.Size the plain size
	if err != nil {
		return err
	}
	isPlain := header == ""
	if isPlain {
		// Only encrypted objects can be checked.
		return nil
	}

	key, err := d.open(ctx, Object{d.desc.Bucket, r.Key}, header)
	if err != nil {
		return err
	}
	return d.checkNotTruncated(ctx, r, key, attrs, storedSize)
}

// retryableError returns a retryable error, so that the engine repeats the read.
func retryableError(err error) error {
	return &storage.Error{Code: storage.Unavailable, Retryable: true, Err: err}
}
