package s3

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/providers/s3/internal/hostname"
)

// A partition is one of Amazon's separate clouds. Our table of partitions has the same hosts and
// ARNs as the endpoint resolver of the SDK.
func TestPartitionsMatchSDK(t *testing.T) {
	resolver := awss3.NewDefaultEndpointResolverV2()
	tests := []struct {
		region string
		id     string // of the partition
	}{
		{region: "eu-west-1", id: "aws"},
		{region: "us-east-1", id: "aws"},
		{region: "mx-central-1", id: "aws"},
		{region: "il-central-1", id: "aws"},
		{region: "cn-north-1", id: "aws-cn"},
		{region: "cn-northwest-1", id: "aws-cn"},
		{region: "eusc-de-east-1", id: "aws-eusc"},
		{region: "us-iso-east-1", id: "aws-iso"},
		{region: "us-isob-east-1", id: "aws-iso-b"},
		{region: "eu-isoe-west-1", id: "aws-iso-e"},
		{region: "us-isof-south-1", id: "aws-iso-f"},
		{region: "us-gov-west-1", id: "aws-us-gov"},
	}

	for _, tt := range tests {
		t.Run(tt.region, func(t *testing.T) {
			// The host.
			p := hostname.PartitionOf(tt.region)
			require.Equal(t, tt.id, p.ID)
			endpoint, err := resolver.ResolveEndpoint(t.Context(),
				awss3.EndpointParameters{Region: &tt.region}.WithDefaults())
			require.NoError(t, err)
			require.Equal(t, "s3."+tt.region+"."+p.Suffix, endpoint.URI.Host)

			// profileOfHost finds the region in the host.
			profile, region, ok := profileOfHost(endpoint.URI.Host)
			require.True(t, ok)
			require.Equal(t, "aws", profile.Name)
			require.Equal(t, tt.region, region)

			// The resolver accepts the ARN of an access point. It would refuse an ARN of another
			// partition.
			arn := "arn:" + tt.id + ":s3:" + tt.region + ":123456789012:accesspoint/my"
			parameters := awss3.EndpointParameters{Region: &tt.region, Bucket: &arn, UseArnRegion: aws.Bool(true)}
			_, err = resolver.ResolveEndpoint(t.Context(), parameters.WithDefaults())
			require.NoError(t, err)

			// The ARN of a bucket has the partition.
			d, err := NewServiceDriver(t.Context(), Config{
				Region:      tt.region,
				AccessKeyID: "key",
				SecretKey:   "secret",
			})
			require.NoError(t, err)
			require.Equal(t, "arn:"+tt.id+":s3:::photos", d.(*serviceDriver).account.settings("photos").ARN())
		})
	}
}

// Each form of Amazon's host names leads to the profile "aws" and to the region in the host name,
// if the form has one.
func TestHostsOfAmazon(t *testing.T) {
	for host, want := range map[string]string{
		"s3.amazonaws.com":                                  "",
		"s3-external-1.amazonaws.com":                       "",
		"s3-accelerate.amazonaws.com":                       "",
		"s3-us-west-2.amazonaws.com":                        "us-west-2",
		"s3-fips-us-gov-west-1.amazonaws.com":               "us-gov-west-1",
		"s3.eusc-de-east-1.amazonaws.eu":                    "eusc-de-east-1",
		"s3.us-iso-east-1.c2s.ic.gov":                       "us-iso-east-1",
		"s3.us-east-1.api.aws":                              "us-east-1",
		"s3-fips.us-east-1.api.aws":                         "us-east-1",
		"s3.dualstack.us-isob-east-1.sc2s.sgov.gov":         "us-isob-east-1",
		"bucket.vpce-1.s3.cn-north-1.vpce.amazonaws.com.cn": "cn-north-1",
	} {
		p, region, ok := profileOfHost(host)
		require.True(t, ok, host)
		require.Equal(t, "aws", p.Name, host)
		require.Equal(t, want, region, host)
	}
}

// No built-in Profile matches a host that only resembles Amazon's host names.
func TestHostsNotOfAmazon(t *testing.T) {
	for _, host := range []string{
		"amazonaws.com",
		"s3-.amazonaws.com",
		"s3.us-east-1.amazonaws.eu.example.org",
		"s3.us-east-1.aws",
	} {
		_, _, ok := profileOfHost(host)
		require.False(t, ok, host)
	}
}
