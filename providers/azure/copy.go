package azure

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/revisions"
	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/providers/internal/customerkey"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// maxCopy is the largest source of Copy Blob From URL, in bytes:
// https://learn.microsoft.com/rest/api/storageservices/copy-blob-from-url
const maxCopy = 256 << 20

type copier struct {
	container *blobContainer
	blocks    *blocks

	// Tests set smaller limits, to copy small objects in blocks.
	limit, block int64 // bytes; 0 means the service's limits
}

// Copy makes one Copy Blob From URL request, which is synchronous but can replace only the
// metadata. If other properties change, or if the source is too large, Copy creates the object from
// blocks, which the service copies in parallel.
//
// Put Blob From URL could replace all properties, but copies at most 5,000 MiB, sequentially, and
// within the time limit of a response.
func (d *objectDriver) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	if !d.account.canAuthorizeSource() {
		return nil, storage.Unsupported
	}
	n, err := d.account.nativeWriteOptions(r.Native)
	if err != nil {
		return nil, err
	}
	if err := d.container.checkLocks(ctx, &r.Controls); err != nil {
		return nil, err
	}

	source, err := d.copier.headSource(ctx, r.Source)
	if err != nil {
		return nil, err
	}

	if d.copier.canCopyBlob(r, n, source) {
		attrs, err := d.copier.copyBlob(ctx, r, n, source)
		return attrs, copiedTagsError(err, r.Tags)
	}

	// Otherwise, ranges of the source are copied as blocks.
	ranges, err := d.copier.split(nil, source.Size, r.Source)
	if err != nil {
		return nil, err
	}
	attrs, err := d.copier.copyRanges(ctx, ranges, &driver.PutRequest{
		Key:        r.Key,
		Properties: r.Properties,
		Controls:   r.Controls,
		Native:     r.Native,
		Condition:  r.Condition,
		CRC32C:     source.CRC32C,
		Size:       source.Size,
	})
	return attrs, copiedTagsError(err, r.Tags)
}

// canCopyBlob reports whether Copy Blob From URL can make the object. The request has headers
// neither for customer keys nor for properties other than the metadata, nor for an encryption scope
// before scopeVersion.
func (cp *copier) canCopyBlob(r *driver.CopyRequest, n *nativeOptions, source *storage.Attrs) bool {
	if n.key != nil || customerkey.In(r.Source.Native) != nil {
		return false
	}
	if n.scope != "" && cp.container.account.isBefore(scopeVersion) {
		return false
	}
	if source.Size > cmp.Or(cp.limit, maxCopy) {
		return false
	}
	return revisions.SameHeaders(&source.Properties, &r.Properties)
}

// canAuthorizeSource reports whether this package can authorize the service to read the source of a
// copy. It cannot use the credential that Config.Client contains.
func (a *account) canAuthorizeSource() bool {
	return a.signer != nil || a.token != nil || a.sas != "" || a.requestSAS != nil || a.isAnonymous
}

// headSource returns the attributes of the source at the revision and version to copy. It fails
// with Changed if the source has changed or is missing.
func (cp *copier) headSource(ctx context.Context, source driver.ObjectRef) (*storage.Attrs, error) {
	if source.Attrs != nil {
		return source.Attrs, nil
	}
	b, err := cp.container.account.container(source.Bucket).version(source.Key, source.Version)
	if err != nil {
		return nil, err
	}

	resp, err := send(
		ctx, cp.container.account, b.GetProperties,
		propertiesOptions(storage.Condition{Revision: source.Revision}, source.Native),
	)
	if err != nil {
		storageErr := translate(err)
		switch storageErr.Code {
		case storage.ObjectNotFound, storage.BucketNotFound, storage.PreconditionFailed:
			storageErr.Code = storage.Changed
		}
		return nil, storageErr
	}
	return attrsOfHead(&resp, source.Key)
}

// copyBlob makes one Copy Blob From URL request. The copy has the checksum of the source, because
// it has the same bytes.
func (cp *copier) copyBlob(
	ctx context.Context, r *driver.CopyRequest, n *nativeOptions, source *storage.Attrs,
) (*storage.Attrs, error) {
	address, authorization, err := cp.container.account.authorizeSource(ctx, r.Source)
	if err != nil {
		return nil, err
	}

	opts, err := copyOptions(r, n, source, authorization)
	if err != nil {
		return nil, err
	}

	request := func(ctx context.Context, opts *blob.CopyFromURLOptions) (blob.CopyFromURLResponse, error) {
		return cp.container.blob(r.Key).CopyFromURL(ctx, address, opts)
	}
	resp, err := write(withCopyTimeout(ctx), cp.container.account, request, opts)
	if err != nil {
		return nil, cp.copyError(ctx, err, r.Source, r.Condition)
	}

	attrs := writeAttrs(resp.ETag, resp.LastModified, resp.VersionID)
	attrs.CRC32C = source.CRC32C
	attrs.StorageClass = deref((*string)(opts.Tier))
	// The response tells about the encryption only if an encryption scope was used.
	attrs.Encryption = encryption(new(resp.EncryptionScope != nil), resp.EncryptionScope, nil)
	return attrs, nil
}

