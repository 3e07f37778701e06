package s3

import (
	"strings"

	"github.com/omnibucket/storage/internal/argument"
)

// isARN reports whether a bucket is named by a resource name of Amazon's.
func isARN(bucket string) bool { return strings.HasPrefix(bucket, "arn:") }

// accessPointProfile is the profile of an access point whose bucket nobody has
// named.
const accessPointProfile = "accesspoint"

// aliasSuffix ends the alias of an access point that leads to no bucket of S3.
// https://docs.aws.amazon.com/fsx/latest/OpenZFSGuide/access-point-restrictions-limitations-naming-rules.html
const aliasSuffix = "-ext-s3alias"

// at returns the account as it asks for a bucket: an access point of Amazon's has
// a careful profile, unless Config says what it leads to.
func (a *account) at(bucket string) *account {
	if a.chosen || a.profile.Name != "aws" || !isARN(bucket) && !strings.HasSuffix(bucket, aliasSuffix) {
		return a
	}
	careful := *a
	careful.profile, _ = NamedProfile(accessPointProfile)
	careful.identity = accessPointIdentity{a.identity, bucket}
	return &careful
}

// accessPointIdentity has copies to and from elsewhere pass through this process:
// FSx copies inside one access point only.
type accessPointIdentity struct {
	account any
	name    string
}

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
	return argument.Invalid("the bucket", "must be named, or be the ARN of an access point in one region", "")
}
