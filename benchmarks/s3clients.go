package main

import (
	"context"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/go-kit/log"
	"github.com/minio/minio-go/v7"
	miniocredentials "github.com/minio/minio-go/v7/pkg/credentials"
	objstores3 "github.com/thanos-io/objstore/providers/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
)

// What the contenders for S3 are called.
const (
	rawSDK          = "aws-sdk-go-v2"
	sdkManager      = "feature/s3/manager"
	transferManager = "feature/s3/transfermanager"
	minioGo         = "minio-go"
	goCloudS3       = "gocloud s3blob"
	objstoreS3      = "objstore s3"
)

// Where and as whom: no server here looks at it.
const (
	s3Bucket  = "bucket"
	s3Region  = "us-east-1"
	accessKey = "benchmarks"
	secretKey = "benchmarks-secret"
)

// ownS3 is a bucket of this library, on a server that does what Amazon's does.
func ownS3(ctx context.Context, server string, opts ...storage.OpenOption) (storage.Bucket, error) {
	amazon, _ := s3.NamedProfile("aws")
	pathStyle := true
	return s3.Open(ctx, s3.Config{
		Bucket: s3Bucket, Region: s3Region, Endpoint: server, PathStyle: &pathStyle, Profile: &amazon,
		AccessKeyID: accessKey, SecretKey: secretKey,
	}, opts...)
}

// sdk is the SDK's client as it is by default: it checks and computes sums
// where it can.
func sdk(server string) *awss3.Client {
	return awss3.New(awss3.Options{
		Region: s3Region, BaseEndpoint: &server, UsePathStyle: true,
		Credentials: awscredentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		// It would log each object that has no checksum.
		DisableLogOutputChecksumValidationSkipped: true,
	})
}

// sdkUnchecked is one that leaves sums out wherever none is required.
func sdkUnchecked(server string) *awss3.Client {
	o := sdk(server).Options()
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	return awss3.New(o)
}

func minioClient(server string) (*minio.Client, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	return minio.New(u.Host, &minio.Options{
		Creds: miniocredentials.NewStaticV4(accessKey, secretKey, ""), Secure: u.Scheme == "https",
		Region: s3Region, BucketLookup: minio.BucketLookupPath,
	})
}

func goCloudBucket(ctx context.Context, server string) (goCloud, error) {
	b, err := s3blob.OpenBucket(ctx, sdk(server), s3Bucket, nil)
	return goCloud{b, &blob.WriterOptions{ContentType: contentType}}, err
}

func objstoreBucket(server string) (thanos, error) {
	u, err := url.Parse(server)
	if err != nil {
		return thanos{}, err
	}
	config := objstores3.DefaultConfig
	config.Bucket, config.Endpoint, config.Region = s3Bucket, u.Host, s3Region
	config.AccessKey, config.SecretKey, config.Insecure = accessKey, secretKey, u.Scheme == "http"
	config.BucketLookupType = objstores3.PathLookup
	b, err := objstores3.NewBucketWithConfig(log.NewNopLogger(), config, "benchmarks", nil)
	return thanos{b}, err
}
