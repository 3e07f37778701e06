package s3

import (
	"strings"

	"github.com/omnibucket/storage/internal/argument"
)

// isARN reports whether a bucket's name is an Amazon Resource Name.
func isARN(bucket string) bool { return strings.HasPrefix(bucket, "arn:") }

// accessPointProfile is the profile of an access point that may not belong to a bucket.
const accessPointProfile = "accesspoint"

// aliasSuffix ends the alias of an access point of another service than S3.
// https://docs.aws.amazon.com/fsx/latest/OpenZFSGuide/access-point-restrictions-limitations-naming-rules.html
const aliasSuffix = "-ext-s3alias"

// forBucket returns the account for a bucket. An access point of Amazon's has a careful
// profile, unless Config has a profile.
func (a *account) forBucket(bucket string) *account {
	if a.profileGiven || a.profile.Name != "aws" || !isARN(bucket) && !strings.HasSuffix(bucket, aliasSuffix) {
		return a
	}
	careful := *a
	careful.profile, _ = NamedProfile(accessPointProfile)
	careful.identity = accessPointIdentity{a.identity, bucket}
	return &careful
}

// An accessPointIdentity prevents server-side copies to and from other buckets: FSx
// copies only inside one access point.
type accessPointIdentity struct {
	account any
	name    string
}

// checkName refuses names that the SDK accepts and that are not one bucket of S3, because
// conditions may not hold there. A multi-region access point has several buckets that
// agree later. Outposts and Object Lambda are other services.
func checkName(bucket string) error {
	if !isARN(bucket) {
		return nil
	}
	parts := strings.SplitN(bucket, ":", 6) // arn, partition, service, region, account, resource
	if len(parts) == 6 && parts[2] == signingService && parts[3] != "" && strings.HasPrefix(strings.Replace(parts[5], ":", "/", 1), "accesspoint/") {
		return nil
	}
	return argument.Invalid("the bucket", "must be a name, or the ARN of an access point in one region", "")
}
