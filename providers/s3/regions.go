package s3

import (
	"strings"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// spansRegions reports whether the account's requests reach other servers in other regions. This is
// so for Amazon without a custom endpoint.
func (a *account) spansRegions() bool { return a.endpoint == nil && !a.customResolver }

func (a *account) inRegion(region string) *account {
	if !a.spansRegions() || region == a.region {
		return a
	}
	clone := *a
	clone.region = region
	clone.keys = &signature.Keys{}
	clone.configClient = nil
	clone.client = cloneClient(a.client, func(o *awss3.Options) {
		o.Region = region
	})
	return &clone
}

// cloneClient returns a copy of a client with changed options. The copy has its own cache of
// sessions for directory buckets. Otherwise the SDK would send the requests for new sessions with
// the client that was made last.
func cloneClient(c *awss3.Client, change func(*awss3.Options)) *awss3.Client {
	o := c.Options()
	o.ExpressCredentials = nil
	return awss3.New(o, change)
}

// A partition is a separate part of Amazon's cloud, such as China, with its own accounts and host
// names.
type partition struct {
	id        string
	suffix    string // suffix of its host names
	dualStack string // suffix of its dual-stack host names
	regions   string // prefix of the names of its regions
}

// partitions is a copy of the SDK's table, which the SDK does not export:
// https://github.com/aws/aws-sdk-go-v2/blob/main/internal/endpoints/awsrulesfn/partitions.json.
// A test compares it with the hosts that the SDK's resolver returns. The last partition matches all
// regions that no other partition matches.
var partitions = []partition{
	{"aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-"},
	{"aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu", "eusc-"},
	{"aws-iso", "c2s.ic.gov", "api.aws.ic.gov", "us-iso-"},
	{"aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud", "us-isob-"},
	{"aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "eu-isoe-"},
	{"aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov", "us-isof-"},
	{"aws-us-gov", "amazonaws.com", "api.aws", "us-gov-"},
	{"aws", "amazonaws.com", "api.aws", ""},
}

func partitionOf(region string) partition {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.regions) {
			return p
		}
	}
	return partition{} // unreachable: the last one matches every region
}

func amazonHosts() []string {
	hosts := []string{
		"s3.amazonaws.com", "s3-external-1.amazonaws.com",
		"s3-accelerate.amazonaws.com", "s3-accelerate.dualstack.amazonaws.com",
		"s3-fips-{region}.amazonaws.com", "s3-{region}.amazonaws.com", // older forms of host names
	}
	for _, p := range partitions {
		for _, name := range []string{"s3.{region}.", "s3-fips.{region}.", "s3.dualstack.{region}.", "s3-fips.dualstack.{region}.", "*.s3.{region}.vpce."} {
			hosts = append(hosts, name+p.suffix)
		}
		hosts = append(hosts, "s3.{region}."+p.dualStack, "s3-fips.{region}."+p.dualStack)
	}
	return hosts
}

// bucketAccount returns the account for a bucket. If the bucket is an access point of Amazon and Config
// has no profile, the account has the profile "accesspoint", which declares fewer features.
func (a *account) bucketAccount(bucket string) *account {
	if a.profileGiven || !a.profile.row().amazon || !isARN(bucket) && !strings.HasSuffix(bucket, aliasSuffix) {
		return a
	}
	careful := *a
	careful.profile, _ = NamedProfile(accessPointProfile)
	careful.identity = accessPointIdentity{a.identity, bucket}
	return &careful
}

// An accessPointIdentity is the identity of an access point that may belong to FSx. It prevents
// server-side copies to and from other buckets, because FSx copies only inside one access point.
type accessPointIdentity struct {
	account any
	name    string
}
