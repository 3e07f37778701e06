package azure

import (
	"context"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// tagsVersion is the first service version with blob index tags. An older service version would
// ignore tags.
const tagsVersion = "2019-12-12"

// versionsVersion is the first service version with versions of blobs. An older service version
// refuses listings with versions.
const versionsVersion = tagsVersion

// tagsHint names the permissions of tags, which the role Storage Blob Data Contributor lacks.
const tagsHint = "tags need the role Storage Blob Data Owner, or the permission t of a shared access signature"

// Tags reads the tags of a blob with one Get Blob Tags request. For a copy, it omits the verdict of
// a malware scanner, which is only about the scanned blob.
func (d *objectDriver) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	if err := checkName(r.Key, r.Version); err != nil {
		return nil, err
	}
	opts := &blob.GetTagsOptions{VersionID: httpheader.Optional(r.Version)}
	if err := newNativeOptions(r.Native).applyOrFail(opts, "GetTags"); err != nil {
		return nil, err
	}
	resp, err := send(ctx, d.account, d.container.blob(r.Key).GetTags, opts)
	if err != nil {
		return nil, tagsError(d.container.readError(ctx, err, r))
	}

	isForCopy := r.Auxiliary
	tags := make(map[string]string, len(resp.BlobTagSet))
	for _, tag := range resp.BlobTagSet {
		if tag == nil {
			continue
		}
		if isForCopy && isVerdict(deref(tag.Key)) {
			continue
		}
		tags[deref(tag.Key)] = deref(tag.Value)
	}
	return tags, nil
}

// isVerdict reports whether Microsoft Defender for Storage sets the tag with this key, such as
// "Malware Scanning scan result" and "Malware Scanning scan time UTC". Defender sets
// these tags after every upload.
// https://learn.microsoft.com/azure/defender-for-cloud/introduction-malware-scanning
// https://github.com/Azure/Microsoft-Defender-for-Cloud/issues/900
func isVerdict(key string) bool {
	return strings.HasPrefix(strings.ToLower(key), "malware scanning scan ")
}

// tagsError adds a hint to the error if the credential may not read or set tags.
func tagsError(err error) error {
	if storage.CodeOf(err) == storage.PermissionDenied {
		return sdkerror.WithHint(err, tagsHint)
	}
	return err
}

// copiedTagsHint is the hint for a copy with tags that is denied. The credential could read the tags
// of the source, but may lack the permission to write tags.
const copiedTagsHint = "the copy has tags: to write them, the credential needs the role Storage Blob Data Owner, or the permission t of a shared access signature; WithTags(nil) copies without tags"

// copiedTagsError adds a hint to the error if the credential may not set the tags of a copy.
func copiedTagsError(err error, tags map[string]string) error {
	if len(tags) > 0 && isCode(err, "AuthorizationPermissionMismatch") {
		return sdkerror.WithHint(err, copiedTagsHint)
	}
	return err
}

// SetTags replaces all tags of a blob, with one Set Blob Tags request.
func (d *objectDriver) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	if err := checkName(r.Key, r.Version); err != nil {
		return err
	}
	opts := &blob.SetTagsOptions{VersionID: httpheader.Optional(r.Version)}
	if err := newNativeOptions(r.Native).applyOrFail(opts, "SetTags"); err != nil {
		return err
	}
	request := func(ctx context.Context, opts *blob.SetTagsOptions) (blob.SetTagsResponse, error) {
		return d.container.blob(r.Key).SetTags(ctx, r.Tags, opts)
	}
	_, err := write(ctx, d.account, request, opts)
	return tagsError(d.container.changeError(ctx, err))
}

// changeError translates the error of a change of a blob. It returns nil if err is nil.
func (bc *blobContainer) changeError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return bc.notFound(ctx, asError(err))
}
