//lint:file-ignore SA1019 It is deprecated, and most programs use it.

package main

import (
	"context"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
)

// openManager returns a client that uses the older of the SDK's two transfer managers.
func openManager(_ *env, server string) (client, error) {
	uploader := manager.NewUploader(sdk(server))
	downloader := manager.NewDownloader(sdk(server))

	upload := func(ctx context.Context, key string, body io.Reader, _ int64) error {
		_, err := uploader.Upload(ctx, &awss3.PutObjectInput{
			Bucket:      aws.String(s3Bucket),
			Key:         &key,
			Body:        body,
			ContentType: aws.String(contentType),
		})
		return err
	}

	download := func(ctx context.Context, key string, w io.WriterAt) error {
		_, err := downloader.Download(ctx, w, &awss3.GetObjectInput{Bucket: aws.String(s3Bucket), Key: &key})
		return err
	}

	return client{
		put:    putBy(upload),
		upload: upload,
		get: func(ctx context.Context, key string, buffer []byte) error {
			return download(ctx, key, manager.NewWriteAtBuffer(buffer))
		},
		file: func(ctx context.Context, key, name string) error {
			return writeFile(name, func(w io.WriterAt) error { return download(ctx, key, w) })
		},
	}, nil
}
