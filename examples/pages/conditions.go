package pages

import (
	"context"
	"errors"
	"strings"

	"github.com/omnibucket/storage"
)

// claim stores the name of the worker that will do a job. If several workers call it, it returns
// true to only one of them.
func claim(ctx context.Context, bucket storage.Uploader, job, worker string) (bool, error) {
	_, err := bucket.Upload(ctx, "claims/"+job, strings.NewReader(worker), storage.IfAbsent())
	if errors.Is(err, storage.PreconditionFailed) {
		return false, nil // another worker was first
	}
	return err == nil, err
}

// save replaces a document if it still has the revision that the user has read. It returns the new revision.
func save(ctx context.Context, bucket storage.Uploader, text, revision string) (string, error) {
	attrs, err := bucket.Upload(ctx, "drafts/7.md", strings.NewReader(text), storage.IfRevision(revision))
	if err != nil {
		return "", err // if PreconditionFailed, show the user both texts
	}
	return attrs.Revision, nil
}

// refresh returns the settings, and whether they have another revision than the given one.
func refresh(ctx context.Context, bucket storage.Downloader, revision string) ([]byte, bool, error) {
	text, _, err := storage.ReadAll(ctx, bucket, "settings.json", storage.IfRevisionNot(revision))
	if errors.Is(err, storage.NotModified) {
		return nil, false, nil
	}
	return text, err == nil, err
}

// openForJobs opens a bucket. If the store lacks the conditional writes that the jobs need, it
// fails immediately.
func openForJobs(ctx context.Context, address string) (storage.Bucket, error) {
	bucket, err := storage.Open(ctx, address)
	if err != nil {
		return nil, err
	}
	if err := storage.Require(bucket, storage.ConditionalCreate|storage.ConditionalUpdate); err != nil {
		return nil, errors.Join(err, storage.Close(bucket))
	}
	return bucket, nil
}

// savePage stores a new page if revision is "". Otherwise it replaces the revision that the author has read.
func savePage(ctx context.Context, bucket storage.Uploader, page, text, revision string) error {
	var condition storage.UploadOption = storage.IfAbsent()
	if revision != "" {
		condition = storage.IfRevision(revision)
	}
	_, err := bucket.Upload(ctx, page, strings.NewReader(text), condition)
	return err
}
