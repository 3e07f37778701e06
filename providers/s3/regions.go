package s3

import (
	"strings"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage/providers/s3/internal/bucketname"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// spansRegions reports whether the account's requests reach other servers in other regions. This is
// so for Amazon without a custom endpoint.
func (a *account) spansRegions() bool { return a.endpoint == nil && !a.hasCustomResolver }

// inRegion returns the account for the buckets in a region, with a client for that region.
func (a *account) inRegion(region string) *account {
	if !a.spansRegions() || region == a.region {
		return a
	}

	// The clone cannot share what depends on the region: the signing keys and both clients.
	clone := *a
	clone.region = region
	clone.keys = &signature.Keys{}
	clone.configClient = nil
	clone.client = sdkcall.CloneClient(a.client, func(o *awss3.Options) {
		o.Region = region
	})
	return &clone
}

// bucketAccount returns the account for a bucket. For an access point of Amazon, it has the profile
// "accesspoint", which declares fewer features, unless the user has chosen a profile.
func (a *account) bucketAccount(bucket string) *account {
	if a.hasProfile || !a.profile.row().amazon {
		return a
	}
	isAccessPoint := bucketname.IsARN(bucket) || strings.HasSuffix(bucket, bucketname.ForeignAliasSuffix)
	if !isAccessPoint {
		return a
	}

	clone := *a
	clone.profile, _ = NamedProfile(accessPointProfile)
	clone.identity = accessPointIdentity{account: a.identity, name: bucket}
	return &clone
}

// An accessPointIdentity is the identity of an access point that may belong to FSx. It prevents
// server-side copies to and from other buckets, because FSx copies only inside one access point.
type accessPointIdentity struct {
	account any
	name    string
}
