package encrypt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

const (
	maxMetadataBytes = 2048 // bytes of names and values together; S3 permits no more
	writeIDName      = "omnibucketwriteid"
	writeIDSize      = 32
)

var errNotEncrypted = errors.New("the object is not encrypted")

// Put encrypts the body while the store reads it. Each attempt has a new data key, so that no key
// encrypts two bodies.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	key, err := d.newDataKey(ctx, r.Key)
	if err != nil {
		return nil, err
	}

	req := *r
	req.Metadata, err = withHeader(r.Metadata, key.header)
	if err != nil {
		return nil, err
	}

	// Both checksums may become known only while the store reads the body, so the body has pointers to
	// them: the caller sets that of the plain bytes, and the body sets that of the encrypted bytes.
	req.CRC32C = storage.CRC32C{}
	body := &sealingBody{
		plain:    r.Body,
		key:      key,
		size:     r.Size,
		final:    true,
		plainSum: &r.CRC32C,
		sum:      &req.CRC32C,
	}
	req.Body = body.asReader()
	req.Size = sealedSize(r.Size)

	// If the driver below needs the checksum before the bytes, compute it now.
	if err := d.prepare(body, d.desc.ChecksumWhileSending); err != nil {
		return nil, err
	}

	attrs, err := d.Driver.Put(ctx, &req)
	if err != nil {
		return nil, err
	}
	d.rememberSize(key.header, req.Size)
	return plainResult(attrs, req.CRC32C)
}

// withHeader returns a copy of metadata with the header of an object. It fails if the copy is too
// large, or if there is another header already.
func withHeader(metadata map[string]string, header string) (map[string]string, error) {
	if existing := metadata[headerName]; existing != "" && existing != header {
		return nil, invalid("", "the object is encrypted by another layer encrypt already",
			"use one layer, with several recipients")
	}

	// The engine may add its write id, so the size always includes one.
	size := len(headerName) + len(header) + len(writeIDName) + writeIDSize

	// Copy the metadata, and count their bytes.
	result := make(map[string]string, len(metadata)+1)
	for name, value := range metadata {
		if name != writeIDName {
			size += len(name) + len(value)
		}
		result[name] = value
	}
	result[headerName] = header

	if size > maxMetadataBytes {
		return nil, invalid(
			"",
			fmt.Sprintf("metadata takes %d bytes with the header of the encrypted object, and may take %d",
				size, maxMetadataBytes),
			"WithMetadata must leave room for the header: about 300 bytes for an X25519 key, "+
				"600 for one of Azure Key Vault, 1,760 for a hybrid one",
		)
	}
	return result, nil
}

// prepare computes the checksum of a body before the body is sent, if it is needed then. If driverHashes is true, the
// driver below computes the checksum itself.
func (d *objectDriver) prepare(body *sealingBody, driverHashes bool) error {
	if body.size < 0 {
		// A body of unknown size has its checksum only at the end.
		return nil
	}

	// With StreamingPut, the driver can send the checksum after the body. With SequentialParts, CompleteParts needs the
	// checksum of the last part before that part is sent.
	canSendLater := d.desc.Features&driver.StreamingPut != 0
	hasSequentialParts := d.desc.Features&driver.SequentialParts != 0
	isNeeded := hasSequentialParts || !driverHashes && !canSendLater
	if !isNeeded {
		return nil
	}
	return body.hash()
}

// plainResult turns the attributes that a write returned into those of the plain object. It fails if
// the store reports another checksum than sum, which is that of the encrypted bytes.
func plainResult(attrs *storage.Attrs, sum storage.CRC32C) (*storage.Attrs, error) {
	if attrs.CRC32C.Known && sum.Known && attrs.CRC32C != sum {
		return nil, errDamaged("the store has received other bytes than were sent")
	}
	clone := *attrs
	clone.CRC32C = storage.CRC32C{}
	clone.MD5 = nil
	clone.ETag = encryptedETag(clone.ETag)
	return &clone, nil
}

// BeginParts begins an upload whose name contains the header, so that any process with the keys can
// send its parts.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	key, err := d.newDataKey(ctx, r.Key)
	if err != nil {
		return "", err
	}
	req := *r
	req.Metadata, err = withHeader(r.Metadata, key.header)
	if err != nil {
		return "", err
	}
	req.Size = sealedSize(r.Size)
	req.CRC32C = storage.CRC32C{}
	nextUpload, err := d.Driver.BeginParts(ctx, &req)
	if err != nil {
		return "", err
	}
	upload := key.header + "\n" + nextUpload
	d.begun.Store(upload, key)
	return upload, nil
}

