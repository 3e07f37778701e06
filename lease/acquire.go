package lease

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/ctxtime"
)

// A waiter watches the object of the lease until it acquires the lease. Its times are those of the
// monotonic clock of this process.
type waiter struct {
	lease   *Lease
	looked  bool
	seen    string    // revision that the object had at the last look
	since   time.Time // time at which this waiter first saw that revision
	token   int64     // token of the last holder
	due     time.Time // WithInterval forbids acquiring the lease before this time
	touched bool
}

func (w *waiter) acquire(ctx context.Context) error {
	for {
		acquired, wait, err := w.look(ctx)
		if acquired || err != nil {
			return err
		}
		if err := ctxtime.Sleep(ctx, wait); errors.Is(err, context.DeadlineExceeded) {
			return w.lease.failed(storage.DeadlineExceeded, "nobody released the lease in time")
		} else if err != nil {
			return w.lease.failed(storage.Canceled, "canceled while it waited for the lease")
		}
	}
}

// look reads the object once and acquires the lease if possible. Otherwise it returns how long to
// wait before the next look.
func (w *waiter) look(ctx context.Context) (acquired bool, wait time.Duration, err error) {
	l := w.lease
	var found state
	// With WithRemoval, a free lease has no object. So the first look skips the read, and tries to
	// create the object.
	if w.looked || !l.removal {
		if found, err = l.read(ctx); err != nil {
			return false, 0, err
		}
	}
	now := time.Now()
	if !w.looked || found.revision != w.seen {
		w.looked = true
		w.seen = found.revision
		w.since = now
	}
	if found.record.Holder != "" {
		remaining := found.ttl() - now.Sub(w.since)
		if remaining <= 0 { // the holder has not renewed the lease for a whole TTL, so it has died
			return w.take(ctx, found)
		}
		w.ask(ctx, found)
		return false, min(remaining, found.ttl()/looks), nil
	}
	wait = w.untilDue(found, now)
	if wait <= 0 {
		return w.take(ctx, found)
	}
	if w.touched {
		return false, wait, nil
	}
	// Write the same content again, so that the next read returns the current time of the store's
	// clock. Began is the time of the last acquisition. If the last write seems older, somebody has
	// set the store's clock back. In that case, set Began to the time of the last write. The
	// interval of all waiters then begins at that time.
	w.touched = true
	if found.modified.Before(found.record.Began) {
		found.record.Began = found.modified
	}
	if _, err = l.write(ctx, found, found.record); storage.CodeOf(err) == storage.PreconditionFailed {
		err = nil
	}
	return false, 0, err
}

// ask marks the object once, so that the holder learns that another process waits. This write
// changes the revision of the object. ask stores the new revision in w.seen, so that the waiter
// does not take it for a renewal by the holder.
func (w *waiter) ask(ctx context.Context, current state) {
	if !w.lease.handover || current.record.Wanted {
		return
	}
	current.record.Wanted = true
	if asked, err := w.lease.write(ctx, current, current.record); err == nil {
		w.seen = asked.revision
	}
}

// untilDue returns how long WithInterval still forbids acquiring the lease. The interval begins at
// the last acquisition. The store reports when the object was last written. The time between the
// acquisition and the last write has certainly passed. untilDue therefore subtracts that time from
// the interval. The time since the last write is unknown, so the result may be too long. A later
// call may return less. If the store reports no times, the interval begins now.
func (w *waiter) untilDue(current state, now time.Time) time.Duration {
	interval := w.lease.interval
	start := current.record.Began
	if interval == 0 || start.IsZero() && current.record.Token == 0 {
		return 0
	}
	due := now.Add(interval)
	if !start.IsZero() {
		due = due.Add(-min(max(0, current.modified.Sub(start)), interval))
	}
	if w.due.IsZero() || current.record.Token != w.token || due.Before(w.due) {
		w.due = due
		w.token = current.record.Token
	}
	return w.due.Sub(now)
}

// take tries to acquire the lease. If another process was faster, it returns how long to wait.
func (w *waiter) take(ctx context.Context, current state) (acquired bool, wait time.Duration, err error) {
	l := w.lease
	start := time.Now()
	l.state, err = l.write(ctx, current, record{Holder: l.holder, Token: current.record.Token + 1, TTL: l.ttl})
	if err == nil && (l.interval == 0 || !l.state.modified.IsZero()) {
		l.state.record.Began = l.state.modified
		return true, 0, nil
	}
	// If the response was lost, the write may have succeeded: read the object to find out.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	is, unread := l.read(within)
	if unread == nil && is.record.Holder == l.holder {
		l.state = is
		l.state.sent = start
		l.state.record.Began = is.modified
		if ctx.Err() == nil {
			return true, 0, nil
		}
		_ = l.free(within) // the error does not matter, because the TTL ends anyway
		return false, 0, nil
	}
	if err == nil {
		_ = l.free(within)
		return false, 0, unread
	}
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return false, l.ttl / looks, nil
	}
	return false, 0, err
}
