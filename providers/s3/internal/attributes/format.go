// Package attributes translates the attributes of objects between this library and the inputs, outputs and
// headers of S3: properties, checksums, tags, locks and encryption. Start at [Format], which reads the
// attributes in a response.
package attributes

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
)

// A Format says how a server represents the attributes of objects.
type Format struct {
	EscapeUnderscores bool // names of metadata have "-x005f-" in place of "_"
	Archives          bool // objects can be archived, and are restored by RestoreObject
}

// MaxSuffix is a number of bytes that is larger than any object, and that every server can parse.
const MaxSuffix = 1 << 50

// Of returns the attributes in an output of GetObject for the whole object.
func (f Format) Of(output *awss3.GetObjectOutput, key string) *storage.Attrs {
	restore := RestoreState(output.Restore)
	return &storage.Attrs{
		Key:  key,
		Size: aws.ToInt64(output.ContentLength),
		Properties: storage.Properties{
			ContentType:        aws.ToString(output.ContentType),
			ContentEncoding:    contentEncoding(output.ContentEncoding),
			ContentDisposition: aws.ToString(output.ContentDisposition),
			ContentLanguage:    aws.ToString(output.ContentLanguage),
			CacheControl:       aws.ToString(output.CacheControl),
			Metadata:           f.renameKeys(output.Metadata, underscoreEscape.Unescape),
			StorageClass:       httpheader.StorageClass(string(output.StorageClass)),
		},
		ETag:     ETag(output.ETag),
		Revision: ETag(output.ETag),
		Version:  versionID(output.VersionId),
		Modified: WholeSeconds(output.LastModified),
		CRC32C:   CRC32C(output.ChecksumCRC32C, output.ChecksumType),
		TagCount: int(aws.ToInt32(output.TagCount)),

		Retention: retentionOf(output),
		Archived:  restore.Until.IsZero() && f.isArchivedClass(output),
		Restore:   restore,
		LegalHold: output.ObjectLockLegalHoldStatus == types.ObjectLockLegalHoldStatusOn,

		Encryption:        Encryption(output.ServerSideEncryption, output.SSEKMSKeyId, output.SSECustomerAlgorithm, output.SSECustomerKeyMD5),
		ReplicationStatus: string(output.ReplicationStatus),
	}
}

// OfRange returns the attributes of the whole object from the response to a GET, which may be for a
// range. Then Content-Range has the object's size, and Content-Length only that of the range.
func (f Format) OfRange(output *awss3.GetObjectOutput, r *driver.GetRequest) (*storage.Attrs, error) {
	// The server may have ignored the range, and returned the whole object.
	wantsRange := httpheader.Range(r, MaxSuffix) != ""
	gotRange := wantsRange && output.ContentRange != nil
	if output.ContentLength == nil && !gotRange {
		return nil, httpheader.LengthMissing()
	}
	a := f.Of(output, r.Key)
	if !wantsRange {
		return a, nil
	}

	bodyLength := a.Size
	if !gotRange {
		// Some servers return no range for the last bytes of an empty object.
		if bodyLength == 0 || httpheader.IsWhole(r, bodyLength) {
			return a, nil
		}
		return nil, httpheader.RangeIgnored()
	}
	wholeSize, err := httpheader.SizeOf(r, *output.ContentRange)
	if err != nil {
		return nil, err
	}
	a.Size = wholeSize
	if bodyLength != wholeSize {
		// The checksum may be that of the range.
		a.CRC32C = storage.CRC32C{}
	}
	return a, nil
}

// underscoreEscape replaces "_" in names of metadata, for profiles with EscapeUnderscores.
var underscoreEscape = httpheader.NewNameEscaper('-', '_')

// StoredNames returns metadata with its names in the form that the server stores.
func (f Format) StoredNames(metadata map[string]string) map[string]string {
	return f.renameKeys(metadata, underscoreEscape.Escape)
}

// renameKeys returns metadata with each key replaced by the result of rename, or metadata itself if
// the server accepts all keys.
func (f Format) renameKeys(metadata map[string]string, rename func(string) string) map[string]string {
	if !f.EscapeUnderscores || len(metadata) == 0 {
		return metadata
	}

	result := make(map[string]string, len(metadata))
	for name, value := range metadata {
		result[rename(name)] = value
	}
	return result
}

// isArchivedClass reports whether the object has one of the two archive classes, or is in an
// archive tier of Intelligent-Tiering. GetObject of such an object fails with InvalidObjectState
// until RestoreObject has restored the object. Source: the user guide of Amazon S3, "Working with
// archived objects".
func (f Format) isArchivedClass(output *awss3.GetObjectOutput) bool {
	return f.Archives && (output.StorageClass == types.StorageClassGlacier ||
		output.StorageClass == types.StorageClassDeepArchive || rawclient.IsInArchiveTier(output))
}
