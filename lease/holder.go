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

// remaining returns how long this process may still rely on the lease if every renewal fails: until 3/4
// of the TTL after the last successful write. At the end of the TTL, another process may take the
// lease over.
func (l *Lease) remaining() time.Duration { return time.Until(l.state.sent.Add(l.ttl / 4 * 3)) }

func (l *Lease) lostError() error {
	return l.failed(storage.Changed, "lease was lost: another process may hold it now")
}

func (l *Lease) markLost() { l.cancel(l.lostError()) }

// renew renews the lease if a renewal is due. If the outcome of the last renewal is unknown, renew
// first reads the object to find out.
func (l *Lease) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.ttl/4)
	defer cancel()
	if l.unsure || l.handover {
		is, err := l.read(ctx)
		if err != nil {
			return
		}
		if is.record.Holder != l.holder {
			l.markLost()
			return
		}
		if is.record.Wanted && l.handover {
			l.want.Do(func() {
				close(l.wanted)
			})
		}
		is.sent = l.state.sent
		is.record.Began = l.state.record.Began
		l.state = is
		l.unsure = false
	}

	if time.Since(l.state.sent) < l.ttl/5 {
		return
	}
	current, err := l.write(ctx, l.state, l.state.record)
	l.unsure = err != nil
	if err == nil {
		l.state = current
		l.expiry.Reset(l.remaining())
	}
}

// end stops renewing the lease, and releases it. If the lease was already lost, end returns the
// error of the loss.
func (l *Lease) end() error {
	l.stop()
	l.renewing.Wait()
	l.expiry.Stop()
	lost := context.Cause(l.ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), releaseTimeout)
	defer cancel()
	l.cancel(nil)
	return cmp.Or(lost, l.free(ctx))
}

// free writes to the object that nobody holds the lease. If that fails because the object has
// changed, free reads it and tries again. The change may come from an interrupted renewal, or from
// a process that asks for the lease.
func (l *Lease) free(ctx context.Context) error {
	for tries := 0; ; tries++ {
		err := l.clear(ctx)
		if err == nil {
			return nil
		}
		if tries == 3 {
			return l.releaseError(err)
		}
		latest, readErr := l.read(ctx)
		switch {
		// Nobody knows who holds it, and this holder may not any more.
		case readErr != nil && l.remaining() <= 0:
			return l.lostError()
		case readErr != nil:
			return l.releaseError(err)
		case latest.record.Holder == l.holder:
			latest.sent = l.state.sent
			latest.record.Began = l.state.record.Began
			l.state = latest
		// The outcome of the write is unknown, but the object no longer names this holder. No other
		// process could take over yet. So the write has freed the lease.
		case errors.Is(err, storage.OutcomeUnknown) && l.remaining() > 0:
			return nil
		default:
			return l.lostError()
		}
	}
}

// releaseError returns the error of a release that failed with err. If another process may have taken
// over, the lease counts as lost.
func (l *Lease) releaseError(err error) error {
	if errors.Is(err, storage.PreconditionFailed) || l.remaining() <= 0 {
		return l.failed(storage.Changed, "lease was lost: another process may hold it now: "+err.Error())
	}
	return err
}

func (l *Lease) clear(ctx context.Context) error {
	remover, _ := l.bucket.(storage.Remover)
	if l.removal && storage.Supports(l.bucket, storage.ConditionalRemove) {
		return remover.Remove(ctx, l.key, storage.IfRevision(l.state.revision))
	}
	if l.removal && l.remaining() > 0 { // no process can have taken over the lease yet
		// This Remove has no condition. After the timeout, it could remove the object of the next
		// holder.
		ctx, cancel := context.WithTimeout(ctx, l.remaining())
		defer cancel()
		return remover.Remove(ctx, l.key)
	}
	_, err := l.write(ctx, l.state, record{Token: l.state.record.Token, Began: l.state.record.Began})
	return err
}
