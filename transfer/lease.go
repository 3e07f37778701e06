package transfer

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/panics"
	"github.com/omnibucket/storage/internal/serving"
)

const (
	// leaseTime is the time after which a lease expires if it is not renewed.
	leaseTime = time.Minute
	// leaseGrace is the further time before another process takes over, because
	// clocks differ.
	leaseGrace = time.Minute
	// renewEvery allows two renewals to fail.
	renewEvery = leaseTime / 4
	// releaseWithin limits the last write of a process that is stopped.
	releaseWithin = 10 * time.Second
)

// A lease is an object that names the process that runs a job. It is passed on with
// writes that are conditional on the revision that was read.
type lease struct {
	bucket interface {
		storage.Uploader
		storage.Downloader
	}
	key        string
	holder     string // this process
	revision   string // as last read or written; "" if the object does not exist
	record     leaseRecord
	clockError error // the time that acquire ignored because a wrong clock wrote it; or nil
}

// A leaseRecord is the content of the object.
type leaseRecord struct {
	Holder string    `json:"holder,omitempty"` // "" if the lease is free
	Until  time.Time `json:"until,omitzero"`   // unless it is renewed
	Began  time.Time `json:"began,omitzero"`   // last start of the job
	// Nonce makes each content unique, because some stores derive the revision from
	// it.
	Nonce string `json:"nonce"`
}

func newLease(b interface {
	storage.Uploader
	storage.Downloader
}, key string) *lease {
	return &lease{bucket: b, key: key, holder: rand.Text()}
}

// prepare creates the object if it does not exist, and checks that the bucket
// supports both conditions, before the job can run.
func (l *lease) prepare(ctx context.Context) error {
	for range 2 { // a second time if the first created the object
		if err := l.read(ctx); err != nil {
			return err
		}
		absent := l.revision == ""
		if !absent && l.record.Holder != "" {
			return nil // in use: the bucket supports them
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

// read reads the object.
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
	if err == nil && l.record.Holder == "" && l.record.Nonce == "" { // not a lease, and must not be replaced
		err = errors.New("object has neither a holder nor a nonce")
	}
	if err != nil {
		return &storage.Error{
			Code: storage.InvalidArgument, Op: "Every", Key: l.key, Err: err,
			Hint: "the object is not a lease: pass another key to WithLease, or remove the object",
		}
	}
	l.revision = attrs.Revision
	return nil
}

// write fails with PreconditionFailed if another process has written since the last
// read or write.
func (l *lease) write(ctx context.Context, r leaseRecord) error {
	r.Nonce = rand.Text()
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	condition := storage.IfAbsent()
	opts := []storage.UploadOption{condition}
	if l.revision != "" {
		opts[0] = storage.IfRevision(l.revision)
	}
	attrs, err := l.bucket.Upload(ctx, l.key, bytes.NewReader(data), opts...)
	if err != nil {
		return err
	}
	l.revision, l.record = attrs.Revision, r
	return nil
}

// acquire acquires the lease. If it cannot, it returns the time at which to try
// again. If the last run did not end because its process died, the interval does not
// apply. A time that only a wrong clock can have written counts as passed.
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
		Err:  errors.New("lease has " + field + " " + at.UTC().Format(time.RFC3339) + ", which is too far in the future: it counts as expired"),
		Hint: "check the clocks of the hosts that run the job",
	}
}

// runHolding runs job while it renews the lease, and then releases it. It renews the
// lease until job has returned, even after ctx is done.
func (l *lease) runHolding(ctx context.Context, job func(context.Context) error) error {
	running, cancel := context.WithCancelCause(ctx)
	held, ended := context.WithCancel(context.WithoutCancel(ctx))
	var renewing panics.Group
	var lost error
	renewing.Go(func() { lost = l.renew(held, cancel) }, func() { cancel(errLeaseLost) })
	err := func() error {
		defer cancel(nil)
		defer ended()
		return job(serving.Hold(running, l.bucket, l.key))
	}()
	renewing.Wait()
	if lost != nil {
		return errors.Join(err, lost)
	}
	giving, done := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
	defer done()
	return errors.Join(err, l.release(giving))
}

// release frees the lease. If a renewal was in progress when the job ended, the
// object may have another revision and still belong to this process.
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

// renew writes the object repeatedly. If the lease is lost, it cancels the job.
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

// renewOnce reports whether another process has the lease. If only the write fails,
// there is time for another attempt until the lease expires.
func (l *lease) renewOnce(held context.Context) (lost bool, err error) {
	attempt, stop := context.WithDeadline(held, l.record.Until)
	defer stop()
	r := l.record
	r.Until = time.Now().Add(leaseTime)
	err = l.write(attempt, r)
	if storage.CodeOf(err) != storage.PreconditionFailed && !errors.Is(err, storage.OutcomeUnknown) {
		return false, err
	}
	// This write, or an earlier one whose response was lost, may have succeeded.
	ours, unread := l.reconcile(attempt)
	return unread == nil && !ours, err
}

// reconcile determines whether this process still has the lease, and its revision,
// after a write whose response was lost. It returns an error if that is unknown.
func (l *lease) reconcile(ctx context.Context) (ours bool, err error) {
	held, revision := l.record, l.revision
	err = l.read(ctx)
	if err == nil && l.record.Holder == l.holder {
		return true, nil
	}
	l.record, l.revision = held, revision
	return false, err
}
