package s3

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

const accessPoint = "arn:aws:s3:us-west-2:123456789012:accesspoint/my"

func TestOnlyWhatCanBeSignedHereIsSigned(t *testing.T) {
	abroad := Config{Bucket: accessPoint, Client: awss3.New(awss3.Options{
		Region: "eu-west-1", UseARNRegion: true, Credentials: credentials.NewStaticCredentialsProvider("own", "secret", ""),
	})}
	for _, row := range []struct {
		name        string
		config      Config
		urls, forms bool
	}{
		{"a bucket", Config{Bucket: "photos", Region: "us-west-2"}, true, true},
		{"an access point, whose bucket a policy cannot name", Config{Bucket: accessPoint, Region: "us-west-2"}, true, false},
		{"an access point of another region, signed for there", abroad, false, false},
		{"a directory bucket, signed for with a session", Config{Bucket: "photos--usw2-az1--x-s3", Region: "us-west-2"}, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			alone(t, map[string]string{"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "secret"})
			b, err := Open(t.Context(), row.config)
			require.NoError(t, err)
			require.Equal(t, row.urls, storage.Supports(b, storage.SignURLs))
			require.Equal(t, row.forms, storage.Supports(b, storage.SignForms))
			_, err = b.SignedDownloadURL(t.Context(), "k")
			if row.urls {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, storage.Unsupported)
			}
		})
	}
}

func TestSourcesOfCopies(t *testing.T) {
	for name, row := range map[string]struct {
		ref  storage.ObjectRef
		want string
	}{
		"in a bucket":             {storage.ObjectRef{Bucket: "photos", Key: "a b/c"}, "photos/a%20b/c"},
		"a version":               {storage.ObjectRef{Bucket: "photos", Key: "k", Version: "v+1"}, "photos/k?versionId=v%2B1"},
		"behind an access point":  {storage.ObjectRef{Bucket: accessPoint, Key: "a b"}, accessPoint + "/object/a%20b"},
		"an access point's colon": {storage.ObjectRef{Bucket: "arn:aws:s3:us-west-2:123456789012:accesspoint:my", Key: "k"}, "arn:aws:s3:us-west-2:123456789012:accesspoint:my/object/k"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, row.want, aws.ToString(copySource(row.ref))) })
	}
}

func TestAServiceHasOnlyBucketsThatItCanKeepItsWordOf(t *testing.T) {
	service, err := NewService(t.Context(), Config{Region: "us-west-2", AccessKeyID: "key", SecretKey: "secret"})
	require.NoError(t, err)
	_, err = service.Bucket("arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap")
	require.ErrorIs(t, err, storage.InvalidArgument)
}
