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
	header, err := d.toPlain(attrs)
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
func (d *objectDriver) toPlain(attrs *storage.Attrs) (header string, err error) {
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
	// The store has the checksums of the encrypted bytes.
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
	// Read the encrypted chunks that contain the range.
	chunks := *r
	if !sealRange(&chunks) {
		return nil, nil, storage.RangeNotSatisfiable
	}
	attrs, body, err := d.Driver.Get(ctx, &chunks)

	// A plain object is smaller than an encrypted one, so it may end before these chunks. If the object is encrypted,
	// the store was right.
	if errors.Is(err, storage.RangeNotSatisfiable) && d.layer.config.AllowPlain {
		return d.getPlain(ctx, r, storage.RangeNotSatisfiable)
	}
	if err != nil {
		return nil, nil, err
	}

	storedSize := attrs.Size
	header, err := d.toPlain(attrs) // this makes attrs.Size the plain size
	if err != nil {
		_ = body.Close()
		return nil, nil, err
	}

	isPlain := header == ""
	// For a request such as that of the whole object, the range of chunks is the range that the caller wants.
	if isPlain && isSameRange(&chunks, r) {
		return attrs, body, nil
	}
	if isPlain {
		_ = body.Close()
		// If the object is encrypted now, it was replaced, and a later attempt may succeed.
		return d.getPlain(ctx, r, storage.Unavailable)
	}

	resp := sealedResponse{
		attrs:      attrs,
		header:     header,
		storedSize: storedSize,
		suffix:     chunks.Suffix,
		body:       body,
	}
	plain, err := d.decrypt(ctx, r, &resp)
	if err != nil {
		_ = body.Close()
		return nil, nil, err
	}
	return attrs, plain, nil
}

// isSameRange reports whether two requests ask for the same bytes of an object.
func isSameRange(r1, r2 *driver.GetRequest) bool {
	return r1.Offset == r2.Offset && r1.Length == r2.Length && r1.Suffix == r2.Suffix
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

// maxPlain is the size of the largest possible object, in plain bytes.
const maxPlain = math.MaxInt64 / sealedChunk * chunkSize

// sealRange turns the range of plain bytes in r into the range of the encrypted chunks that hold them.
// It returns false if the range begins after the end of the largest possible object.
func sealRange(r *driver.GetRequest) bool {
	if r.Suffix > 0 {
		r.Suffix = sealSuffix(r.Suffix)
		return true
	}
	if r.Offset >= maxPlain {
		return false
	}
	r.Length = sealLength(r.Offset, r.Length)
	r.Offset = r.Offset / chunkSize * sealedChunk
	return true
}

// sealSuffix returns how many bytes to request from the end of an encrypted object, so that they have
// all chunks of its last n plain bytes. They may have bytes of an earlier chunk, too.
func sealSuffix(n int64) int64 {
	// So many bytes are more than any object has. A larger number could overflow.
	if n >= maxPlain-sealedChunk {
		return n
	}

	// The size of the object is unknown, so the n bytes may begin with the last byte of a chunk.
	const maxBefore = chunkSize - 1
	maxChunks := (n+chunkSize-1)/chunkSize + 1
	return maxBefore + n + maxChunks*tagSize
}

// sealLength returns the length of the chunks that hold the given range of plain bytes. As in a
// [driver.GetRequest], the length 0 means no bytes, and -1 means all bytes to the end.
func sealLength(offset, length int64) int64 {
	if length == 0 {
		return 0
	}
	endsWithObject := length < 0 || length >= maxPlain-offset
	if endsWithObject {
		return -1
	}
	first := offset / chunkSize
	last := (offset + length - 1) / chunkSize
	return (last - first + 1) * sealedChunk
}

// A sealedResponse is the store's response to a request for encrypted chunks.
type sealedResponse struct {
	attrs      *storage.Attrs // attributes of the object, with its plain size
	header     string         // header of the object
	storedSize int64          // size of the object in the store
	suffix     int64          // number of bytes that were requested from the end of the object, or 0
	body       io.ReadCloser
}

// decrypt returns the plain bytes of the range in r from the store's response.
//
// If the range ends before the last chunk, decrypt first checks that the object was not truncated.
func (d *objectDriver) decrypt(
	ctx context.Context, r *driver.GetRequest, resp *sealedResponse,
) (io.ReadCloser, error) {
	size := resp.attrs.Size // in plain bytes
	start, end, err := r.Span(size)
	if err != nil {
		return nil, err
	}

	key, err := d.open(ctx, Object{d.desc.Bucket, r.Key}, resp.header)
	if err != nil {
		return nil, err
	}

	// A range in the last chunk needs no check, because its decryption finds a truncation.
	lastChunk := (size - 1) / chunkSize
	readsLastChunk := start < end && (end-1)/chunkSize == lastChunk
	if size > 0 && !readsLastChunk {
		if err := d.checkNotTruncated(ctx, r, key, resp.attrs, resp.storedSize); err != nil {
			return nil, err
		}
	}

	// Begin with the chunk that has the first byte of the range.
	firstChunk := start / chunkSize
	chunkOffset := firstChunk * sealedChunk
	if err := resp.skipTo(chunkOffset); err != nil {
		return nil, err
	}
	plain := &openingBody{
		sealed:    resp.body,
		key:       key,
		index:     firstChunk,
		remaining: resp.storedSize - chunkOffset,
		skip:      start % chunkSize,
		want:      end - start,
	}

	// An empty object has one chunk, which Read never decrypts, because it has no bytes to return. fill
	// checks that the store did not change that chunk.
	if size == 0 {
		if err := plain.fill(); err != nil {
			return nil, err
		}
	}
	return plain, nil
}

// skipTo discards the bytes of the body before offset, an offset in the stored object. Only the response to a request
// for a suffix may have such bytes, because sealSuffix did not know the size of the object.
func (resp *sealedResponse) skipTo(offset int64) error {
	if resp.suffix <= 0 {
		return nil
	}
	bodyOffset := max(0, resp.storedSize-resp.suffix)
	if _, err := io.CopyN(io.Discard, resp.body, offset-bodyOffset); err != nil {
		return retryableError(err)
	}
	return nil
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
