package s3

import (
	"strings"

	"github.com/omnibucket/storage/internal/invalid"
)

// isARN reports whether a bucket is named by a resource name of Amazon's.
func isARN(bucket string) bool { return strings.HasPrefix(bucket, "arn:") }

// checkName refuses what stands for something else than one bucket of S3: the
// SDK reaches it, but nobody knows that conditions hold there. A multi-region
// access point asks one of several buckets that agree later; Outposts and
// Object Lambda are services of their own.
func checkName(bucket string) error {
	if !isARN(bucket) {
		return nil
	}
	parts := strings.SplitN(bucket, ":", 6) // arn, partition, service, region, account, resource
	if len(parts) == 6 && parts[2] == signingService && parts[3] != "" && strings.HasPrefix(strings.Replace(parts[5], ":", "/", 1), "accesspoint/") {
		return nil
	}
	return invalid.Argument("the bucket", "must be named, or be the ARN of an access point in one region", "")
}
