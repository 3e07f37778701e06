// Package after is the program that the packages aws, azure, gcs and minio become when they use
// this library. It works with every store.
package after

import (
	"context"
	"errors"
	"io"

	"github.com/omnibucket/storage"
)

// ErrPublished is the error if a report with the same name was published before.
var ErrPublished = errors.New("the report is published already")

// Publish stores a report, and returns the keys of all reports. If the report exists already, it
// fails with [ErrPublished].
func Publish(ctx context.Context, b storage.Bucket, name string, report io.Reader) ([]string, error) {
	_, err := b.Upload(ctx, "reports/"+name, report, storage.IfAbsent(),
		storage.WithContentType("text/csv"), storage.WithMetadata(map[string]string{"author": "reports"}))
	if errors.Is(err, storage.PreconditionFailed) {
		return nil, ErrPublished
	}
	if err != nil {
		return nil, err
	}
	var keys []string
	for entry, err := range b.List(ctx, storage.WithPrefix("reports/")) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, entry.Key)
	}
	return keys, nil
}
