package lease

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
)

// releaseTimeout bounds requests that continue after the end of a ctx.
const releaseTimeout = 10 * time.Second

// left returns how long the lease is valid if no write succeeds. Another process may take over a
// quarter of the TTL later.
func (l *Lease) left() time.Duration { return time.Until(l.state.sent.Add(l.ttl / 4 * 3)) }

func (l *Lease) lost() error {
	return l.failed(storage.Changed, "lease was lost: another process may hold it now")
}

func (l *Lease) lose() { l.cancel(l.lost()) }

// beat renews the lease if it is time. If the last attempt failed, it first finds out whether that
// attempt took effect.
func (l *Lease) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.ttl/4)
	defer cancel()
	if l.unsure || l.handover {
		is, err := l.read(ctx)
		switch {
		case err != nil:
			return
		case is.record.Holder != l.holder:
			l.lose()
			return
		}
		if is.record.Wanted && l.handover {
			l.want.Do(func() { close(l.wanted) })
		}
		is.sent, is.record.Began = l.state.sent, l.state.record.Began
		l.state, l.unsure = is, false
	}
	if time.Since(l.state.sent) < l.ttl/5 {
		return
	}
	written, err := l.write(ctx, l.state, l.state.record)
	if l.unsure = err != nil; err == nil {
		l.state = written
		l.expiry.Reset(l.left())
	}
}

// end releases the lease.
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

// free writes that nobody holds the lease. If the object is not as it was written last, a renewal that
// was interrupted may have succeeded, or another process has asked for the lease.
func (l *Lease) free(ctx context.Context) error {
	for tries := 0; ; tries++ {
		err := l.clear(ctx)
		if err == nil || tries == 3 {
			return err
		}
		is, unread := l.read(ctx)
		switch {
		case unread != nil:
			return err
		case is.record.Holder == l.holder:
			is.sent, is.record.Began = l.state.sent, l.state.record.Began
			l.state = is
		case errors.Is(err, storage.OutcomeUnknown) && l.left() > 0: // nobody could take over before it was free
			return nil
		default:
			return l.lost()
		}
	}
}

func (l *Lease) clear(ctx context.Context) error {
	remover, _ := l.bucket.(storage.Remover)
	switch {
	case l.removal && storage.Supports(l.bucket, storage.ConditionalRemove):
		return remover.Remove(ctx, l.key, storage.IfRevision(l.state.revision))
	case l.removal && l.left() > 0: // nobody can have taken over the lease
		ctx, cancel := context.WithTimeout(ctx, l.left()) // a later request might remove the lease of another
		defer cancel()
		return remover.Remove(ctx, l.key)
	}
	_, err := l.write(ctx, l.state, record{Token: l.state.record.Token, Began: l.state.record.Began})
	return err
}
