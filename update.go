package storage

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/running"
)

// Update changes an object by compare-and-swap. It reads the object into memory, calls change with
// its content and attributes, and stores the result if nobody has written in between. If there is
// no object, change gets nil for both. If another writer was faster, Update starts a new round.
// After 1,000 rounds it fails with Unavailable. If a read or write is RateLimited, Update waits and
// starts a new round, within the [RetryPolicy]. WithNative also applies to the reads.
//
// If change fails, nothing is written, and Update fails with BodyFailed, which wraps the error of
// change. Like every write, Update replaces the attributes. If errors.Is(err, OutcomeUnknown), a
// second call may apply the change twice. In a store without [UniqueRevisions] (S3), Update does
// not notice a change that was reverted meanwhile.
//
// Update trusts a store that refuses a write with status 408, 429 or 503, but not a gateway. If the
// store has made the write nevertheless, and another writer replaces the object before the next
// attempt, Update applies the change twice.
func Update(
	ctx context.Context, b Updater, key string,
	change func(old []byte, attrs *Attrs) ([]byte, error), opts ...UploadOption,
) (*Attrs, error) {
	u := &update{
		rounds: rounds{b: b, op: "Update", key: key},
		b:      b,
		change: change,
		// try sets the last option.
		opts: append(slices.Clip(opts), nil),
	}
	if e := u.check(opts); e != nil {
		return nil, refuseFunction(ctx, b, "Update", "Upload", key, e)
	}
	return u.rounds.repeat(evidence.WithoutFailover(ctx), u.try)
}

// An update is one call of Update.
type update struct {
	rounds rounds
	b      interface {
		Uploader
		Downloader
	}
	change func(old []byte, attrs *Attrs) ([]byte, error)
	// opts are the options of the write. The last one is the condition of the current round.
	opts  []UploadOption
	reads []DownloadOption // options of each read
}

// check reads the options, and refuses a bucket that lacks ConditionalCreate or ConditionalUpdate.
func (u *update) check(opts []UploadOption) (e *Error) {
	var r UploadOptions
	if err := r.Apply(opts...); err != nil {
		return ownError(err)
	}
	if r.Condition != (Condition{}) {
		return invalid("option", "of Update must not be a condition: it sets its own")
	}
	// The native options are for the write. The reads ignore those that do not fit a read.
	const auxiliary = true
	u.reads = nativeReads(r.Native, auxiliary)
	return u.rounds.check()
}

// try makes one round: it reads the object, calls change, and stores the result. The write has the
// condition that the object is still the one that was read, or that there is still none.
func (u *update) try(ctx context.Context) (*Attrs, error) {
	var condition UploadOption
	old, attrs, err := ReadAll(ctx, u.b, u.rounds.key, u.reads...)
	switch CodeOf(err) {
	case "": // no error
		condition = IfRevision(attrs.Revision)
	case ObjectNotFound:
		old = nil
		attrs = nil
		condition = IfAbsent()
	default:
		return nil, err
	}
	u.opts[len(u.opts)-1] = condition

	data, err := u.change(old, attrs)
	if err != nil {
		e := bodyFailed(err)
		e.state.Text = "change failed"
		return nil, u.rounds.locateError(e)
	}
	return u.b.Upload(ctx, u.rounds.key, bytes.NewReader(data), u.opts...)
}

// Append adds p to the end of an object, which it creates if necessary, and returns the attributes
// of the whole object. Several writers may append at the same time: the bytes of each are added
// once. They begin at the offset attrs.Size - len(p), if attrs is the result. Readers see the
// object as it was before or after the call.
//
// Append keeps the attributes that [Copy] keeps, and options replace them. WithVersion is not
// permitted. If another writer was faster, Append starts over, as [Update] does. If a condition is
// given, Append fails with PreconditionFailed instead. If errors.Is(err, OutcomeUnknown), the bytes
// may have been added.
//
// In a store with [ServerAppend], only p passes through this process, and otherwise the whole
// object. Append needs [ConditionalCreate] and [ConditionalUpdate]. Like Update, Append trusts a
// store that refuses a write with status 408, 429 or 503. If the store has made that write nevertheless,
// the bytes may be added twice.
func Append(ctx context.Context, b Updater, key string, p []byte, opts ...CopyOption) (*Attrs, error) {
	if _, e := frontOf(b, "Append", key); e != nil {
		return nil, e
	}
	a := &appending{rounds: rounds{b: b, op: "Append", key: key}, b: b, tail: p}
	if e := a.init(opts); e != nil {
		return nil, refuseFunction(ctx, b, "Append", "Copy", key, e)
	}
	attrs, err := a.rounds.repeat(evidence.WithoutFailover(ctx), a.try)
	if e := ownError(err); e != nil {
		e.Op = a.rounds.op
		return nil, e
	}
	return attrs, nil
}

// An appending is one call of Append.
type appending struct {
	rounds  rounds
	b       Updater
	tail    []byte       // the bytes to add
	added   bool         // true if the Core has taken the tail in a copy
	absent  bool         // true if the caller has given IfAbsent
	options []CopyOption // options of the copy that adds the tail
	create  UploadOption // options of the upload that creates the object
}

// init reads the options, and refuses a bucket that lacks ConditionalCreate or ConditionalUpdate.
func (a *appending) init(opts []CopyOption) *Error {
	var o CopyOptions
	if err := o.Apply(opts...); err != nil {
		return ownError(err)
	}
	if o.Version != "" {
		return invalid("WithVersion", "does not fit Append: a version stays as it is")
	}
	// If the caller's condition fails in one round, it would fail in the next one, too.
	a.rounds.once = o.Condition != (Condition{})
	a.absent = o.Condition.Absent
	a.options = append(slices.Clip(opts), tailOption{a.tail, &a.added})
	a.create = o.createOption()
	return a.rounds.check()
}