// copyOptions returns the options of a Copy Blob From URL request. authorization is the header with
// which the service may read the source, or "".
func copyOptions(
	r *driver.CopyRequest, n *nativeOptions, source *storage.Attrs, authorization string,
) (*blob.CopyFromURLOptions, error) {
	opts := &blob.CopyFromURLOptions{
		BlobTags:                       r.Tags,
		Tier:                           n.accessTier(r.StorageClass),
		CPKScopeInfo:                   n.scopeInfo(),
		LegalHold:                      httpheader.Optional(r.LegalHold),
		ImmutabilityPolicyMode:         policyMode(r.Retention),
		ImmutabilityPolicyExpiry:       httpheader.Optional(r.Retention.Until),
		SourceModifiedAccessConditions: sourceCondition(r.Source.Revision),
		BlobAccessConditions:           conditions(r.Condition),
		CopySourceAuthorization:        httpheader.Optional(authorization),
	}
	if r.Replace {
		opts.Metadata = encodeMetadata(r.Metadata, source.CRC32C, source.Size)
		// Without any metadata, the copy would inherit that of the source.
		if len(opts.Metadata) == 0 {
			opts.Metadata[noMetadataKey] = httpheader.Optional("true")
		}
	}

	if err := n.applyOrFail(opts, "CopyFromURL"); err != nil {
		return nil, err
	}
	return opts, nil
}

// withCopyTimeout extends the time limit of a response that the service sends only after it has
// copied the bytes.
func withCopyTimeout(ctx context.Context) context.Context {
	return transport.WithAnswer(ctx, transport.DefaultAnswer)
}

// codeUnverified is the code if the service may not read the source of a copy. Service versions
// before 2020-10-02 ignore the authorization, and may respond with PublicAccessNotPermitted
// instead.
// https://github.com/Azure/azure-sdk-for-java/issues/24881
const codeUnverified = "CannotVerifyCopySource"

// copyError translates the error of a copy with the condition c. It finds out whether the cause is
// the destination or the source, which may have changed, or which the service may not be permitted
// to read.
func (cp *copier) copyError(ctx context.Context, err error, source driver.ObjectRef, c storage.Condition) error {
	// Some codes name their cause.
	storageErr := asError(err)
	if isCode(storageErr, codeArchived, codeRehydrating) {
		return cp.archivedCopyError(ctx, storageErr, source, c)
	}
	if isCode(storageErr, codeBlockCount) {
		return blockError(storageErr)
	}

	storageErr = asError(writeError(storageErr, c))
	if isCode(storageErr, "TargetConditionNotMet", "BlobAlreadyExists", "ContainerNotFound", "ContainerBeingDeleted") {
		// The destination is the cause.
		return storageErr
	}
	if isCode(storageErr, "SourceConditionNotMet") {
		storageErr.Code = storage.Changed
		return storageErr
	}

	isMissing := isCode(storageErr, "BlobNotFound", "ResourceNotFound")
	isFailedCondition := storageErr.Code == storage.PreconditionFailed
	if isUnverified(storageErr) || isMissing || isFailedCondition {
		return cp.sourceOrDestinationError(ctx, storageErr, source, c)
	}
	if isCode(storageErr, "InvalidBlobType") {
		// The source is not a block blob, so the engine streams it.
		storageErr.Code = storage.Unsupported
		storageErr.Hint = ""
	}
	return storageErr
}

// isUnverified reports whether err says that the service may not read the source of a copy.
func isUnverified(err *storage.Error) bool {
	return isCode(err, codeUnverified, "PublicAccessNotPermitted")
}

// sourceOrDestinationError returns the error for a copy with the condition c, which failed with err. It
// requests the attributes of the source, to find out whether the source or the destination is the
// cause.
func (cp *copier) sourceOrDestinationError(
	ctx context.Context, err *storage.Error, source driver.ObjectRef, c storage.Condition,
) error {
	// headSource must not return the attributes from before the copy.
	source.Attrs = nil
	if _, headErr := cp.headSource(ctx, source); headErr != nil {
		return headErr
	}

	// This process can read the source, which has not changed. So if the source is the cause, only the
	// service cannot read it.
	if isUnverified(err) {
		return sourceUnreadableError(err)
	}
	if err.Code == storage.PreconditionFailed && c == (storage.Condition{}) {
		// Without a condition c, only the condition of the request on the source can have failed.
		return sourceUnreadableError(err)
	}
	return err
}

// archivedCopyError returns the error for a copy that failed with storageErr because an object is
// archived. It requests the properties of the source, to find out whether that is the source or the
// destination.
func (cp *copier) archivedCopyError(
	ctx context.Context, storageErr *storage.Error, source driver.ObjectRef, c storage.Condition,
) error {
	srcContainer := cp.container.account.container(source.Bucket)
	_, props, err := srcContainer.properties(ctx, source.Key, source.Version, storage.Condition{}, source.Native)
	if err != nil {
		// It is unknown whether the source is archived, so the error stays as it is.
		return storageErr
	}
	isSourceArchived := strings.EqualFold(deref(props.AccessTier), string(blob.AccessTierArchive))
	if isSourceArchived {
		return storageErr
	}
	// The destination is archived, so the write itself has failed.
	return writeError(storageErr, c)
}

// sourceUnreadableError changes err to the error for a source that this process can read but the service
// cannot. It is Unavailable if the cause is temporary, and otherwise Unsupported.
func sourceUnreadableError(err *storage.Error) error {
	err.Hint = ""
	err.Unknown = false
	isTemporary := err.Status >= http.StatusInternalServerError || err.Status == http.StatusTooManyRequests
	if isTemporary {
		err.Code = storage.Unavailable
		err.Retryable = true
		return err
	}

	// After Unsupported, the engine reads and uploads the bytes itself.
	err.Code = storage.Unsupported
	err.Retryable = false
	return err
}
