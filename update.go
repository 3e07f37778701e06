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
	u := &update{b: b, key: key, change: change, opts: append(opts[:len(opts):len(opts)], nil), policy: backoff.New(0, 0, 0)}
	if e := u.check(opts); e != nil {
		return nil, u.located(e)
	}
	for {
		attrs, err := u.try(ctx)
		if err == nil {
			return attrs, nil
		}
		if err := u.wait(ctx, err); err != nil {
			return nil, err
		}
	}
}

// An update is one call of Update.
type update struct {
	b interface {
		Uploader
		Downloader
	}
	key    string
	change func(old []byte, attrs *Attrs) ([]byte, error)
	opts   []UploadOption   // the last one is the condition of a round
	reads  []DownloadOption // the options of each read

	policy    *backoff.Policy
	conflicts int // how many rounds were lost to other writers
	throttled backoff.Tries
}

func (u *update) located(e *Error) *Error { return located(u.b, "Update", u.key, e) }

// check reads the options, and refuses a bucket that does not compare revisions.
func (u *update) check(opts []UploadOption) (e *Error) {
	var r UploadOptions
	if err := r.Apply(opts...); err != nil {
		return ownError(err)
	}
	if r.set.Guarded {
		return invalid("option", "of Update must not be a condition: it sets its own")
	}
	u.reads = nativeReads(r.set.Natives, true)
	if own, ok := reach(u.b); ok {
		u.policy = own.Core().RetryPolicy()
		if e = own.Need(ConditionalCreate, "IfAbsent, which Update needs,"); e == nil {
			e = own.Need(ConditionalUpdate, "IfRevision, which Update needs,")
		}
	}
	return e
}

// try makes one round: it reads the object, and stores what change makes of it.
func (u *update) try(ctx context.Context) (*Attrs, error) {
	condition := &u.opts[len(u.opts)-1]
	old, attrs, err := ReadAll(ctx, u.b, u.key, u.reads...)
	switch CodeOf(err) {
	case "":
		*condition = IfRevision(attrs.Revision)
	case ObjectNotFound:
		old, attrs = nil, nil
		*condition = IfAbsent()
	default:
		return nil, err
	}
	data, err := u.change(old, attrs)
	if err != nil {
		e := bodyFailed(err)
		e.state.Text = "change failed"
		return nil, u.located(e)
	}
	return u.b.Upload(ctx, u.key, bytes.NewReader(data), u.opts...)
}

// wait returns nil if another round is to follow one that failed with err, else how Update ends.
func (u *update) wait(ctx context.Context, err error) error {
	e := ownError(err)
	var delay time.Duration
	switch {
	case e.state.Overwritten != nil: // the change may be in what the other writer has read
		return u.located(ownError(e.state.Overwritten))
	case e.Code == Changed, e.Code == PreconditionFailed: // by another writer
		if u.conflicts == maxConflicts {
			return u.located(&Error{Code: Unavailable, Err: err, Hint: "too many writers update this object: spread them over several keys"})
		}
		delay = rand.N(backoff.FirstDelay << min(u.conflicts, 5))
		u.conflicts++
		u.throttled = backoff.Tries{}
	case e.Code == RateLimited && !e.Unknown: // else it may be done, and would be done twice
		var again bool
		if delay, again = u.policy.Allow(&u.throttled, true, e.RetryAfter); !again {
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
	return u.located(e)
}

// nativeReads returns native options as those of reads. Auxiliary reads belong to another operation with
// these options, which need not fit them.
func nativeReads(natives []unexported.Native, auxiliary bool) []DownloadOption {
	if len(natives) == 0 {
		return nil
	}
	return []DownloadOption{downloadOption(func(r *DownloadOptions) {
		r.set.Natives = append(r.set.Natives, natives...)
		r.set.Auxiliary = auxiliary
	})}
}
