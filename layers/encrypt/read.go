package encrypt

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Head returns the attributes with the plain size. It decrypts nothing.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Head(ctx, r)
	if err != nil {
		return nil, err
	}
	header, err := toPlain(d, attrs)
	if err != nil {
		return nil, err
	}
	if err := d.checkHeader(ctx, r.Key, header); err != nil {
		return nil, err
	}
	return attrs, nil
}

// toPlain changes attrs to the attributes of the plain object and returns its header, which is "" if
// the object is not encrypted and Config.AllowPlain permits that.
func toPlain(d *objectDriver, attrs *storage.Attrs) (header string, err error) {
	attrs.ETag = encryptedETag(attrs.ETag)
	header = attrs.Metadata[headerName]
	if header == "" && d.layer.config.AllowPlain {
		return "", nil
	}
	if header == "" {
		return "", &storage.Error{
			Code: storage.ChecksumMismatch,
			Err:  errNotEncrypted,
			Hint: "if the object was stored without encryption, encrypt.Config.AllowPlain permits reading it",
		}
	}

	size, ok := plainSize(attrs.Size)
	if !ok {
		return "", errDamaged("an encrypted object does not have this size")
	}
	attrs.Size = size
	attrs.CRC32C = storage.CRC32C{}
	attrs.MD5 = nil
	return header, nil
}

// encryptedETag adds the prefix "age-" to an entity tag, so that no client of S3 takes the tag for the
// MD5 of the plain bytes.
func encryptedETag(etag string) string {
	if bare, ok := strings.CutPrefix(etag, `"`); ok {
		return `"age-` + bare
	}
	return etag
}

// Get reads the chunks that hold the range, and decrypts them. If the range is past the end, it checks
// that the object was not truncated.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.get(ctx, r)
	if !errors.Is(err, storage.RangeNotSatisfiable) {
		return attrs, body, err
	}
	if truncatedErr := d.checkPastEnd(ctx, r); truncatedErr != nil {
		return nil, nil, truncatedErr
	}
	return nil, nil, err
}

// get is Get without the check for truncated objects. If the object is not encrypted, and AllowPlain
// permits that, get reads it again, because the first request was for encrypted chunks.
func (d *objectDriver) get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	req := *r
	// Request the encrypted chunks that have the bytes of the range.
	if !sealRange(&req) {
		return nil, nil, storage.RangeNotSatisfiable
	}

	attrs, body, err := d.Driver.Get(ctx, &req)
	// The chunks may be past the end of a plain object, which is smaller.
	if errors.Is(err, storage.RangeNotSatisfiable) && d.layer.config.AllowPlain {
		return d.getPlain(ctx, r, storage.RangeNotSatisfiable)
	}
	if err != nil {
		return nil, nil, err
	}

	sealed := attrs.Size
	header, err := toPlain(d, attrs)
	if err != nil {
		_ = body.Close()
		return nil, nil, err
	}
	// The object is not encrypted, so the response is right only if the range was not changed.
	if header == "" {
		isSameRange := req.Offset == r.Offset && req.Length == r.Length && req.Suffix == r.Suffix
		if isSameRange {
			return attrs, body, nil
		}
		_ = body.Close()
		return d.getPlain(ctx, r, storage.Unavailable)
	}

	plain, err := d.decrypt(ctx, r, req.Suffix, header, attrs, sealed, body)
	if err != nil {
		_ = body.Close()
		return nil, nil, err
	}
	return attrs, plain, nil
}

// getPlain reads an object that is not encrypted, and fails with errCode if it has been replaced by an
// encrypted one.
func (d *objectDriver) getPlain(
	ctx context.Context, r *driver.GetRequest, errCode storage.Code,
) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	if attrs.Metadata[headerName] != "" {
		_ = body.Close()
		return nil, nil, errCode
	}
	attrs.ETag = encryptedETag(attrs.ETag)
	return attrs, body, nil
}

// sealRange turns a range of plain bytes into that of the encrypted chunks that hold it. It returns
// false if the range begins after the end of the largest possible object.
func sealRange(r *driver.GetRequest) bool {
	const maxPlain = math.MaxInt64 / sealedChunk * chunkSize // size of the largest possible object
	if r.Suffix > 0 {
		// The size of the object is unknown here, and so is the place of the suffix in its first
		// chunk. The longest result begins at the first byte of that chunk.
		if r.Suffix < maxPlain-sealedChunk {
			chunks := (r.Suffix+chunkSize-1)/chunkSize + 1
			r.Suffix += chunkSize - 1 + chunks*tagSize
		}
		return true
	}
	if r.Offset >= maxPlain {
		return false
	}

	// Request all chunks from that of the first byte to that of the last byte.
	first := r.Offset / chunkSize
	if r.Length > 0 && r.Length < maxPlain-r.Offset {
		last := (r.Offset + r.Length - 1) / chunkSize
		r.Length = (last - first + 1) * sealedChunk
	} else if r.Length != 0 {
		// The range ends with the object.
		r.Length = -1
	}
	r.Offset = first * sealedChunk
	return true
}

// decrypt returns the plain bytes of the range in r from the body of the store's response. sealed is
// the size of the object in the store, and suffix is how many bytes were asked for from its end, or 0.
//
// If the range ends before the last chunk, decrypt first checks that the object was not truncated.
func (d *objectDriver) decrypt(
	ctx context.Context, r *driver.GetRequest, suffix int64, header string, attrs *storage.Attrs, sealed int64,
	body io.ReadCloser,
) (io.ReadCloser, error) {
	size := attrs.Size
	start, end, err := r.Span(size)
	if err != nil {
		return nil, err
	}

	key, err := d.open(ctx, Object{d.desc.Bucket, r.Key}, header)
	if err != nil {
		return nil, err
	}

	// A range in the last chunk needs no check, because its decryption finds a truncation.
	readsLast := start < end && (end-1)/chunkSize == (size-1)/chunkSize
	if size > 0 && !readsLast {
		if err = d.checkNotTruncated(ctx, r, key, attrs, sealed); err != nil {
			return nil, err
		}
	}

	first := start / chunkSize
	if suffix > 0 {
		// The response may begin before the first chunk.
		surplus := first*sealedChunk - max(0, sealed-suffix)
		if _, err = io.CopyN(io.Discard, body, surplus); err != nil {
			return nil, retryableError(err)
		}
	}

	plain := &openingBody{
		sealed:    body,
		key:       key,
		index:     first,
		remaining: sealed - first*sealedChunk,
		skip:      start % chunkSize,
		want:      end - start,
	}

	// For an empty object, Read returns io.EOF and never decrypts the only chunk. fill decrypts the
	// chunk, and fails if the chunk was changed.
	if size == 0 {
		if err := plain.fill(); err != nil {
			return nil, err
		}
	}
	return plain, nil
}

// List returns a page with the sizes of plain bytes, which it computes from the sizes in the store,
// since listings have no headers. A size that no encrypted object can have stays as it is.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range page.Entries {
		toPlainEntry(&page.Entries[i])
	}
	return page, nil
}

// ListVersions returns a page whose entries have the sizes of the plain objects.
func (d *objectDriver) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	page, err := d.Driver.ListVersions(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range page.Entries {
		toPlainEntry(&page.Entries[i].ListEntry)
	}
	return page, nil
}

// toPlainEntry changes a listing entry to that of the plain object.
func toPlainEntry(e *storage.ListEntry) {
	e.ETag = encryptedETag(e.ETag)
	if size, ok := plainSize(e.Size); ok && !e.IsPrefix {
		e.Size = size
	}
}
