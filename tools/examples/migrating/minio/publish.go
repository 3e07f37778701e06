// Package minio is a program that uses minio-go. Package after shows the same program with this
// library.
package minio

import (
	"context"
	"errors"
	"io"

	"github.com/minio/minio-go/v7"
)

// ErrPublished is the error if a report with the same name was published before.
var ErrPublished = errors.New("the report is published already")

// Publish stores a report, and returns the keys of all reports. If the report exists already, it
// fails with [ErrPublished].
func Publish(ctx context.Context, c *minio.Client, bucket, name string, report io.Reader) ([]string, error) {
	options := minio.PutObjectOptions{
		ContentType: "text/csv", UserMetadata: map[string]string{"author": "reports"},
		PartSize: 16 << 20, // otherwise a report of unknown length takes a buffer of 500 MiB
	}
	options.SetMatchETagExcept("*")
	_, err := c.PutObject(ctx, bucket, "reports/"+name, report, -1, options)
	if minio.ToErrorResponse(err).Code == "PreconditionFailed" {
		return nil, ErrPublished
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the goroutine of ListObjects
	var keys []string
	for object := range c.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: "reports/", Recursive: true}) {
		if object.Err != nil {
			return nil, object.Err
		}
		keys = append(keys, object.Key)
	}
	return keys, nil
}
