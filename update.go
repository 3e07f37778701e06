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
// its content and attributes, and stores the result if nobody else has written in between. If the
// object does not exist, change gets nil for both.
//
// If another writer was faster, Update starts a new round, and after 1,000 rounds it fails with
// Unavailable. If a read or write is RateLimited, Update waits and starts a new round, within the
// [RetryPolicy]. WithNative also applies to the reads.
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
		opts:   slices.Clip(opts),
	}
	if err := u.check(); err != nil {
		// The hooks see the Upload as refused.
		return nil, refuseFunction(ctx, b, "Update", "Upload", key, err)
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
	change   func(old []byte, attrs *Attrs) ([]byte, error)
	opts     []UploadOption // options of the write, to which each round adds its condition
	readOpts []DownloadOption
}

// check checks the options of the write, derives those of the reads, and refuses a bucket that
// lacks ConditionalCreate or ConditionalUpdate.
func (u *update) check() *Error {
	var upload UploadOptions
	if err := upload.Apply(u.opts...); err != nil {
		return ownError(err)
	}
	if upload.Condition != (Condition{}) {
		return invalid("option", "of Update must not be a condition: it sets its own")
	}

	// The native options are for the write. The reads ignore those that do not fit a read.
	const auxiliary = true
	u.readOpts = nativeReads(upload.Native, auxiliary)
	return u.rounds.check()
}

// try reads the object, calls change, and stores the result on the condition that the object is
// still the one that was read, or still absent.
func (u *update) try(ctx context.Context) (*Attrs, error) {
	// If there is no object, old and attrs are nil.
	old, attrs, err := ReadAll(ctx, u.b, u.rounds.key, u.readOpts...)
	isAbsent := CodeOf(err) == ObjectNotFound
	if err != nil && !isAbsent {
		return nil, err
	}
	var condition UploadOption = IfAbsent()
	if !isAbsent {
		condition = IfRevision(attrs.Revision)
	}

	data, err := u.change(old, attrs)
	if err != nil {
		failure := bodyFailed(err)
		failure.state.Text = "change failed" // in place of the text that a failed body has
		return nil, u.rounds.locateError(failure)
	}
	// As u.opts has no spare capacity, append makes a copy.
	opts := append(u.opts, condition)
	return u.b.Upload(ctx, u.rounds.key, bytes.NewReader(data), opts...)
}

// Append adds p to the end of an object, which it creates if necessary, and returns the attributes
// of the whole object. Several writers may append at the same time: the bytes of each are added
// once, and begin at the offset attrs.Size - len(p) of the returned attributes. Readers see the
// object as it was before or after the call.
//
// Append keeps the attributes that [Copy] keeps, unless options replace them. WithVersion is not
// permitted. If another writer was faster, Append starts over, as [Update] does. If a condition is
// given, Append fails with PreconditionFailed instead. If errors.Is(err, OutcomeUnknown), the bytes
// may have been added.
//
// In a store with [ServerAppend], only p passes through this process, and otherwise the whole
// object does. Append needs [ConditionalCreate] and [ConditionalUpdate]. Like Update, Append trusts
// a store that refuses a write with status 408, 429 or 503. If the store has made that write
// nevertheless, the bytes may be added twice.
func Append(ctx context.Context, b Updater, key string, p []byte, opts ...CopyOption) (*Attrs, error) {
	if _, err := frontOf(b, "Append", key); err != nil {
		return nil, err
	}
	a := &appending{rounds: rounds{b: b, op: "Append", key: key}, b: b, tail: p}
	if err := a.init(opts); err != nil {
		return nil, refuseFunction(ctx, b, "Append", "Copy", key, err)
	}

	// Each round makes one attempt, and the next begins if another writer was faster.
	attrs, err := a.rounds.repeat(evidence.WithoutFailover(ctx), a.try)
	if err != nil {
		// The error may name the operation of a call that Append makes.
		appendErr := ownError(err)
		appendErr.Op = a.rounds.op
		return nil, appendErr
	}
	return attrs, nil
}

// An appending is one call of Append.
type appending struct {
	rounds     rounds
	b          Updater
	tail       []byte       // the bytes to add
	added      bool         // true if the Core has taken the tail in a copy
	ifAbsent   bool         // true if the caller has given IfAbsent
	copyOpts   []CopyOption // options of the copy that adds the tail
	createOpts UploadOption // options of the upload that creates the object
}

// init derives the options of both writes from those of Append, and refuses a bucket that lacks
// ConditionalCreate or ConditionalUpdate.
func (a *appending) init(opts []CopyOption) *Error {
	var copyOpts CopyOptions
	if err := copyOpts.Apply(opts...); err != nil {
		return ownError(err)
	}
	if copyOpts.Version != "" {
		return invalid("WithVersion", "does not fit Append: a version stays as it is")
	}

	// If the caller's condition fails in one round, it would fail in the next one, too.
	a.rounds.once = copyOpts.Condition != (Condition{})
	a.ifAbsent = copyOpts.Condition.Absent
	a.copyOpts = append(slices.Clip(opts), tailOption{bytes: a.tail, taken: &a.added})
	a.createOpts = copyOpts.createOption()
	return a.rounds.check()
}

