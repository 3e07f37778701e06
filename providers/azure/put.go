package azure

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/minio/crc64nvme"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/providers/internal/bodyhash"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// Put makes one Put Blob request, after checkLocks. The service verifies the body by the CRC64 in a
// header, and stores the object's CRC32C in the metadata.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	opts, err := d.uploadOptions(r)
	if err != nil {
		return nil, err
	}
	if err := d.container.checkLocks(ctx, &r.Controls); err != nil {
		return nil, err
	}
	body, crc64, err := withCRC64(ctx, r.Body, r.CRC32C)
	if err != nil {
		return nil, err
	}
	opts.TransactionalValidation = blob.TransferValidationTypeCRC64(crc64)

	request := func(ctx context.Context, opts *blockblob.UploadOptions) (blockblob.UploadResponse, error) {
		return d.container.blob(r.Key).Upload(ctx, body, opts)
	}
	resp, err := write(ctx, d.account, request, opts)
	if err != nil {
		return nil, writeError(err, r.Condition)
	}

	attrs := writeAttrs(resp.ETag, resp.LastModified, resp.VersionID)
	// Since 2019-02-02, Azure returns an MD5 only if the request had one. The emulator always returns
	// it.
	attrs.MD5 = resp.ContentMD5
	attrs.StorageClass = deref((*string)(opts.Tier))
	attrs.Encryption = encryption(resp.IsServerEncrypted, resp.EncryptionScope, resp.EncryptionKeySHA256)
	return attrs, nil
}

// uploadOptions returns the options of Put Blob, without the checksum.
func (d *objectDriver) uploadOptions(r *driver.PutRequest) (*blockblob.UploadOptions, error) {
	n, err := d.account.nativeWriteOptions(r.Native)
	if err != nil {
		return nil, err
	}
	opts := &blockblob.UploadOptions{
		HTTPHeaders:                  httpHeaders(&r.Properties),
		Metadata:                     encodeMetadata(r.Metadata, r.CRC32C, r.Size),
		Tags:                         r.Tags,
		Tier:                         n.accessTier(r.StorageClass),
		CPKInfo:                      n.keyInfo(),
		CPKScopeInfo:                 n.scopeInfo(),
		AccessConditions:             conditions(r.Condition),
		LegalHold:                    httpheader.Optional(r.LegalHold),
		ImmutabilityPolicyMode:       policyMode(r.Retention),
		ImmutabilityPolicyExpiryTime: httpheader.Optional(r.Retention.Until),
	}
	if err := n.applyOrFail(opts, "Upload"); err != nil {
		return nil, err
	}
	return opts, nil
}

// withCRC64 reads the body and returns it for the SDK, with its CRC64, which must be sent before
// the bytes. It fails with ChecksumMismatch, and nothing is sent, if the body does not match crc.
func withCRC64(ctx context.Context, body io.Reader, crc storage.CRC32C) (io.ReadSeekCloser, uint64, error) {
	seeker, ok := body.(io.ReadSeeker)
	if !ok {
		// The engine passes an io.ReadSeeker, so this is an error in the engine.
		return nil, 0, storage.Unsupported
	}

	// Read the body once for both checksums. bodyhash.Read then seeks to its start.
	var sum uint64
	var crc32 uint32
	err := bodyhash.Read(ctx, seeker, body, func(p []byte) {
		sum = crc64nvme.Update(sum, p)
		crc32 = crc32c.Update(crc32, p)
	})
	if err != nil {
		return nil, 0, err
	}
	if crc.Known && crc.Sum != crc32 {
		return nil, 0, &storage.Error{
			Code: storage.ChecksumMismatch,
			Err:  fmt.Errorf("CRC32C is %08x and should be %s", crc32, crc),
		}
	}
	return streaming.NopCloser(seeker), sum, nil
}

// writeError translates the error of a write. It is PreconditionFailed if the object of an update
// is missing, or if an object exists that must not be overwritten. Any other 404 means that the
// container is missing.
func writeError(err error, c storage.Condition) error {
	storageErr := asError(err)
	if c.Absent && isCode(storageErr, codesOfExisting...) {
		storageErr.Code = storage.PreconditionFailed
		storageErr.Hint = ""
		return storageErr
	}
	if isCode(storageErr, codeArchived, codeRehydrating) {
		// The usual hint is about reading an archived object.
		storageErr.Hint = overwriteHint
		return storageErr
	}

	isMissing := storageErr.Status == http.StatusNotFound && storageErr.Code == storage.ObjectNotFound
	isUpdate := c.Revision != ""
	if isMissing && isUpdate {
		storageErr.Code = storage.PreconditionFailed
		storageErr.Hint = ""
		return storageErr
	}
	if isMissing {
		storageErr.Code = storage.BucketNotFound
	}
	return storageErr
}

// codesOfExisting are the codes with which the service refuses a write because of the object that
// exists. With any of them, the condition that no object exists has failed.
var codesOfExisting = []string{
	"UnauthorizedBlobOverwrite",
	"BlobImmutableDueToLegalHold",
	"LeaseIdMissing",
	codeImmutable,
	codeArchived,
	codeRehydrating,
}
