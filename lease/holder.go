package lease

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
)

// releaseTimeout limits the time of requests that continue after the caller's ctx has ended.
const releaseTimeout = 10 * time.Second

// remaining returns how long this process may rely on the lease if every renewal fails: until 3/4
// of the TTL after the last successful write. At the end of the TTL, another process may take the
// lease over.
func (l *Lease) remaining() time.Duration { return time.Until(l.state.sent.Add(l.ttl / 4 * 3)) }

// lostError returns the error of a lease that another process may hold now.
func (l *Lease) lostError() error {
	return l.failed(storage.Changed, "lease was lost: another process may hold it now")
}

// markLost ends the context of the lease.
func (l *Lease) markLost() { l.cancel(l.lostError()) }

// renew renews the lease if that is due. If a request fails, a later call tries again.
func (l *Lease) renew(ctx context.Context) {
	// Give up slow requests early enough for others before the lease is lost.
	ctx, cancel := context.WithTimeout(ctx, l.ttl/4)
	defer cancel()

	// The last renewal may have changed the object without a response, or a waiting process has changed
	// it to ask for the lease.
	mayHaveChanged := l.isUnsure || l.wantsHandover
	if mayHaveChanged && !l.reread(ctx) {
		return
	}

	// A renewal is due a fifth of the TTL after the last write, so that a few may fail before the lease is lost.
	isDue := time.Since(l.state.sent) >= l.ttl/5
	if !isDue {
		return
	}
	renewed, err := l.write(ctx, l.state, l.state.record)
	if err != nil {
		l.isUnsure = true
		return
	}
	l.isUnsure = false
	l.state = renewed
	l.expiry.Reset(l.remaining())
}

// reread reads the object, which may have changed, and makes it the state of the lease. It returns false
// if the read fails, or if the lease is lost because the object names another holder. If a process waits
// for the lease, reread tells the program.
func (l *Lease) reread(ctx context.Context) bool {
	latest, err := l.read(ctx)
	if err != nil {
		return false
	}
	if latest.record.Holder != l.holder {
		l.markLost()
		return false
	}

	l.adopt(latest)
	l.isUnsure = false
	if latest.record.Wanted && l.wantsHandover {
		l.closeWanted()
	}
	return true
}

// adopt makes a state that was read the state of the lease. It keeps the times of the last write and of
// the acquisition, which the object does not have.
func (l *Lease) adopt(latest state) {
	latest.sent = l.state.sent
	latest.record.Began = l.state.record.Began
	l.state = latest
}

// maxFrees is how many times free tries to free the lease.
const maxFrees = 4

// end stops renewing the lease and releases it, or returns the error of the loss if the lease was
// already lost.
func (l *Lease) end() error {
	l.stop()
	l.renewing.Wait()
	l.expiry.Stop()

	// The cause is set if the lease was lost. After cancel, it would always be set.
	lost := context.Cause(l.ctx)
	l.cancel(nil)

	// Free the lease even if it was lost, because the object may still name this process.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), releaseTimeout)
	defer cancel()
	freeErr := l.free(ctx)
	return cmp.Or(lost, freeErr)
}

// free writes to the object that nobody holds the lease. If an interrupted renewal or a process
// that asks for the lease has changed the object, free reads it and tries again.
func (l *Lease) free(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		err := l.freeOnce(ctx)
		if err == nil {
			return nil
		}
		if attempt == maxFrees {
			return l.releaseError(err)
		}

		// The write failed. The object shows whether it took effect nevertheless.
		latest, readErr := l.read(ctx)
		if readErr != nil {
			if l.remaining() <= 0 {
				// Another process may have taken the lease over.
				return l.lostError()
			}
			return l.releaseError(err)
		}
		if latest.record.Holder != l.holder {
			if errors.Is(err, storage.OutcomeUnknown) && l.remaining() > 0 {
				// The object no longer names this holder, and no other process could take over yet. So the
				// write has freed the lease, although its outcome was unknown.
				return nil
			}
			return l.lostError()
		}

		// This process still holds the lease. The next attempt replaces the revision that was read.
		l.adopt(latest)
	}
}

// releaseError returns the error of a release that failed with err, which is Changed if another
// process may have taken over.
func (l *Lease) releaseError(err error) error {
	if errors.Is(err, storage.PreconditionFailed) || l.remaining() <= 0 {
		return l.failed(storage.Changed, "lease was lost: another process may hold it now: "+err.Error())
	}
	return err
}

// freeOnce writes to the object that nobody holds the lease. With WithRemoval, it removes the object
// instead, unless that could remove the lease of another holder.
func (l *Lease) freeOnce(ctx context.Context) error {
	// prepare has checked that l.bucket is a bucket, which is a Remover.
	remover, _ := l.bucket.(storage.Remover)
	if l.wantsRemoval && storage.Supports(l.bucket, storage.ConditionalRemove) {
		return remover.Remove(ctx, l.key, storage.IfRevision(l.state.revision))
	}
	if l.wantsRemoval && l.remaining() > 0 {
		// This Remove has no condition, so it must end before another process can take the lease over.
		// Otherwise, it could remove the object of that process.
		ctx, cancel := context.WithTimeout(ctx, l.remaining())
		defer cancel()
		return remover.Remove(ctx, l.key)
	}

	// The object stays, because it keeps the token.
	_, err := l.write(ctx, l.state, record{Token: l.state.record.Token, Began: l.state.record.Began})
	return err
}
