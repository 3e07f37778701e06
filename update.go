package storage

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/unexported"
)

// maxConflicts is how often Update runs again because another writer was faster: for about
// ten minutes.
const maxConflicts = 1000

// Update changes an object by compare-and-swap. It reads the object into memory, calls
// change with content and attributes (nil, nil if there is none), and stores the result if
// nobody has written in between. If another writer was faster, it starts over, until ctx is
// done or 1,000 were faster: then it is Unavailable. It also waits if a read or write is
// [RateLimited], within the [RetryPolicy] of each round. [WithNative] holds for reads, too.
//
// If change fails, nothing is written, and Update fails with BodyFailed, which wraps its
// error. Like every write, Update replaces the attributes. If errors.Is(err,
// [OutcomeUnknown]), a second call may apply the change twice. Without [UniqueRevisions]
// (S3), a change that is reverted meanwhile is missed.
func Update(ctx context.Context, b interface {
	Uploader
	Downloader
}, key string, change func(old []byte, attrs *Attrs) ([]byte, error), opts ...UploadOption) (*Attrs, error) {
	fail := func(e *Error) (*Attrs, error) {
		return nil, located(b, "Update", key, e)
	}
	var r UploadOptions
	if err := r.Apply(opts...); err != nil {
		return fail(ownError(err))
	}
	if r.set.Guarded {
		return fail(invalid("option", "of Update must not be a condition: it sets its own"))
	}
	policy := backoff.New(0, 0, 0)
	if own, ok := reach(b); ok {
		policy = own.RetryPolicy()
		e := own.Need(ConditionalCreate, "IfAbsent, which Update needs,")
		if e == nil {
			e = own.Need(ConditionalUpdate, "IfRevision, which Update needs,")
		}
		if e != nil {
			return fail(e)
		}
	}
	reads := auxiliaryReads(r.set.Natives)
	opts = append(opts[:len(opts):len(opts)], nil)
	conflicts := 0
	var throttled backoff.Tries
	// wait returns nil if change is to run again after err, else how Update ends.
	wait := func(err error) error {
		e := ownError(err)
		var delay time.Duration
		switch {
		case e.state.Overwritten != nil: // the change may be in what the other writer has read
			_, ended := fail(ownError(e.state.Overwritten))
			return ended
		case e.Code == Changed, e.Code == PreconditionFailed: // by another writer
			if conflicts == maxConflicts {
				_, ended := fail(&Error{Code: Unavailable, Err: err, Hint: "too many writers update this object: spread them over several keys"})
				return ended
			}
			delay = rand.N(backoff.FirstDelay << min(conflicts, 5))
			conflicts++
			throttled = backoff.Tries{}
		case e.Code == RateLimited && !e.Unknown: // else it may be done, and would be done twice
			var again bool
			if delay, again = policy.Allow(&throttled, true, e.RetryAfter); !again {
				return err
			}
		default:
			return err
		}
		if ctxtime.Sleep(ctx, delay) == nil {
			return nil
		}
		e = asError(ctx, ctx.Err())
		e.Err = errors.Join(e.Err, err)
		_, ended := fail(e)
		return ended
	}
	for {
		old, attrs, err := ReadAll(ctx, b, key, reads...)
		switch CodeOf(err) {
		case "":
			opts[len(opts)-1] = IfRevision(attrs.Revision)
		case ObjectNotFound:
			old, attrs = nil, nil
			opts[len(opts)-1] = IfAbsent()
		default:
			if err = wait(err); err != nil {
				return nil, err
			}
			continue
		}
		data, err := change(old, attrs)
		if err != nil {
			e := bodyFailed(err)
			e.state.Text = "change failed"
			return fail(e)
		}
		if attrs, err = b.Upload(ctx, key, bytes.NewReader(data), opts...); err == nil {
			return attrs, nil
		}
		if err = wait(err); err != nil {
			return nil, err
		}
	}
}

// nativeReads returns native options as those of reads.
func nativeReads(natives []unexported.Native) (opts []DownloadOption) {
	for _, n := range natives {
		opts = append(opts, nativeOption(n))
	}
	return opts
}

// auxiliaryReads returns the options of reads that belong to another operation with these options.
func auxiliaryReads(natives []unexported.Native) (opts []DownloadOption) {
	for _, n := range natives {
		opts = append(opts, auxiliaryOption(n))
	}
	return opts
}

// An auxiliaryOption holds for reads of another operation, whose requests it need not fit.
type auxiliaryOption unexported.Native

func (o auxiliaryOption) applyDownload(r *DownloadOptions) {
	nativeOption(o).applyDownload(r)
	r.set.Auxiliary = true
}
