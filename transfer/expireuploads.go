package transfer

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

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

// uploads aborts the uploads that are older than the UploadsAge of one rule.
func (e *expiry) uploads(ctx context.Context, rule int) error {
	var aborting running.Group
	err := e.abortUploads(ctx, rule, &aborting)
	aborting.Wait()
	// If ctx is done, it may have interrupted some requests. The uploads of these requests count
	// neither as failed nor as aborted.
	if ctx.Err() != nil {
		return joberror.OfContext(ctx.Err())
	}
	return err
}

func (e *expiry) abortUploads(ctx context.Context, rule int, aborting *running.Group) error {
	requests := newSemaphore(e.settings.concurrency)
	for entry, err := range storage.ListUploads(ctx, e.bucket, storage.WithPrefix(e.rules[rule].Prefix)) {
		if err != nil {
			return err
		}
		if !e.settings.files.Selects(entry.Key) || !e.tooOld(entry.Begun, e.rules[rule].UploadsAge) ||
			e.abortedBefore(rule, entry) {
			continue
		}
		if !requests.acquire(ctx, 1) {
			return joberror.OfContext(ctx.Err())
		}
		aborting.Go(func() {
			defer requests.release(1)
			e.abortUpload(ctx, entry)
			requests.ended(0, 1)
		}, nil)
	}
	return nil
}

// abortedBefore reports whether an earlier rule aborts the upload. The later rule then skips the
// upload, because a dry run would count it twice.
func (e *expiry) abortedBefore(rule int, entry storage.UploadEntry) bool {
	return slices.ContainsFunc(e.rules[:rule], func(r ExpireRule) bool {
		return r.UploadsAge > 0 && strings.HasPrefix(entry.Key, r.Prefix) && e.tooOld(entry.Begun, r.UploadsAge)
	})
}

func (e *expiry) abortUpload(ctx context.Context, entry storage.UploadEntry) {
	if !e.settings.dryRun {
		if err := storage.AbortUpload(ctx, e.bucket, entry); err != nil {
			e.reporter.countDestinationFailure(ctx, entry.Key, err)
			return
		}
	}
	e.reporter.countAborted(entry.Key)
}
