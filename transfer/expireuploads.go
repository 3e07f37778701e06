package transfer

import (
	"context"
	"errors"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

// checkUploads returns an error if the rule has an UploadsAge that does not fit its tags or the bucket.
func (e *expiry) checkUploads(r ExpireRule) error {
	if r.UploadsAge == 0 {
		return nil
	}
	if len(r.Tags) > 0 {
		return joberror.Invalid("rule", "must not have UploadsAge and Tags: an upload has no tags yet")
	}
	if !storage.Supports(e.bucket, storage.ListedUploads) {
		return &storage.Error{
			Code: storage.Unsupported,
			Err:  errors.New("a rule has UploadsAge, and the bucket lists no uploads"),
			Hint: "remove UploadsAge from the rule, or use a bucket with storage.ListedUploads",
		}
	}
	return nil
}

// expireUploads aborts the uploads that are older than the UploadsAge of a rule.
func (e *expiry) expireUploads(ctx context.Context, rule int) error {
	var aborting running.Group
	err := e.abortUploads(ctx, rule, &aborting)
	aborting.Wait()
	if ctx.Err() != nil {
		// Uploads whose requests ctx has interrupted count neither as failed nor as aborted.
		return joberror.OfContext(ctx.Err())
	}
	return err
}

// abortUploads starts to abort the uploads that are older than the UploadsAge of a rule. The caller
// must wait for the group aborting.
func (e *expiry) abortUploads(ctx context.Context, rule int, aborting *running.Group) error {
	requests := newSemaphore(e.settings.concurrency)
	prefix := e.rules[rule].Prefix
	age := e.rules[rule].UploadsAge
	for upload, err := range storage.ListUploads(ctx, e.bucket, storage.WithPrefix(prefix)) {
		if err != nil {
			return err
		}
		isExpired := e.settings.files.Selects(upload.Key) && e.isTooOld(upload.Begun, age)
		if !isExpired {
			continue
		}
		// An earlier rule already aborts this upload.
		if e.isAbortedBefore(rule, upload) {
			continue
		}

		if !requests.acquire(ctx, 1) {
			return joberror.OfContext(ctx.Err())
		}
		aborting.Go(func() {
			defer requests.release(1)
			e.abortUpload(ctx, upload)
			requests.ended(0, 1)
		}, nil)
	}
	return nil
}

// isAbortedBefore reports whether an earlier rule aborts the upload. The later one then skips it, because
// a dry run would count it twice.
func (e *expiry) isAbortedBefore(rule int, upload storage.UploadEntry) bool {
	for _, earlier := range e.rules[:rule] {
		if earlier.UploadsAge == 0 || !strings.HasPrefix(upload.Key, earlier.Prefix) {
			continue
		}
		if e.isTooOld(upload.Begun, earlier.UploadsAge) {
			return true
		}
	}
	return false
}

// abortUpload aborts an upload, unless this is a dry run, and counts the result.
func (e *expiry) abortUpload(ctx context.Context, entry storage.UploadEntry) {
	if !e.settings.dryRun {
		if err := storage.AbortUpload(ctx, e.bucket, entry); err != nil {
			e.reporter.countDestinationFailure(ctx, entry.Key, err)
			return
		}
	}
	e.reporter.countAborted(entry.Key)
}
