package pages

import (
	"context"
	"errors"
	"strings"

	"github.com/omnibucket/storage"
)

// claim stores who does a job. Of any number of workers that call it, exactly one gets true.
func claim(ctx context.Context, bucket storage.Uploader, job, worker string) (bool, error) {
	_, err := bucket.Upload(ctx, "claims/"+job, strings.NewReader(worker), storage.IfAbsent())
	if errors.Is(err, storage.PreconditionFailed) {
		return false, nil // somebody else was first
	}
	return err == nil, err
}

// save replaces a document if nobody has changed it since the reader got this revision. It returns
// the next revision.
func save(ctx context.Context, bucket storage.Uploader, text, revision string) (string, error) {
	attrs, err := bucket.Upload(ctx, "drafts/7.md", strings.NewReader(text), storage.IfRevision(revision))
	if err != nil {
		return "", err // PreconditionFailed: let the user compare both
	}
	return attrs.Revision, nil
}

// refresh returns the settings, and whether they have changed since this revision.
func refresh(ctx context.Context, bucket storage.Downloader, revision string) ([]byte, bool, error) {
	text, _, err := storage.ReadAll(ctx, bucket, "settings.json", storage.IfRevisionNot(revision))
	if errors.Is(err, storage.NotModified) {
		return nil, false, nil
	}
	return text, err == nil, err
}

// openForJobs refuses a store without the conditions that the program needs, before its first job.
func openForJobs(ctx context.Context, address string) (storage.Bucket, error) {
	bucket, err := storage.Open(ctx, address)
	if err != nil {
		return nil, err
	}
	if !storage.Supports(bucket, storage.ConditionalCreate|storage.ConditionalUpdate) {
		return nil, errors.Join(errors.New("the store has no conditions"), storage.Close(bucket))
	}
	return bucket, nil
}

// savePage stores a page: a new one, or the next revision of the one that the author has read.
func savePage(ctx context.Context, bucket storage.Uploader, page, text, revision string) error {
	var condition storage.UploadOption = storage.IfAbsent()
	if revision != "" {
		condition = storage.IfRevision(revision)
	}
	_, err := bucket.Upload(ctx, page, strings.NewReader(text), condition)
	return err
}
