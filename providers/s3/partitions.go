package s3

import "strings"

// A partition is a part of Amazon's cloud with accounts and names of its own.
type partition struct {
	id        string
	suffix    string // of its hosts
	dualStack string // of its newer hosts
	regions   string // their names begin so
}

// partitions are those of the SDK, which does not export its table:
// https://github.com/aws/aws-sdk-go-v2/blob/main/internal/endpoints/awsrulesfn/partitions.json.
// A test compares them with what the SDK's resolver makes of their regions. The
// last has all other regions.
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

// partitionOf returns the partition that a region is in.
func partitionOf(region string) partition {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.regions) {
			return p
		}
	}
	return partition{} // never: the last takes any
}

// amazonHosts are the endpoints of Amazon S3, in every partition.
func amazonHosts() []string {
	hosts := []string{
		"s3.amazonaws.com", "s3-external-1.amazonaws.com",
		"s3-accelerate.amazonaws.com", "s3-accelerate.dualstack.amazonaws.com",
		"s3-fips-{region}.amazonaws.com", "s3-{region}.amazonaws.com", // of old
	}
	for _, p := range partitions {
		for _, name := range []string{"s3.{region}.", "s3-fips.{region}.", "s3.dualstack.{region}.", "s3-fips.dualstack.{region}.", "*.s3.{region}.vpce."} {
			hosts = append(hosts, name+p.suffix)
		}
		hosts = append(hosts, "s3.{region}."+p.dualStack, "s3-fips.{region}."+p.dualStack)
	}
	return hosts
}