// uploadOf returns the data key of an upload, and its name in the driver below. It fails with
// ObjectNotFound if the upload was begun without the layer.
func (d *objectDriver) uploadOf(ctx context.Context, key, upload string) (*dataKey, string, error) {
	header, nextUpload, ok := strings.Cut(upload, "\n")
	if !ok {
		// BeginParts puts the header into the name of each upload.
		return nil, "", storage.ObjectNotFound
	}

	if k, hasBegunIt := d.begun.Load(upload); hasBegunIt {
		return k.(*dataKey), nextUpload, nil
	}

	k, err := d.open(ctx, Object{d.desc.Bucket, key}, header)
	if errors.Is(err, errOtherKeys) {
		return nil, "", &storage.Error{
			Code:      storage.Unavailable,
			Status:    http.StatusConflict,
			Retryable: true,
			Err:       errOtherKeys,
			Hint:      "make the same call again: it starts over, because the upload was begun with other keys",
		}
	}
	if err != nil {
		return nil, "", err
	}
	return k, nextUpload, nil
}

// sealPart returns the request that sends a part encrypted to the driver below. All parts but the last
// must consist of whole chunks.
func (d *objectDriver) sealPart(key *dataKey, upload string, r *driver.PartRequest) (*driver.PartRequest, error) {
	if err := checkNonces(r); err != nil {
		return nil, err
	}
	firstChunk := r.Offset / chunkSize

	req := *r
	req.Upload = upload
	req.Size = sealedSize(r.Size)
	req.CRC32C = storage.CRC32C{}
	req.Offset = firstChunk * sealedChunk

	// Only the last part may have a chunk that is not full.
	isLastPart := r.Final || r.Size%chunkSize != 0 || r.Size == 0
	body := &sealingBody{
		plain:    r.Body,
		key:      key,
		first:    firstChunk,
		size:     r.Size,
		final:    isLastPart,
		plainSum: &r.CRC32C,
		sum:      &req.CRC32C,
		sent:     key.recordOfPart(r.Number),
	}
	req.Body = body.asReader().(io.ReadSeeker)
	return &req, d.prepare(body, d.desc.ChecksumWhileSending || d.desc.PartChecksumWhileSending)
}

// checkNonces fails if the chunks of a part cannot have nonces of their own. A nonce is made from the
// place of the chunk in the object, and no two chunks may have the same.
func checkNonces(r *driver.PartRequest) error {
	// Parts that may come in any order have no offsets.
	if r.AnyOrder {
		return storage.Unsupported
	}
	repeatsFirst := r.Offset == 0 && r.Number > 1
	if repeatsFirst || r.Offset%chunkSize != 0 {
		return invalid("", "the offset of a part must be a multiple of 64 KiB, and 0 only for the first part", "")
	}
	return nil
}

// PutPart encrypts a part. The Tag of the result begins with the checksum of the encrypted bytes, which
// CompleteParts needs.
func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	key, upload, err := d.uploadOf(ctx, r.Key, r.Upload)
	if err != nil {
		return driver.Part{}, err
	}
	req, err := d.sealPart(key, upload, r)
	if err != nil {
		return driver.Part{}, err
	}
	part, err := d.Driver.PutPart(ctx, req)
	if err != nil {
		return driver.Part{}, err
	}
	if part.CRC32C.Known && part.CRC32C != req.CRC32C {
		return driver.Part{}, errDamaged("the store has received other bytes than were sent")
	}
	key.forgetPart(r.Number)
	return driver.Part{Number: r.Number, Tag: req.CRC32C.String() + " " + part.Tag, ETag: part.ETag, Size: r.Size}, nil
}

// CompleteParts makes an object of the encrypted parts, and stores the header, from which readers
// get the data key, in its metadata.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	key, upload, err := d.uploadOf(ctx, r.Put.Key, r.Upload)
	if err != nil {
		return nil, err
	}

	req := *r
	put := *r.Put
	req.Upload = upload
	req.Put = &put

	put.Metadata, err = withHeader(r.Put.Metadata, key.header)
	if err != nil {
		return nil, err
	}

	// The size and checksum of the object are those of its encrypted parts.
	put.Size = 0
	put.CRC32C = storage.CRC32C{Sum: 0, Known: true}
	req.Parts = make([]driver.Part, len(r.Parts))
	for i, part := range r.Parts {
		sealed, err := sealedPart(part)
		if err != nil {
			return nil, err
		}
		req.Parts[i] = sealed
		put.Size += sealed.Size
		put.CRC32C = driver.JoinCRC32C(put.CRC32C, sealed.CRC32C, sealed.Size)
	}

	// The last part comes with this request, so it is not encrypted yet.
	if r.Last != nil {
		req.Last, err = d.sealPart(key, upload, r.Last)
		if err != nil {
			return nil, err
		}
		put.Size += req.Last.Size
		put.CRC32C = driver.JoinCRC32C(put.CRC32C, req.Last.CRC32C, req.Last.Size)
	}

	attrs, err := d.Driver.CompleteParts(ctx, &req)
	if err != nil {
		return nil, err
	}

	// The upload has ended, so its data key need not be remembered.
	d.begun.Delete(r.Upload)
	d.rememberSize(key.header, put.Size)
	return plainResult(attrs, put.CRC32C)
}

