package s3

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/bucketname"
)

func acl(public bool) types.ObjectCannedACL {
	if public {
		return types.ObjectCannedACLPublicRead
	}
	return ""
}

// conditions returns If-Match and If-None-Match of a write.
func conditions(c storage.Condition) (match, noneMatch *string) {
	if c.Absent {
		noneMatch = aws.String("*")
	}
	return httpheader.Optional(c.Revision), noneMatch
}

func quoteETag(etag *string) string {
	return httpheader.ETag(aws.ToString(etag))
}

// versionID returns the id of a version. In a bucket without versions, the id is "null" or
// missing.
func versionID(id *string) string {
	if v := aws.ToString(id); v != "null" {
		return v
	}
	return ""
}

// fullObjectCRC returns sum if it is the CRC32C of all bytes. Otherwise the result is not known:
// sum may be a checksum of the parts' checksums (COMPOSITE, or a value that ends in "-3").
func fullObjectCRC(sum *string, kind types.ChecksumType) storage.CRC32C {
	if sum == nil || kind == types.ChecksumTypeComposite {
		return storage.CRC32C{}
	}
	return httpheader.CRC32C(*sum)
}

// attributes returns how the server represents the attributes of objects.
func (p *Profile) attributes() attrsFormat {
	return attrsFormat{escapeUnderscores: p.EscapeUnderscores, archives: p.Restore}
}

// crcHeader returns the CRC32C to send with a body. It returns nil if the server does not check it.
func (a *account) crcHeader(crc storage.CRC32C) *string {
	if a.profile.Checksum == ChecksumNone || !crc.Known {
		return nil
	}
	return aws.String(crc32c.Encode(crc.Sum))
}

func (s ChecksumStyle) multipart() (types.ChecksumAlgorithm, types.ChecksumType) {
	switch s {
	case ChecksumFullObject:
		return types.ChecksumAlgorithmCrc32c, types.ChecksumTypeFullObject
	case ChecksumHeader:
		return types.ChecksumAlgorithmCrc32c, types.ChecksumTypeComposite
	}
	return "", ""
}

func (a *account) checksumMode() types.ChecksumMode {
	if a.profile.Checksum == ChecksumNone {
		return ""
	}
	return types.ChecksumModeEnabled
}

// contentEncoding returns the encoding without "aws-chunked". The SDK uses that coding for
// transfers, and some servers store it with the object.
func contentEncoding(value *string) string {
	result := slices.DeleteFunc(strings.Split(aws.ToString(value), ","), func(coding string) bool {
		return strings.EqualFold(strings.TrimSpace(coding), "aws-chunked")
	})
	return strings.TrimSpace(strings.Join(result, ","))
}

// writtenAttrs returns the attributes that the response to a write has.
func writtenAttrs(etag, version, crc *string, kind types.ChecksumType, encryption storage.Encryption) *storage.Attrs {
	tag := quoteETag(etag)
	return &storage.Attrs{
		ETag:       tag,
		Revision:   tag,
		Version:    versionID(version),
		CRC32C:     fullObjectCRC(crc, kind),
		Encryption: encryption,
	}
}

// wholeSeconds returns a time in whole seconds. Some responses have fractions of a second, but headers
// do not.
func wholeSeconds(t *time.Time) time.Time {
	return aws.ToTime(t).UTC().Truncate(time.Second)
}

// copySource returns the header that names the source of a copy. It must escape the key, because
// the SDK does not escape keys in this header. A source at an access point has another form:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html.
func copySource(ref driver.ObjectRef) *string {
	bucket := ref.Bucket
	if bucketname.IsARN(bucket) {
		bucket += "/object"
	}
	source := bucket + "/" + escape.Path(ref.Key)
	if ref.Version != "" {
		source += "?versionId=" + url.QueryEscape(ref.Version)
	}
	return &source
}

// underscoreEscape replaces "_" in names of metadata, for profiles with EscapeUnderscores.
var underscoreEscape = httpheader.NewNameEscaper('-', '_')

// An attrsFormat says how a server represents the attributes of objects.
type attrsFormat struct {
	escapeUnderscores bool // names of metadata have "-x005f-" in place of "_"
	archives          bool // objects can be archived, and are restored by RestoreObject
}

// storedNames returns metadata with its names in the form that the server stores.
func (f attrsFormat) storedNames(metadata map[string]string) map[string]string {
	return f.renameKeys(metadata, underscoreEscape.Escape)
}

func (f attrsFormat) renameKeys(metadata map[string]string, rename func(string) string) map[string]string {
	if !f.escapeUnderscores || len(metadata) == 0 {
		return metadata
	}
	result := make(map[string]string, len(metadata))
	for name, value := range metadata {
		result[rename(name)] = value
	}
	return result
}
