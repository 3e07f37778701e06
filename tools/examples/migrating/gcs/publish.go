// Package gcs is a program that uses Google's client. Package after shows the same program with
// this library.
package gcs

import (
	"context"
	"errors"
	"io"
	"net/http"

	gcs "cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
)

// ErrPublished is the error if a report with the same name was published before.
var ErrPublished = errors.New("the report is published already")

// Publish stores a report, and returns the keys of all reports. If the report exists already, it
// fails with [ErrPublished].
func Publish(ctx context.Context, c *gcs.Client, bucket, name string, report io.Reader) ([]string, error) {
	writing, cancel := context.WithCancel(ctx)
	defer cancel()
	w := c.Bucket(bucket).Object("reports/" + name).If(gcs.Conditions{DoesNotExist: true}).NewWriter(writing)
	w.ContentType, w.Metadata = "text/csv", map[string]string{"author": "reports"}
	if _, err := io.Copy(w, report); err != nil {
		cancel() // otherwise Close would store what was written
		return nil, errors.Join(err, w.Close())
	}
	err := w.Close()
	var api *googleapi.Error
	if errors.As(err, &api) && api.Code == http.StatusPreconditionFailed {
		return nil, ErrPublished
	}
	if err != nil {
		return nil, err
	}
	var keys []string
	objects := c.Bucket(bucket).Objects(ctx, &gcs.Query{Prefix: "reports/"})
	for {
		attrs, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			return keys, nil
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, attrs.Name)
	}
}
