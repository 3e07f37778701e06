package s3

import (
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
	"github.com/omnibucket/storage/internal/urlpath"
)

func acl(public bool) types.ObjectCannedACL {
	if public {
		return types.ObjectCannedACLPublicRead
	}
	return ""
}

// conditions are If-Match and If-None-Match of a write.
func conditions(c storage.Condition) (match, noneMatch *string) {
	if c.Absent {
		noneMatch = aws.String("*")
	}
	return httpheader.Optional(c.Revision), noneMatch
}

// quoted is an ETag as it is sent and compared.
func quoted(etag *string) string {
	return httpheader.ETag(aws.ToString(etag))
}

// version is the handle of a kept version; a bucket that keeps none says
// "null", or nothing.
func version(id *string) string {
	if v := aws.ToString(id); v != "null" {
		return v
	}
	return ""
}

// wholeCRC is a CRC32C that is one of all bytes. A sum of the parts' sums
// (COMPOSITE, or "…-3") is none.
func wholeCRC(sum *string, kind types.ChecksumType) *uint32 {
	if sum == nil || kind == types.ChecksumTypeComposite {
		return nil
	}
	return httpheader.DecodeCRC32C(*sum)
}

// crcHeader is what a body is checked against on its way, where the server can.
func (a *account) crcHeader(crc *uint32) *string {
	if a.profile.Checksum == ChecksumNone || crc == nil {
		return nil
	}
	return aws.String(httpheader.EncodeCRC32C(*crc))
}

// ofParts is what an upload in parts is begun with.
func (s ChecksumStyle) ofParts() (types.ChecksumAlgorithm, types.ChecksumType) {
	switch s {
	case ChecksumFullObject:
		return types.ChecksumAlgorithmCrc32c, types.ChecksumTypeFullObject
	case ChecksumHeader:
		return types.ChecksumAlgorithmCrc32c, types.ChecksumTypeComposite
	}
	return "", ""
}

// checksumMode asks for what is kept of a checksum.
func (a *account) checksumMode() types.ChecksumMode {
	if a.profile.Checksum == ChecksumNone {
		return ""
	}
	return types.ChecksumModeEnabled
}

// storageClass is the provider's word, "" for its default.
func storageClass(class string) string {
	if class == string(types.StorageClassStandard) {
		return ""
	}
	return class
}

// contentEncoding is without what the SDK's trailers leave behind on servers
// that store the coding of the transfer with the object.
func contentEncoding(value *string) string {
	var kept []string
	for coding := range strings.SplitSeq(aws.ToString(value), ",") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "aws-chunked") {
			kept = append(kept, coding)
		}
	}
	return strings.Join(kept, ",")
}

// modified is when, to the second: listings have more digits than headers.
func modified(at *time.Time) time.Time {
	return aws.ToTime(at).UTC().Truncate(time.Second)
}

// copySource names an object in a header, where every byte is ours to escape.
// One behind an access point has a name of its own:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html.
func copySource(ref storage.ObjectRef) *string {
	bucket := ref.Bucket
	if isARN(bucket) {
		bucket += "/object"
	}
	source := bucket + "/" + urlpath.Escape(ref.Key)
	if ref.Version != "" {
		source += "?versionId=" + url.QueryEscape(ref.Version)
	}
	return &source
}