// sealedPart turns a part that PutPart has returned into the encrypted part of the driver below. It
// fails with ObjectNotFound if the part was sent without the layer.
func sealedPart(part driver.Part) (driver.Part, error) {
	sum, tag, _ := strings.Cut(part.Tag, " ")
	crc, err := strconv.ParseUint(sum, 16, 32)
	if err != nil {
		// The tag has no checksum.
		return driver.Part{}, storage.ObjectNotFound
	}
	part.Tag = tag
	part.Size = sealedSize(part.Size)
	part.CRC32C = storage.CRC32C{Sum: uint32(crc), Known: true}
	return part, nil
}

// AbortParts aborts an upload by its name from BeginParts, which begins with a header, or from
// ListUploads, which does not.
func (d *objectDriver) AbortParts(ctx context.Context, key, upload string) error {
	d.begun.Delete(upload)
	if _, nextUpload, ok := strings.Cut(upload, "\n"); ok {
		upload = nextUpload
	}
	return d.Driver.AbortParts(ctx, key, upload)
}

// Locate returns a reference that only drivers with the same layer can copy from.
func (d *objectDriver) Locate(key string) driver.ObjectRef {
	ref := d.Driver.Locate(key)
	if ref.Account != nil {
		ref.Account = account{ref.Account, d.layer}
	}
	return ref
}

// Copy copies the encrypted bytes inside the store, and gives the copy a new header, which has the
// data key encrypted for the current keys and the copy's name.
func (d *objectDriver) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	src, hasLayer := r.Source.Account.(account)
	isEncrypted := r.Source.Attrs != nil && r.Source.Attrs.Metadata[headerName] != ""
	if !hasLayer || !isEncrypted {
		// The engine then copies through the layer.
		return nil, storage.Unsupported
	}

	// Decrypt the data key of the source, and encrypt it for the copy.
	key, err := d.open(ctx, Object{r.Source.Bucket, r.Source.Key}, r.Source.Attrs.Metadata[headerName])
	if err != nil {
		return nil, err
	}
	header, err := d.layer.header(ctx, key, Object{d.desc.Bucket, r.Key})
	if err != nil {
		return nil, err
	}
	metadata, err := withHeader(r.Metadata, header)
	if err != nil {
		return nil, err
	}

	// The driver below knows the source by its size in the store.
	sealed := *r.Source.Attrs
	sealed.Size = sealedSize(sealed.Size)
	sealed.Metadata = maps.Clone(sealed.Metadata)

	req := *r
	req.Source.Account = src.below
	req.Source.Attrs = &sealed
	req.Metadata = metadata
	// The new header makes the metadata differ from those of the source.
	req.Replace = true

	attrs, err := d.Driver.Copy(ctx, &req)
	if err != nil {
		return nil, err
	}
	// No bytes passed through this process, so it knows no checksum to compare.
	unknownSum := storage.CRC32C{}
	return plainResult(attrs, unknownSum)
}

// The engine does not call Compose and the methods below, because their features are withheld.
func (d *objectDriver) Compose(context.Context, *driver.ComposeRequest) (*storage.Attrs, error) {
	return nil, storage.Unsupported
}

func (d *objectDriver) ListParts(context.Context, *driver.ListPartsRequest) (*driver.PartPage, error) {
	return nil, storage.Unsupported
}

func (d *objectDriver) Sign(context.Context, *driver.SignRequest) (*storage.SignedURL, error) {
	return nil, storage.Unsupported
}

func (d *objectDriver) SignForm(context.Context, *driver.SignRequest) (*storage.SignedForm, error) {
	return nil, storage.Unsupported
}

func (d *objectDriver) SignPart(context.Context, *driver.SignPartRequest) (*storage.SignedURL, error) {
	return nil, storage.Unsupported
}

func (d *objectDriver) Vend(context.Context, *driver.VendRequest) (*storage.VendedCredentials, error) {
	return nil, storage.Unsupported
}
