package agents

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/omnibucket/storage"
)

// create stores the text only if the key is free.
func create(ctx context.Context, bucket storage.Uploader, key, text string) (created bool, err error) {
	_, err = bucket.Upload(ctx, key, strings.NewReader(text), storage.IfAbsent())
	if errors.Is(err, storage.PreconditionFailed) {
		return false, nil
	}
	return err == nil, err
}

// replace stores the text only if the object still has the revision of an earlier read, list or write.
func replace(ctx context.Context, bucket storage.Uploader, key, text, revision string) (next string, err error) {
	attrs, err := bucket.Upload(ctx, key, strings.NewReader(text), storage.IfRevision(revision))
	if err != nil {
		return "", err // PreconditionFailed: somebody else was faster
	}
	return attrs.Revision, nil
}

// capitalize reads, changes and replaces, and starts over if somebody else was faster.
func capitalize(ctx context.Context, bucket storage.ReadWriter, key string) error {
	_, err := storage.Update(ctx, bucket, key, func(old []byte, attrs *storage.Attrs) ([]byte, error) {
		return bytes.ToUpper(old), nil // old and attrs are nil if there is no object
	})
	return err
}
