package transfer

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/panics"
)

const (
	// leaseTime is how long a lease holds that is not renewed.
	leaseTime = time.Minute
	// leaseGrace is how long after that another takes it over: clocks differ.
	leaseGrace = time.Minute
	// renewEvery leaves room for two renewals that fail.
	renewEvery = leaseTime / 4
	// releaseWithin bounds the last write of a process that is told to end.
	releaseWithin = 10 * time.Second
)

// A lease is an object that says who runs a job. It changes hands by writes that
// are conditional on what was read.
type lease struct {
	bucket interface {
		storage.Uploader
		storage.Downloader
	}
	key        string
	holder     string // this process
	revision   string // of the object as it was read or written last; "" where there is none
	record     leaseRecord
	clockError error // why take did not believe the record; nil: it did
}

// A leaseRecord is what the object holds.
type leaseRecord struct {
	Holder string    `json:"holder,omitempty"` // "": nobody
	Until  time.Time `json:"until,omitzero"`   // unless it is renewed
	Began  time.Time `json:"began,omitzero"`   // when the job last began
	// Nonce makes every write another content: a revision may be the content's.
	Nonce string `json:"nonce"`
}

func newLease(b interface {
	storage.Uploader
	storage.Downloader
}, key string) *lease {
	return &lease{bucket: b, key: key, holder: nonce()}
}

func nonce() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// prepare makes the object where it is missing, and makes sure that the bucket
// has both conditions: before the job could ever run.
func (l *lease) prepare(ctx context.Context) error {
	for range 2 { // once as it is found, and once more where that made it
		if err := l.read(ctx); err != nil {
			return err
		}
		absent := l.revision == ""
		if !absent && l.record.Holder != "" {
			return nil // in use, and so the bucket has them
		}
		err := l.write(ctx, l.record)
		if storage.CodeOf(err) != storage.PreconditionFailed && err != nil {
			return err
		}
		if !absent {
			return nil
		}
	}
	return nil
}

// read is what the object says now.
func (l *lease) read(ctx context.Context) error {
	data, attrs, err := storage.ReadAll(ctx, l.bucket, l.key)
	l.revision, l.record = "", leaseRecord{}
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	err = json.Unmarshal(data, &l.record)
	if err == nil && l.record.Holder == "" && l.record.Nonce == "" { // another document, which a write would replace
		err = errors.New("it has neither a holder nor a nonce")
	}
	if err != nil {
		return &storage.Error{
			Code: storage.InvalidArgument, Op: "Every", Key: l.key, Err: err,
			Hint: "the object is no lease: another key is needed, or it is to be removed",
		}
	}
	l.revision = attrs.Revision
	return nil
}

// write is PreconditionFailed where somebody else has written since the last
// read or write.
func (l *lease) write(ctx context.Context, r leaseRecord) error {
	r.Nonce = nonce()
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	condition := storage.IfAbsent()
	opts := []storage.UploadOption{storage.WithContentType("application/json"), condition}
	if l.revision != "" {
		opts[1] = storage.IfRevision(l.revision)
	}
	attrs, err := l.bucket.Upload(ctx, l.key, bytes.NewReader(data), opts...)
	if err != nil {
		return err
	}
	l.revision, l.record = attrs.Revision, r
	return nil
}

// acquire gets the lease; a time other than zero is when to try again. A run that
// was not ended, for its process died, is begun again without waiting for the
// interval. A time that no right clock can have written counts as passed.
func (l *lease) acquire(ctx context.Context, interval time.Duration) (again time.Time, err error) {
	if err := l.read(ctx); err != nil {
		return again, err
	}
	now := time.Now()
	free, due := l.record.Until.Add(leaseGrace), l.record.Began.Add(interval)
	switch l.clockError = nil; {
	case l.record.Holder != "" && l.record.Until.After(now.Add(leaseTime+leaseGrace)):
		l.clockError = l.wrongClock("until", l.record.Until)
	case l.record.Holder == "" && l.record.Began.After(now.Add(leaseGrace)):
		l.clockError = l.wrongClock("began", l.record.Began)
	case l.record.Holder != "" && now.Before(free):
		return free, nil
	case l.record.Holder == "" && now.Before(due):
		return due, nil
	}
	err = l.write(ctx, leaseRecord{Holder: l.holder, Until: now.Add(leaseTime), Began: now})
	if storage.CodeOf(err) == storage.PreconditionFailed { // another was faster
		return now.Add(min(interval, renewEvery)), nil
	}
	return again, err
}

func (l *lease) wrongClock(field string, at time.Time) error {
	return &storage.Error{
		Code: storage.Internal, Op: "Every", Key: l.key,
		Err:  errors.New("the lease says " + field + " " + at.UTC().Format(time.RFC3339) + ", which no right clock can have written: it is taken for expired"),
		Hint: "check the clocks of the hosts that run the job",
	}
}

// runHolding runs job while the lease is renewed, and gives it back. The lease is
// renewed until job has returned, which may take its time after ctx is done.
func (l *lease) runHolding(ctx context.Context, job func(context.Context) error) error {
	running, cancel := context.WithCancelCause(ctx)
	held, ended := context.WithCancel(context.WithoutCancel(ctx))
	var renewing panics.Group
	var lost error
	renewing.Go(func() { lost = l.renew(held, cancel) }, func() { cancel(errLeaseLost) })
	err := func() error {
		defer cancel(nil)
		defer ended()
		return job(running)
	}()
	renewing.Wait()
	if lost != nil {
		return errors.Join(err, lost)
	}
	giving, done := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
	defer done()
	return errors.Join(err, l.release(giving))
}

// release says that nobody holds the lease. A renewal may have been under way
// when the job ended: then the object is another revision, and still ours.
func (l *lease) release(ctx context.Context) error {
	err := l.write(ctx, leaseRecord{Began: l.record.Began})
	if storage.CodeOf(err) != storage.PreconditionFailed {
		return err
	}
	switch ours, err := l.reconcile(ctx); {
	case err != nil:
		return err
	case !ours:
		return errLeaseLost
	}
	return l.write(ctx, leaseRecord{Began: l.record.Began})
}

// renew writes again and again while the lease is held. Where it is lost, it
// cancels the job.
func (l *lease) renew(held context.Context, cancel context.CancelCauseFunc) error {
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-held.Done():
			return nil
		case <-ticker.C:
		}
		lost, err := l.renewOnce(held)
		if held.Err() == nil && (lost || err != nil && !time.Now().Before(l.record.Until)) {
			cancel(errLeaseLost)
			return errors.Join(errLeaseLost, err)
		}
	}
}

// renewOnce reports whether another has the lease. A failure alone does not say
// so: there is time for a further try, until the lease has run out.
func (l *lease) renewOnce(held context.Context) (lost bool, err error) {
	attempt, stop := context.WithDeadline(held, l.record.Until)
	defer stop()
	r := l.record
	r.Until = time.Now().Add(leaseTime)
	err = l.write(attempt, r)
	if storage.CodeOf(err) != storage.PreconditionFailed && !errors.Is(err, storage.OutcomeUnknown) {
		return false, err
	}
	// This write, or one before it whose answer was lost, may have been ours.
	ours, unread := l.reconcile(attempt)
	return unread == nil && !ours, err
}

// reconcile finds out whether the lease is still ours, and which revision it has
// then, after a write whose answer was lost. Its error is that it cannot be known.
func (l *lease) reconcile(ctx context.Context) (ours bool, err error) {
	held, revision := l.record, l.revision
	err = l.read(ctx)
	if err == nil && l.record.Holder == l.holder {
		return true, nil
	}
	l.record, l.revision = held, revision
	return false, err
}
