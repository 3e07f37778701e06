package agents

import (
	"context"
	"errors"
	"strconv"
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

// count adds one to a number. It starts over if somebody else was faster.
func count(ctx context.Context, bucket storage.ReadWriter, key string) error {
	_, err := storage.Update(ctx, bucket, key, func(old []byte, attrs *storage.Attrs) ([]byte, error) {
		n, _ := strconv.Atoi(string(old)) // old and attrs are nil if there is no object
		return []byte(strconv.Itoa(n + 1)), nil
	})
	return err // after OutcomeUnknown, the number may be stored: a second call may count twice
}