// try makes one round: it copies the object onto itself with the tail. If there is no object, it
// creates one with the tail. If the caller has given IfAbsent, there must be no object.
func (a *appending) try(ctx context.Context) (*Attrs, error) {
	key := a.rounds.key
	if !a.absent {
		attrs, err := Copy(ctx, a.b, key, a.b, key, a.options...)
		// A Core of another module may ignore the option with the tail.
		if err == nil && !a.added {
			return nil, a.rounds.locateError(unsupported(
				"the Core copied the object without the bytes of Append",
				"its CopyFrom must call CopyFrom of the embedded Core with the same options",
			))
		}
		if CodeOf(err) != ObjectNotFound {
			return attrs, err
		}
	}
	return a.b.Upload(ctx, key, bytes.NewReader(a.tail), a.create)
}

// A tailOption makes a copy end with the bytes of Append.
type tailOption struct {
	bytes []byte
	taken *bool // set to true by the Core that adds the bytes
}

// applyCopy sets the tail, and the variable by which the Core reports that it has added the tail.
// For a Core, nil means that there is no tail, so an empty tail is not nil.
func (o tailOption) applyCopy(r *CopyOptions) {
	r.state.Tail = o.bytes
	if o.bytes == nil {
		r.state.Tail = []byte{}
	}
	r.state.Taken = o.taken
}

// maxConflicts is how many rounds of one call may fail because of other writers. That takes about
// ten minutes.
const maxConflicts = 1000

// rounds repeats a call of Update or Append. Each round reads the object, and writes it if nobody
// has written in between.
type rounds struct {
	b       any
	op, key string
	once    bool // whether the caller has given a condition; if so, a round that fails is not repeated

	policy    *running.Policy
	conflicts int           // number of rounds that were lost to other writers
	throttled running.Tries // rounds in a row that the store has refused because it was busy
}

// locateError adds the operation, the key and the bucket to e.
func (r *rounds) locateError(e *Error) *Error { return locateError(r.b, r.op, r.key, e) }

// check sets the policy of retries, and refuses a bucket that lacks ConditionalCreate or
// ConditionalUpdate. A bucket without a known engine, such as one of the user's own type, is not asked
// for its features: its writes fail if it lacks one.
func (r *rounds) check() *Error {
	engine := engineOf(r.b)
	if engine == nil {
		// Three zeros select the default policy.
		r.policy = running.NewPolicy(0, 0, 0)
		return nil
	}
	r.policy = engine.RetryPolicy()
	if e := engine.Need(ConditionalCreate, "IfAbsent, which "+r.op+" needs,"); e != nil {
		return e
	}
	return engine.Need(ConditionalUpdate, "IfRevision, which "+r.op+" needs,")
}

// repeat runs rounds until one of them succeeds. If another writer was faster or the store is busy,
// repeat waits and runs the next round. It returns any other error. If the caller has given a
// condition, repeat runs only one round.
func (r *rounds) repeat(ctx context.Context, round func(context.Context) (*Attrs, error)) (*Attrs, error) {
	for {
		attrs, err := round(ctx)
		if err == nil || r.once {
			return attrs, err
		}
		if err := r.wait(ctx, err); err != nil {
			return nil, err
		}
	}
}

// wait waits until the next round may begin, and returns nil. err is the error of the previous
// round. If there must be no next round, or if ctx ends, wait returns the error with which the call
// fails.
func (r *rounds) wait(ctx context.Context, err error) error {
	e := ownError(err)
	if e.state.Overwritten != nil {
		// This write may have taken effect before another writer replaced the object. Repeating the
		// write could apply the change twice.
		return r.locateError(ownError(e.state.Overwritten))
	}
	if e.Unknown {
		// The write may have taken effect, so it must not be repeated.
		return err
	}

	var delay time.Duration
	switch e.Code {
	case Changed, PreconditionFailed:
		// Another writer was faster.
		if r.conflicts == maxConflicts {
			return r.locateError(&Error{
				Code: Unavailable,
				Err:  err,
				Hint: "too many writers update this object: spread them over several keys",
			})
		}
		delay = running.ConflictDelay(r.conflicts)
		r.conflicts++
		r.throttled = running.Tries{}
	case RateLimited:
		const throttled = true
		throttledDelay, mayRetry := r.policy.Allow(&r.throttled, throttled, e.RetryAfter)
		if !mayRetry {
			return err
		}
		delay = throttledDelay
	default:
		return err
	}

	if running.Sleep(ctx, delay) == nil {
		return nil
	}
	// Tell the caller why the call had to wait.
	ctxErr := AsError(ctx, ctx.Err())
	ctxErr.Err = errors.Join(ctxErr.Err, err)
	return r.locateError(ctxErr)
}

// createOption returns the option with which Append creates an object. It sets all options of r
// except those for reading the source. Without a condition in r, the upload fails if there is an
// object, so that it does not replace one of another writer.
func (r *CopyOptions) createOption() UploadOption {
	create := UploadOptions{
		Size:       -1,
		Properties: r.Properties,
		Set:        r.Set,
		Controls:   r.Controls,
		Native:     r.Native,
		Condition:  r.Condition,
		Transfer:   r.Transfer,
	}
	if create.Condition == (Condition{}) {
		create.Condition.Absent = true
	}
	return uploadOption(func(upload *UploadOptions) {
		*upload = create
	})
}
