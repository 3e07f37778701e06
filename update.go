package storage

import (
	"bytes"
	"context"
)

// Update changes an object by compare-and-swap: change gets what is there (nil,
// nil where nothing is) and says what shall be; another writer in between makes
// it run again, until ctx is done. An error of change ends it, as BodyFailed
// that errors.As and errors.Is reach through, and nothing is written. As every
// write it replaces the attributes too: what opts do not say (content type,
// metadata, …) does not stay as it was, but is as Upload has it. It needs
// ConditionalCreate and ConditionalUpdate. The object is held in memory. Where
// UniqueRevisions is not declared (S3), an object that was changed and changed
// back in between passes for unchanged.
func Update(ctx context.Context, b interface {
	Uploader
	Downloader
}, key string, change func(old []byte, attrs *Attrs) ([]byte, error), opts ...UploadOption) (*Attrs, error) {
	fail := func(e *Error) (*Attrs, error) {
		return nil, located(b, "Update", key, e)
	}
	var r PutRequest
	if err := r.Apply(opts...); err != nil {
		return fail(ownError(err))
	}
	if r.set.guarded {
		return fail(invalid("option", "of Update must not be a condition: it sets its own"))
	}
	if own, ok := b.(*bucket); ok {
		if e := own.core.need(ConditionalCreate|ConditionalUpdate, "Update"); e != nil {
			return fail(e)
		}
	}
	opts = append(opts[:len(opts):len(opts)], nil)
	pause := newRetrier(RetryPolicy{})
	for attempt := 1; ; attempt++ {
		old, attrs, err := ReadAll(ctx, b, key)
		switch CodeOf(err) {
		case "":
			opts[len(opts)-1] = IfRevision(attrs.Revision)
		case ObjectNotFound:
			old, attrs = nil, nil
			opts[len(opts)-1] = IfAbsent()
		case Changed: // while it was read
			if pause.wait(ctx, min(attempt, 6), 0) != nil {
				return fail(asError(ctx, ctx.Err()))
			}
			continue
		default:
			return nil, err
		}
		data, err := change(old, attrs)
		if err != nil {
			return fail(bodyFailed(err))
		}
		attrs, err = b.Upload(ctx, key, bytes.NewReader(data), opts...)
		if CodeOf(err) != PreconditionFailed {
			return attrs, err
		}
		if pause.wait(ctx, min(attempt, 6), 0) != nil {
			return fail(asError(ctx, ctx.Err()))
		}
	}
}