// try copies the object onto itself with the tail added, or creates it if it does not exist. With
// the caller's IfAbsent, it only creates.
func (a *appending) try(ctx context.Context) (*Attrs, error) {
	if a.ifAbsent {
		return a.create(ctx)
	}
	key := a.rounds.key
	attrs, err := Copy(ctx, a.b, key, a.b, key, a.copyOpts...)
	if CodeOf(err) == ObjectNotFound {
		return a.create(ctx)
	}
	if err != nil {
		return nil, err
	}
	if !a.added {
		// A Core of another module may ignore the option with the tail.
		return nil, a.rounds.locateError(unsupported(
			"the Core copied the object without the bytes of Append",
			"its CopyFrom must call CopyFrom of the embedded Core with the same options",
		))
	}
	return attrs, nil
}

// create creates the object with only the bytes of Append.
func (a *appending) create(ctx context.Context) (*Attrs, error) {
	return a.b.Upload(ctx, a.rounds.key, bytes.NewReader(a.tail), a.createOpts)
}

// A tailOption makes a copy end with the bytes of Append.
type tailOption struct {
	bytes []byte
	taken *bool // set to true by the Core that adds the bytes
}

// applyCopy sets the tail, and the variable that the Core sets when it adds the tail.
func (o tailOption) applyCopy(opts *CopyOptions) {
	opts.state.Tail = o.bytes
	if o.bytes == nil {
		// For a Core, nil means that the copy has no tail.
		opts.state.Tail = []byte{}
	}
	opts.state.Taken = o.taken
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

// locateError adds the operation, the key and the bucket to err.
func (r *rounds) locateError(err *Error) *Error { return locateError(r.b, r.op, r.key, err) }

// check sets the retry policy, and refuses a bucket that lacks ConditionalCreate or
// ConditionalUpdate. It cannot ask a bucket without an engine, such as one of the user's own type.
func (r *rounds) check() *Error {
	engine := engineOf(r.b)
	if engine == nil {
		r.policy = running.NewDefaultPolicy()
		return nil
	}
	r.policy = engine.RetryPolicy()

	if err := engine.Need(ConditionalCreate, "IfAbsent, which "+r.op+" needs,"); err != nil {
		return err
	}
	return engine.Need(ConditionalUpdate, "IfRevision, which "+r.op+" needs,")
}

// repeat calls round until it succeeds. It waits and tries again if another writer was faster or
// the store is busy, and returns any other error. If r.once is set, it calls round only once.
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

// wait waits until the next round may begin, after one that failed with err. If no round may
// follow, or if ctx ends, it returns the error with which the whole call fails.
func (r *rounds) wait(ctx context.Context, err error) error {
	delay, failure := r.nextDelay(err)
	if failure != nil {
		return failure
	}
	if running.Sleep(ctx, delay) == nil {
		return nil
	}
	// Tell the caller why the call had to wait.
	ctxErr := AsError(ctx, ctx.Err())
	ctxErr.Err = errors.Join(ctxErr.Err, err)
	return r.locateError(ctxErr)
}

// nextDelay returns the time to wait before the next round, after one that failed with err. Only a
// conflict with another writer and a busy store permit another round. Otherwise it returns the error
// with which the whole call fails.
func (r *rounds) nextDelay(err error) (time.Duration, error) {
	roundErr := ownError(err)
	if roundErr.state.Overwritten != nil {
		// This write may have taken effect before another writer replaced the object. Repeating the
		// write could apply the change twice.
		return 0, r.locateError(ownError(roundErr.state.Overwritten))
	}
	if roundErr.Unknown {
		// The write may have taken effect, so it must not be repeated.
		return 0, err
	}

	switch roundErr.Code {
	case Changed, PreconditionFailed:
		// Another writer was faster.
		if r.conflicts == maxConflicts {
			return 0, r.locateError(&Error{
				Code: Unavailable,
				Err:  err,
				Hint: "too many writers update this object: spread them over several keys",
			})
		}
		delay := running.ConflictDelay(r.conflicts)
		r.conflicts++
		// The store no longer refuses requests, so count the refusals from 0.
		r.throttled = running.Tries{}
		return delay, nil
	case RateLimited:
		// The store asks for fewer requests.
		const throttled = true
		delay, mayRetry := r.policy.Allow(&r.throttled, throttled, roundErr.RetryAfter)
		if !mayRetry {
			return 0, err
		}
		return delay, nil
	default:
		return 0, err
	}
}

// createOption returns the option for an upload that creates the object instead of copying it. The
// upload must not replace an object of another writer, so IfAbsent is the default condition.
func (r *CopyOptions) createOption() UploadOption {
	create := UploadOptions{
		Size:       -1, // not declared
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
