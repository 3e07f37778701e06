package hostname

import "strings"

// A Partition is a separate part of Amazon's cloud, such as China, with its own accounts and host
// names.
type Partition struct {
	ID        string
	Suffix    string // suffix of its host names
	dualStack string // suffix of its dual-stack host names
	regions   string // prefix of the names of its regions
}

// partitions is a copy of the SDK's table, which the SDK does not export:
// https://github.com/aws/aws-sdk-go-v2/blob/main/internal/endpoints/awsrulesfn/partitions.json.
// A test compares it with the hosts that the SDK's resolver returns. The last partition matches all
// regions that no other partition matches.
var partitions = []Partition{
	{ID: "aws-cn", Suffix: "amazonaws.com.cn", dualStack: "api.amazonwebservices.com.cn", regions: "cn-"},
	{ID: "aws-eusc", Suffix: "amazonaws.eu", dualStack: "api.amazonwebservices.eu", regions: "eusc-"},
	{ID: "aws-iso", Suffix: "c2s.ic.gov", dualStack: "api.aws.ic.gov", regions: "us-iso-"},
	{ID: "aws-iso-b", Suffix: "sc2s.sgov.gov", dualStack: "api.aws.scloud", regions: "us-isob-"},
	{ID: "aws-iso-e", Suffix: "cloud.adc-e.uk", dualStack: "api.cloud-aws.adc-e.uk", regions: "eu-isoe-"},
	{ID: "aws-iso-f", Suffix: "csp.hci.ic.gov", dualStack: "api.aws.hci.ic.gov", regions: "us-isof-"},
	{ID: "aws-us-gov", Suffix: "amazonaws.com", dualStack: "api.aws", regions: "us-gov-"},
	{ID: "aws", Suffix: "amazonaws.com", dualStack: "api.aws"},
}

// PartitionOf returns the partition of a region, a separate part of Amazon's cloud such as China.
func PartitionOf(region string) Partition {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.regions) {
			return p
		}
	}
	// This is unreachable, because the last partition matches every region.
	return Partition{}
}

// AmazonHosts returns the patterns of Amazon's hosts.
func AmazonHosts() []string {
	hosts := []string{
		"s3.amazonaws.com", "s3-external-1.amazonaws.com",
		"s3-accelerate.amazonaws.com", "s3-accelerate.dualstack.amazonaws.com",
		"s3-fips-{region}.amazonaws.com", "s3-{region}.amazonaws.com", // older forms of host names
	}
	for _, p := range partitions {
		for _, name := range []string{"s3.{region}.", "s3-fips.{region}.", "s3.dualstack.{region}.", "s3-fips.dualstack.{region}.", "*.s3.{region}.vpce."} {
			hosts = append(hosts, name+p.Suffix)
		}
		hosts = append(hosts, "s3.{region}."+p.dualStack, "s3-fips.{region}."+p.dualStack)
	}
	return hosts
}
