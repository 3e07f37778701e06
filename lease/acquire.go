package lease

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
)

// A waiter watches the object of the lease until it acquires the lease. Its times are by the
// monotonic clock of this process.
type waiter struct {
	lease        *Lease
	revision     string    // revision that the object had at the last read; "" if there was no object
	revisionTime time.Time // time at which this waiter first saw that revision; zero before the first read
	token        int64     // token of the last holder
	due          time.Time // WithInterval forbids acquiring the lease before this time
	hasRewritten bool      // true if rewrite was called
}

// acquire makes attempts until one acquires the lease, and waits between them.
func (w *waiter) acquire(ctx context.Context) error {
	for {
		acquired, wait, err := w.attempt(ctx)
		if acquired || err != nil {
			return err
		}
		err = running.Sleep(ctx, wait)
		if errors.Is(err, context.DeadlineExceeded) {
			return w.lease.failed(storage.DeadlineExceeded, "nobody released the lease in time")
		}
		if err != nil {
			return w.lease.failed(storage.Canceled, "canceled while it waited for the lease")
		}
	}
}

// attempt reads the object once and acquires the lease if possible, or returns how long to wait
// before the next attempt.
func (w *waiter) attempt(ctx context.Context) (acquired bool, wait time.Duration, err error) {
	current, err := w.poll(ctx)
	if err != nil {
		return false, 0, err
	}
	if current.record.Holder == "" {
		return w.acquireFree(ctx, current)
	}

	// Another process holds the lease. If it has not renewed the lease for a whole TTL, it has died.
	remaining := current.ttl() - time.Since(w.revisionTime)
	if remaining <= 0 {
		return w.tryAcquire(ctx, current)
	}

	// Look again several times per TTL, because the holder may release the lease earlier.
	w.requestHandover(ctx, current)
	return false, min(remaining, current.ttl()/pollsPerTTL), nil
}

// poll reads the object. If its revision is new, poll restarts the time after which a lease that has
// not changed may be acquired from its holder.
func (w *waiter) poll(ctx context.Context) (current state, err error) {
	isFirst := w.revisionTime.IsZero()
	// With WithRemoval, a free lease has no object, so the first attempt creates it without a read.
	skipsRead := isFirst && w.lease.wantsRemoval
	if !skipsRead {
		current, err = w.lease.read(ctx)
		if err != nil {
			return state{}, err
		}
	}

	if isFirst || current.revision != w.revision {
		w.revision = current.revision
		w.revisionTime = time.Now()
	}
	return current, nil
}

// acquireFree tries to acquire a lease that nobody holds, as soon as WithInterval permits that.
// Until then, it returns how long to wait.
func (w *waiter) acquireFree(ctx context.Context, current state) (acquired bool, wait time.Duration, err error) {
	wait = w.untilDue(current, time.Now())
	if wait <= 0 {
		return w.tryAcquire(ctx, current)
	}
	if !w.hasRewritten {
		// The next attempt follows at once, because it may find a shorter wait after this write.
		return false, 0, w.rewrite(ctx, current)
	}
	return false, wait, nil
}

// rewrite writes the object again without a change, because the store then reports its current time,
// by which untilDue measures the interval. If another process has changed the object, rewrite does
// nothing.
func (w *waiter) rewrite(ctx context.Context, current state) error {
	w.hasRewritten = true

	// If the last write seems older than the last acquisition, somebody has set the store's clock back.
	// The interval of every waiter then begins at that write.
	isClockSetBack := current.modified.Before(current.record.Began)
	if isClockSetBack {
		current.record.Began = current.modified
	}
	_, err := w.lease.write(ctx, current, current.record)
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return nil
	}
	return err
}

// requestHandover marks the object once, so that the holder learns that another process waits. It
// stores the new revision in w.revision, so that the waiter does not take this write for a renewal
// by the holder.
func (w *waiter) requestHandover(ctx context.Context, current state) {
	if !w.lease.wantsHandover || current.record.Wanted {
		return
	}
	current.record.Wanted = true
	updated, err := w.lease.write(ctx, current, current.record)
	if err != nil {
		// A later attempt tries again.
		return
	}
	w.revision = updated.revision
}

// untilDue returns how long WithInterval still forbids acquiring the lease, counted from the last
// acquisition. The result may be too long at first, and a later call may return less.
func (w *waiter) untilDue(current state, now time.Time) time.Duration {
	interval := w.lease.interval
	if interval == 0 {
		return 0
	}
	began := current.record.Began
	if began.IsZero() && current.record.Token == 0 {
		// Nobody has held the lease yet.
		return 0
	}

	// If the store reports no times, the whole interval begins now.
	due := now.Add(interval)
	if !began.IsZero() {
		// The clock of the store shows how much time passed from the acquisition to the last write of the
		// object, and that time need not be waited again. If the clock was set back, it is negative. How
		// long ago the last write was is unknown, because the clocks may differ.
		passed := max(0, current.modified.Sub(began))
		due = due.Add(-min(passed, interval))
	}

	// Keep the earliest time that was found since the last acquisition. A new token shows a new
	// acquisition.
	isFirst := w.due.IsZero() || current.record.Token != w.token
	if isFirst || due.Before(w.due) {
		w.due = due
		w.token = current.record.Token
	}
	return w.due.Sub(now)
}

// tryAcquire writes to the object that this process holds the lease, or returns how long to wait if
// another process was faster. If ctx has ended by the time at which the success is known, it releases
// the lease again.
func (w *waiter) tryAcquire(ctx context.Context, current state) (acquired bool, wait time.Duration, err error) {
	l := w.lease
	start := time.Now()
	written, err := l.write(ctx, current, record{Holder: l.holder, Token: current.record.Token + 1, TTL: l.ttl})
	l.state = written

	// WithInterval needs the time of the write, which some stores do not return.
	lacksTime := l.interval > 0 && written.modified.IsZero()
	if err == nil && !lacksTime {
		l.state.record.Began = written.modified
		return true, 0, nil
	}

	// Read the object, because its time is missing, or because the write may have succeeded without a
	// response. This and the release must be possible even if ctx has ended.
	cleanupCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	isHeld, readErr := l.readHeld(cleanupCtx, start)
	if isHeld && ctx.Err() == nil {
		return true, 0, nil
	}
	if isHeld {
		// The caller has given up. If this fails, the lease ends after its TTL.
		_ = l.free(cleanupCtx)
		return false, 0, nil
	}

	if err == nil {
		// The write has succeeded, but its time remains unknown. If the release fails, the lease ends
		// after its TTL.
		_ = l.free(cleanupCtx)
		return false, 0, readErr
	}
	if storage.CodeOf(err) == storage.PreconditionFailed {
		// Another process has changed the object first.
		return false, l.ttl / pollsPerTTL, nil
	}
	return false, 0, err
}

// readHeld reads the object, and reports whether it names this holder. If so, its state becomes that
// of the lease, as written at the time sent.
func (l *Lease) readHeld(ctx context.Context, sent time.Time) (isHeld bool, err error) {
	latest, err := l.read(ctx)
	if err != nil || latest.record.Holder != l.holder {
		return false, err
	}
	l.state = latest
	l.state.sent = sent
	l.state.record.Began = latest.modified
	return true, nil
}
