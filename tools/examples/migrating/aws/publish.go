// Package aws is a program that uses the AWS SDK and its manager. Package after shows the same
// program with this library.
package aws

//lint:file-ignore SA1019 The manager is deprecated, and most programs use it.

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// ErrPublished is the error if a report with the same name was published before.
var ErrPublished = errors.New("the report is published already")

// Publish stores a report, and returns the keys of all reports. If the report exists already, it
// fails with [ErrPublished].
func Publish(ctx context.Context, c *s3.Client, bucket, name string, report io.Reader) ([]string, error) {
	_, err := manager.NewUploader(c).Upload(ctx, &s3.PutObjectInput{
		Bucket: &bucket, Key: aws.String("reports/" + name), Body: report, IfNoneMatch: aws.String("*"),
		ContentType: aws.String("text/csv"), Metadata: map[string]string{"author": "reports"},
	})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "PreconditionFailed" {
		return nil, ErrPublished
	}
	if err != nil {
		return nil, err
	}
	var keys []string
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String("reports/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, object := range page.Contents {
			keys = append(keys, aws.ToString(object.Key))
		}
	}
	return keys, nil
}
