package storage

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/ctxtime"
)

// Update changes an object by compare-and-swap. It reads the object into memory, calls change
// with content and attributes (nil, nil if there is none), and stores the result if nobody has
// written in between. If another writer was faster, it starts over, until ctx is done or 1,000
// were faster: then it fails with Unavailable. It also waits if a read or write is
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
	u := &update{
		rounds: rounds{b: b, op: "Update", key: key}, b: b, change: change,
		opts: append(opts[:len(opts):len(opts)], nil),
	}
	if e := u.check(opts); e != nil {
		return nil, u.rounds.located(e)
	}
	return u.rounds.until(ctx, u.try)
}

// An update is one call of Update.
type update struct {
	rounds rounds
	b      interface {
		Uploader
		Downloader
	}
	change func(old []byte, attrs *Attrs) ([]byte, error)
	opts   []UploadOption   // the last one is the condition of a round
	reads  []DownloadOption // the options of each read
}

// check reads the options, and refuses a bucket that does not compare revisions.
func (u *update) check(opts []UploadOption) (e *Error) {
	var r UploadOptions
	if err := r.Apply(opts...); err != nil {
		return ownError(err)
	}
	if r.Condition != (Condition{}) {
		return invalid("option", "of Update must not be a condition: it sets its own")
	}
	u.reads = nativeReads(r.Native, true)
	return u.rounds.check()
}

// try makes one round: it reads the object, and stores what change makes of it.
func (u *update) try(ctx context.Context) (*Attrs, error) {
	condition := &u.opts[len(u.opts)-1]
	old, attrs, err := ReadAll(ctx, u.b, u.rounds.key, u.reads...)
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
		return nil, u.rounds.located(e)
	}
	return u.b.Upload(ctx, u.rounds.key, bytes.NewReader(data), u.opts...)
}

// Append adds p to the end of an object, and returns the attributes of the whole. If there is no
// object, Append creates one. Several writers may append at once: each adds its bytes once, and they
// begin at Size - len(p). Readers see the object before or after it. The object keeps as much as with
// [Copy], and options replace attributes. [WithVersion] does not fit.
//
// If another writer was faster, Append starts over, as [Update] does. If a condition is given, it
// fails with PreconditionFailed instead. If errors.Is(err, [OutcomeUnknown]), the bytes may be there.
//
// With [ServerAppend], only p passes through this process; else the whole object does. It needs
// [ConditionalCreate] and [ConditionalUpdate].
func Append(ctx context.Context, b interface {
	Uploader
	Downloader
}, key string, p []byte, opts ...CopyOption) (*Attrs, error) {
	if _, e := need(b, "Append", key); e != nil {
		return nil, e
	}
	var given CopyOptions
	r := &rounds{b: b, op: "Append", key: key}
	e := ownError(given.Apply(opts...))
	if e == nil && given.Version != "" {
		e = invalid("WithVersion", "does not fit Append: a version stays as it is")
	}
	if e == nil {
		e = r.check()
	}
	if e != nil {
		return nil, r.located(e)
	}
	add := append(opts[:len(opts):len(opts)], tailOption(p))
	create := given.creating()
	try := func(ctx context.Context) (attrs *Attrs, err error) {
		if !given.Condition.Absent {
			attrs, err = Copy(ctx, b, key, b, key, add...)
		}
		if given.Condition.Absent || CodeOf(err) == ObjectNotFound {
			attrs, err = b.Upload(ctx, key, bytes.NewReader(p), create)
		}
		return attrs, err
	}
	r.once = given.Condition != (Condition{})
	attrs, err := r.until(ctx, try)
	if e := ownError(err); e != nil {
		e.Op = r.op
		return nil, e
	}
	return attrs, nil
}

type tailOption []byte

func (o tailOption) applyCopy(r *CopyOptions) {
	if r.Tail = o; o == nil {
		r.Tail = []byte{}
	}
}

// maxConflicts is how often a call runs again because another writer was faster: for about
// ten minutes.
const maxConflicts = 1000

// rounds are the rounds of a call: each reads the object, and writes if nobody has written in
// between.
type rounds struct {
	b       any
	op, key string
	once    bool // the caller has given the condition: there is one round

	policy    *backoff.Policy
	conflicts int // how many rounds were lost to other writers
	throttled backoff.Tries
}

func (r *rounds) located(e *Error) *Error { return located(r.b, r.op, r.key, e) }

// check refuses a bucket that does not compare revisions.
func (r *rounds) check() (e *Error) {
	r.policy = backoff.New(0, 0, 0)
	if own := engineOf(r.b); own != nil {
		r.policy = own.RetryPolicy()
		if e = own.Need(ConditionalCreate, "IfAbsent, which "+r.op+" needs,"); e == nil {
			e = own.Need(ConditionalUpdate, "IfRevision, which "+r.op+" needs,")
		}
	}
	return e
}

// until makes rounds until one succeeds, or fails for a reason other than another writer. With
// once it makes one round.
func (r *rounds) until(ctx context.Context, try func(context.Context) (*Attrs, error)) (*Attrs, error) {
	for {
		attrs, err := try(ctx)
		if err == nil || r.once {
			return attrs, err
		}
		if err := r.wait(ctx, err); err != nil {
			return nil, err
		}
	}
}

// wait returns nil if another round is to follow one that failed with err, else how the call ends.
func (r *rounds) wait(ctx context.Context, err error) error {
	e := ownError(err)
	var delay time.Duration
	switch {
	case e.state.Overwritten != nil: // the change may be in what the other writer has read
		return r.located(ownError(e.state.Overwritten))
	case e.Code == Changed, e.Code == PreconditionFailed: // by another writer
		if r.conflicts == maxConflicts {
			return r.located(
				&Error{
					Code: Unavailable, Err: err,
					Hint: "too many writers update this object: spread them over several keys",
				},
			)
		}
		delay = rand.N(backoff.FirstDelay << min(r.conflicts, 5))
		r.conflicts++
		r.throttled = backoff.Tries{}
	case e.Code == RateLimited && !e.Unknown: // else it may be done, and would be done twice
		var again bool
		if delay, again = r.policy.Allow(&r.throttled, true, e.RetryAfter); !again {
			return err
		}
	default:
		return err
	}
	if ctxtime.Sleep(ctx, delay) == nil {
		return nil
	}
	e = AsError(ctx, ctx.Err())
	e.Err = errors.Join(e.Err, err)
	return r.located(e)
}

// nativeReads returns native options as options for reads. Auxiliary reads belong to another operation
// with these options, which need not fit them.
func nativeReads(natives []NativeValue, auxiliary bool) []DownloadOption {
	if len(natives) == 0 {
		return nil
	}
	return []DownloadOption{downloadOption(func(r *DownloadOptions) {
		r.Native = append(r.Native, natives...)
		r.Auxiliary = auxiliary
	})}
}

// creating returns the options by which Append makes an object that is not there: all but those of the source.
func (r *CopyOptions) creating() UploadOptions {
	create := UploadOptions{
		Size: -1, Properties: r.Properties, Set: r.Set, Controls: r.Controls, Native: r.Native,
		Condition: r.Condition, Transfer: r.Transfer, applied: true,
	}
	if create.Condition == (Condition{}) {
		create.Condition.Absent = true
	}
	return create
}
