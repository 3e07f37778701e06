//lint:file-ignore SA1019 It is deprecated, and what most programs use.

package main

import (
	"bytes"
	"context"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
)

// What the SDK's older manager does in each case.

func smallManager(_ context.Context, server string) (putter, getter, error) {
	uploader, downloader := manager.NewUploader(sdk(server)), manager.NewDownloader(sdk(server))
	return func(ctx context.Context, key string, data []byte) error {
			_, err := uploader.Upload(ctx, &awss3.PutObjectInput{
				Bucket: aws.String(s3Bucket), Key: &key, Body: bytes.NewReader(data), ContentType: aws.String(contentType),
			})
			return err
		}, func(ctx context.Context, key string, buffer []byte) error {
			_, err := downloader.Download(ctx, manager.NewWriteAtBuffer(buffer), &awss3.GetObjectInput{Bucket: aws.String(s3Bucket), Key: &key})
			return err
		}, nil
}

func sendManager(_ context.Context, server string) (sender, error) {
	uploader := manager.NewUploader(sdk(server))
	return func(ctx context.Context, body io.Reader, _ int64) error {
		_, err := uploader.Upload(ctx, &awss3.PutObjectInput{Bucket: aws.String(s3Bucket), Key: aws.String(uploaded), Body: body})
		return err
	}, nil
}

func fileManager(_ context.Context, server string) (func(ctx context.Context, key, name string) error, error) {
	downloader := manager.NewDownloader(sdk(server))
	return func(ctx context.Context, key, name string) error {
		return inFile(name, func(w io.WriterAt) error {
			_, err := downloader.Download(ctx, w, &awss3.GetObjectInput{Bucket: aws.String(s3Bucket), Key: &key})
			return err
		})
	}, nil
}
