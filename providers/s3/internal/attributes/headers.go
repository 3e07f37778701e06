package attributes

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/bucketname"
)

// Encryption returns how an object is encrypted, according to the fields of a response.
func Encryption(sse types.ServerSideEncryption, kmsKey, customerAlgorithm, customerMD5 *string) storage.Encryption {
	if customerAlgorithm != nil {
		return storage.Encryption{Algorithm: *customerAlgorithm, KeyID: aws.ToString(customerMD5)}
	}
	return storage.Encryption{Algorithm: string(sse), KeyID: aws.ToString(kmsKey)}
}

// ACL returns the access control list of an object that everyone may read, or "" for the default
// list.
func ACL(public bool) types.ObjectCannedACL {
	if public {
		return types.ObjectCannedACLPublicRead
	}
	return ""
}

// Conditions returns the headers If-Match and If-None-Match of a write.
func Conditions(c storage.Condition) (match, noneMatch *string) {
	if c.Absent {
		noneMatch = aws.String("*")
	}
	return httpheader.Optional(c.Revision), noneMatch
}

// ETag returns the ETag of an output in quotes.
func ETag(etag *string) string {
	return httpheader.ETag(aws.ToString(etag))
}

// versionID returns the id of a version, or "" if the id is missing or "null", as in a bucket
// without versions.
func versionID(id *string) string {
	if v := aws.ToString(id); v != "null" {
		return v
	}
	return ""
}

// CRC32C returns sum if it is the CRC32C of all bytes. The result is not known if sum is a checksum
// of the checksums of parts (COMPOSITE, or a value that ends in "-3").
func CRC32C(sum *string, kind types.ChecksumType) storage.CRC32C {
	if sum == nil || kind == types.ChecksumTypeComposite {
		return storage.CRC32C{}
	}
	return httpheader.CRC32C(*sum)
}

// contentEncoding returns an encoding without "aws-chunked", a coding of the transfer that some
// servers store with the object.
func contentEncoding(value *string) string {
	codings := slices.DeleteFunc(strings.Split(aws.ToString(value), ","), func(coding string) bool {
		return strings.EqualFold(strings.TrimSpace(coding), "aws-chunked")
	})
	return strings.TrimSpace(strings.Join(codings, ","))
}

// Written returns the attributes of an object that are in the response to its write. kind says whether
// crc is the checksum of all bytes or of the checksums of the parts.
func Written(etag, version, crc *string, kind types.ChecksumType, encryption storage.Encryption) *storage.Attrs {
	tag := ETag(etag)
	return &storage.Attrs{
		ETag:       tag,
		Revision:   tag,
		Version:    versionID(version),
		CRC32C:     CRC32C(crc, kind),
		Encryption: encryption,
	}
}

// WholeSeconds returns a time in whole seconds. Some responses have fractions of a second, but headers
// do not.
func WholeSeconds(t *time.Time) time.Time {
	return aws.ToTime(t).UTC().Truncate(time.Second)
}

// CopySource returns the header that names the source of a copy, with the key escaped, which the
// SDK does not do. A source at an access point has another form:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html.
func CopySource(ref driver.ObjectRef) *string {
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
