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
// r is the caller's request, attrs is from the store's response, and sealed is the size of the object
// in the store. If the object was replaced meanwhile, the error says that the caller can try again.
func (d *objectDriver) checkNotTruncated(
	ctx context.Context, r *driver.GetRequest, key *dataKey, attrs *storage.Attrs, sealed int64,
) error {
	// The full size is known, and not 0, once the last chunk was sent or decrypted.
	size := cmp.Or(key.checkedSize.Load(), knownSize(d, key.header))
	if size == sealed {
		return nil
	}
	if size != 0 {
		return errDamaged("the object was cut off")
	}

	// Read and decrypt the last chunk of the object that the caller reads.
	last := (sealed - 1) / sealedChunk
	current, body, err := d.Driver.Get(ctx, &driver.GetRequest{
		Key:       r.Key,
		Version:   r.Version,
		Offset:    last * sealedChunk,
		Length:    sealed - last*sealedChunk,
		Condition: storage.Condition{Revision: attrs.Revision},
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

	if current.Metadata[headerName] != key.header || current.Size != sealed {
		return retryableError(errors.New("the object was replaced"))
	}

	tail := &openingBody{sealed: body, key: key, index: last, remaining: sealed - last*sealedChunk}
	err = tail.fill()
	if err == nil || storage.CodeOf(err) == storage.ChecksumMismatch {
		return err
	}
	// The body could not be read.
	return retryableError(err)
}

// knownSize returns the size that rememberSize has stored for the object with this header, or 0.
func knownSize(d *objectDriver, header string) int64 {
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

// checkPastEnd fails if the object was truncated, and the range of r is past its end for this reason.
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
		// The caller has an error of its own.
		return nil
	}

	// An object without a header is not encrypted, and cannot be checked.
	sealed := attrs.Size
	header, err := toPlain(d, attrs)
	if err != nil || header == "" {
		return err
	}
	key, err := d.open(ctx, Object{d.desc.Bucket, r.Key}, header)
	if err != nil {
		return err
	}
	return d.checkNotTruncated(ctx, r, key, attrs, sealed)
}

// retryableError returns a retryable error, so that the engine repeats the read.
func retryableError(err error) error {
	return &storage.Error{Code: storage.Unavailable, Retryable: true, Err: err}
}
