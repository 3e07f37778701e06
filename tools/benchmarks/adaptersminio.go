package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/go-kit/log"
	objstores3 "github.com/thanos-io/objstore/providers/s3"
	"gocloud.dev/blob/s3blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
)

// A minioOpener opens a bucket on MinIO with one of the compared libraries.
type minioOpener[S closer] func(ctx context.Context, bucket string, server jobServer) (S, error)

// onMinIO returns a row for each adapter, over this library's S3 driver and MinIO.
func onMinIO[S closer](adapters []adapter[S]) []adapterRow[S] {
	var rows []adapterRow[S]
	for _, a := range adapters {
		rows = append(rows, minioRow(a.name, func(ctx context.Context, bucket string, server jobServer) (S, error) {
			b, err := minioOwn(ctx, bucket, server)
			if err != nil {
				var none S
				return none, err
			}
			return a.wrap(ctx, b)
		}))
	}
	return rows
}

// minioRow returns a row that opens a new bucket on MinIO with the given library.
func minioRow[S closer](name string, open minioOpener[S]) adapterRow[S] {
	return adapterRow[S]{
		name: name,
		open: func(e *env) (S, error) { return open.onNewBucket(e, e.jobServer()) },
		count: func(e *env) (s S, counts func() traffic, err error) {
			server := e.jobServer()
			server.endpoint, counts, err = e.countingProxy(server.endpoint)
			if err != nil {
				return s, nil, err
			}
			s, err = open.onNewBucket(e, server)
			return s, counts, err
		},
	}
}

func (open minioOpener[S]) onNewBucket(e *env, server jobServer) (s S, err error) {
	bucket, err := e.jobBucket()
	if err != nil {
		return s, err
	}
	return open(e.ctx, bucket, server)
}

func minioOwn(ctx context.Context, bucket string, server jobServer) (storage.Bucket, error) {
	profile, ok := s3.NamedProfile("minio")
	if !ok {
		return nil, fmt.Errorf("there is no profile of MinIO")
	}
	return s3.Open(ctx, s3.Config{
		Bucket:      bucket,
		Region:      s3Region,
		Endpoint:    server.endpoint,
		PathStyle:   new(true),
		Profile:     &profile,
		AccessKeyID: server.key,
		SecretKey:   server.secret,
	})
}

func minioGoCloud(ctx context.Context, bucket string, server jobServer) (adapterStore, error) {
	b, err := s3blob.OpenBucket(ctx, server.client(), bucket, nil)
	return goCloud{bucket: b}, err
}

// client returns a client of Amazon's SDK with the defaults of LoadDefaultConfig. Like this
// library, it verifies the checksum of a download.
func (s jobServer) client() *awss3.Client {
	return awss3.New(awss3.Options{
		Region:                     s3Region,
		BaseEndpoint:               &s.endpoint,
		UsePathStyle:               true,
		Credentials:                awscredentials.NewStaticCredentialsProvider(s.key, s.secret, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
		DisableLogOutputChecksumValidationSkipped: true,
	})
}

func minioObjstore(_ context.Context, bucket string, server jobServer) (adapterStore, error) {
	u, err := url.Parse(server.endpoint)
	if err != nil {
		return nil, err
	}
	config := objstores3.DefaultConfig
	config.Bucket = bucket
	config.Endpoint = u.Host
	config.Region = s3Region
	config.AccessKey = server.key
	config.SecretKey = server.secret
	config.Insecure = u.Scheme == "http"
	config.BucketLookupType = objstores3.PathLookup
	b, err := objstores3.NewBucketWithConfig(log.NewNopLogger(), config, "benchmarks", nil)
	if err != nil {
		return nil, err
	}
	return objstoreBucket{b}, nil
}
