package main

import (
	"context"

	gcssdk "cloud.google.com/go/storage"
	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"google.golang.org/api/option"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
)

// What the contenders for Google Cloud Storage are called.
const (
	rawGCS      = "cloud.google.com/go/storage"
	rawGCSSmall = rawGCS + ", chunks of 256 KiB"
	rawGCSOnce  = rawGCS + ", one request"
	goCloudGCS  = "gocloud gcsblob"
)

const (
	gcsBucket    = "bucket"
	gcsChunkUnit = 256 << 10 // bytes
)

// ownGCS is a bucket of this library. No server here looks at credentials.
func ownGCS(ctx context.Context, server string, opts ...storage.OpenOption) (storage.Bucket, error) {
	return gcs.Open(ctx, gcs.Config{Bucket: gcsBucket, Endpoint: server, Anonymous: true}, opts...)
}

// gcsClient is the SDK's as it is by default.
func gcsClient(ctx context.Context, server string) (*gcssdk.Client, error) {
	return gcssdk.NewClient(ctx, option.WithEndpoint(server+"/storage/v1/"), option.WithoutAuthentication())
}

// gcsHandle is a bucket of the SDK's.
func gcsHandle(ctx context.Context, server string) (*gcssdk.BucketHandle, error) {
	client, err := gcsClient(ctx, server)
	if err != nil {
		return nil, err
	}
	return client.Bucket(gcsBucket), nil
}

func goCloudGCSBucket(ctx context.Context, server string) (goCloud, error) {
	client, err := gcsClient(ctx, server)
	if err != nil {
		return goCloud{}, err
	}
	b, err := gcsblob.OpenBucket(ctx, nil, gcsBucket, &gcsblob.Options{Client: client})
	return goCloud{b, &blob.WriterOptions{ContentType: contentType}}, err
}
