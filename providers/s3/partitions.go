package s3

import "strings"

// A partition is a part of Amazon's cloud with its own accounts and names.
type partition struct {
	id        string
	suffix    string // of its host names
	dualStack string // suffix of its dual-stack host names
	regions   string // prefix of its regions
}

// partitions is the SDK's table, which is not exported:
// https://github.com/aws/aws-sdk-go-v2/blob/main/internal/endpoints/awsrulesfn/partitions.json.
// A test compares it with the hosts that the SDK's resolver returns. The last partition
// has all other regions.
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
	return partition{} // unreachable: the last one matches every region
}

// amazonHosts returns the endpoints of Amazon S3 in all partitions.
func amazonHosts() []string {
	hosts := []string{
		"s3.amazonaws.com", "s3-external-1.amazonaws.com",
		"s3-accelerate.amazonaws.com", "s3-accelerate.dualstack.amazonaws.com",
		"s3-fips-{region}.amazonaws.com", "s3-{region}.amazonaws.com", // older forms
	}
	for _, p := range partitions {
		for _, name := range []string{"s3.{region}.", "s3-fips.{region}.", "s3.dualstack.{region}.", "s3-fips.dualstack.{region}.", "*.s3.{region}.vpce."} {
			hosts = append(hosts, name+p.suffix)
		}
		hosts = append(hosts, "s3.{region}."+p.dualStack, "s3-fips.{region}."+p.dualStack)
	}
	return hosts
}
