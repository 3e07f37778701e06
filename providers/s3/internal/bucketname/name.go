// Package bucketname tells the kinds of names of buckets apart: names, ARNs of access points and aliases.
// Start at [Check].
package bucketname

import (
	"strings"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// IsARN reports whether a name is an ARN. Check accepts those of access points.
func IsARN(bucket string) bool { return strings.HasPrefix(bucket, "arn:") }

// ForeignAliasSuffix is the end of an access point's alias if the access point belongs to a service other
// than S3.
// https://docs.aws.amazon.com/fsx/latest/OpenZFSGuide/access-point-restrictions-limitations-naming-rules.html
const ForeignAliasSuffix = "-ext-s3alias"

// Check refuses ARNs that the SDK accepts, but that do not name exactly one S3 bucket. Outposts and
// Object Lambda are other services.
//
// A multi-region access point has several buckets, and a write to one reaches the others later. A
// conditional write may therefore succeed although another bucket has a newer object.
func Check(bucket string) error {
	if !IsARN(bucket) || isAccessPoint(bucket) {
		return nil
	}
	return argument.Invalid("the bucket", "must be a name, or the ARN of an access point in one region", "")
}

// isAccessPoint reports whether an ARN names an access point in one region.
func isAccessPoint(arn string) bool {
	const fields = 6 // arn, partition, service, region, account, resource
	parts := strings.SplitN(arn, ":", fields)
	if len(parts) != fields {
		return false
	}
	service := parts[2]
	region := parts[3]
	resource := parts[5]
	if service != signature.Service || region == "" {
		return false
	}
	// A colon may be in place of the slash.
	return strings.HasPrefix(strings.Replace(resource, ":", "/", 1), "accesspoint/")
}

// IsDirectory reports whether a bucket is one of Amazon's directory buckets (S3 Express One Zone), or
// an access point of one: their names have these suffixes.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-bucket-naming-rules.html
func IsDirectory(bucket string) bool {
	return strings.HasSuffix(bucket, "--x-s3") || strings.HasSuffix(bucket, "--xa-s3")
}
