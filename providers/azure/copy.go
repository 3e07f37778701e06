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

// Copy makes one Copy Blob From URL request, which is synchronous. That request can replace only
// the metadata. If other properties change, or if the source is too large, Copy creates the object
// from blocks, which the service copies in parallel. Put Blob From URL could replace all
// properties. But it copies at most 5,000 MiB, sequentially, and within the time limit of a
// response.
func (d *objectDriver) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	if !d.account.canAuthorizeSource() {
		return nil, storage.Unsupported
	}
	n, err := d.account.writeNatives(r.Native)
	if err == nil {
		err = d.container.checkLocks(ctx, &r.Controls)
	}
	if err != nil {
		return nil, err
	}

	source, err := d.copier.headSource(ctx, r.Source)
	if err != nil {
		return nil, err
	}

	// Copy Blob From URL has no headers for customer keys. Before scopeVersion, it has no header for an
	// encryption scope.
	inBlocks := n.key != nil || customerkey.In(r.Source.Native) != nil ||
		n.scope != "" && d.account.isBefore(scopeVersion)
	if !inBlocks && source.Size <= cmp.Or(d.copier.limit, maxCopy) &&
		revisions.SameHeaders(&source.Properties, &r.Properties) {
		attrs, err := d.copier.copyBlob(ctx, r, n, source)
		return attrs, copiedTagsError(err, r.Tags)
	}

	// Copy ranges of the source as blocks.
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

// canAuthorizeSource reports whether this package can authorize the service to read the source of a
// copy. It cannot use the credential that Config.Client contains.
func (a *account) canAuthorizeSource() bool {
	return a.signer != nil || a.token != nil || a.sas != "" || a.requestSAS != nil || a.anonymous
}

// headSource returns the attributes of the source at the revision and version to copy. If the
// source has changed or is missing, headSource returns Changed.
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
		e := translate(err)
		if e.Code == storage.ObjectNotFound || e.Code == storage.BucketNotFound || e.Code == storage.PreconditionFailed {
			e.Code = storage.Changed
		}
		return nil, e
	}
	return attrsOfHead(&resp, source.Key)
}

func (cp *copier) copyBlob(
	ctx context.Context, r *driver.CopyRequest, n *natives, source *storage.Attrs,
) (*storage.Attrs, error) {
	address, authorization, err := cp.container.account.authorizeSource(ctx, r.Source)
	if err != nil {
		return nil, err
	}

	o := &blob.CopyFromURLOptions{
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
		o.Metadata = encodeMetadata(r.Metadata, source.CRC32C, source.Size)
		if len(o.Metadata) == 0 {
			o.Metadata[noMetadataKey] = httpheader.Optional("true")
		}
	}
	if err := mustApply(n, o, "CopyFromURL", func(f Options) func(*blob.CopyFromURLOptions) { return f.CopyFromURL }); err != nil {
		return nil, err
	}

	resp, err := write(
		withCopyTimeout(ctx), cp.container.account,
		func(ctx context.Context, o *blob.CopyFromURLOptions) (blob.CopyFromURLResponse, error) {
			return cp.container.blob(r.Key).CopyFromURL(ctx, address, o)
		},
		o,
	)
	if err != nil {
		return nil, cp.copyError(ctx, err, r.Source, r.Condition)
	}

	attrs := writeAttrs(resp.ETag, resp.LastModified, resp.VersionID)
	attrs.CRC32C = source.CRC32C
	attrs.StorageClass = deref((*string)(o.Tier))
	// The response tells about the encryption only if an encryption scope was used.
	attrs.Encryption = encryption(new(resp.EncryptionScope != nil), resp.EncryptionScope, nil)
	return attrs, nil
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

// copyError returns the error for a failed copy. It finds out whether the source or the destination
// is the cause. The source may have changed, or the service may not be permitted to read it.
func (cp *copier) copyError(ctx context.Context, err error, source driver.ObjectRef, c storage.Condition) error {
	e := asError(err)
	if isCode(e, codeArchived, codeRehydrating) {
		return cp.archivedCopyError(ctx, e, source, c)
	}
	if isCode(e, codeBlockCount) {
		return blockError(e)
	}

	e = asError(writeError(e, c))
	switch {
	case isCode(e, "SourceConditionNotMet"):
		e.Code = storage.Changed
	case isCode(e, "TargetConditionNotMet", "BlobAlreadyExists", "ContainerNotFound", "ContainerBeingDeleted"):
	case isCode(e, codeUnverified, "PublicAccessNotPermitted", "BlobNotFound", "ResourceNotFound") ||
		e.Code == storage.PreconditionFailed:
		// headSource must not return the attributes from before the copy.
		source.Attrs = nil
		if _, headErr := cp.headSource(ctx, source); headErr != nil {
			return headErr
		}
		if isCode(e, codeUnverified, "PublicAccessNotPermitted") ||
			e.Code == storage.PreconditionFailed && c == (storage.Condition{}) {
			// headSource found the source unchanged.
			return sourceUnreadableError(e)
		}
	case isCode(e, "InvalidBlobType"):
		// The source is not a block blob, so the engine streams it.
		e.Code = storage.Unsupported
		e.Hint = ""
	}
	return e
}

// archivedCopyError determines which object is archived: the source, or the object that the copy
// would overwrite.
func (cp *copier) archivedCopyError(
	ctx context.Context, e *storage.Error, source driver.ObjectRef, c storage.Condition,
) error {
	_, props, err := cp.container.account.container(source.Bucket).
		properties(ctx, source.Key, source.Version, storage.Condition{}, source.Native)
	if err == nil && !strings.EqualFold(deref(props.AccessTier), string(blob.AccessTierArchive)) {
		return writeError(e, c)
	}
	return e
}

// sourceUnreadableError returns the error for a source that this process can read
// and the service cannot.
func sourceUnreadableError(e *storage.Error) error {
	e.Hint = ""
	e.Unknown = false
	if e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests {
		e.Code = storage.Unavailable
		e.Retryable = true
	} else {
		// The engine then reads and uploads the bytes itself.
		e.Code = storage.Unsupported
		e.Retryable = false
	}
	return e
}
