package uploads

import (
	"context"
	"sync"
	"time"

	"github.com/omnibucket/storage/internal/panics"
)

// leaseFor is how long a lease lasts. The clocks of two servers may differ by most of this time.
const leaseFor = 10 * time.Minute

// A lease keeps what a running call has reserved in the allowance of a user. It renews the entries of
// the call in the ledger. If the process is killed, the entries are dead after leaseFor, and the next
// Sweep drops them. A nil lease keeps nothing.
type lease struct {
	counter *counter
	user    string
	cancel  context.CancelFunc
	renewal panics.Group

	mu    sync.Mutex
	names []string // names of the entries
}

// newLease returns a lease without entries. The caller must call its method end.
func (c *counter) newLease(user string) *lease {
	if c == nil {
		return nil
	}
	return &lease{counter: c, user: user}
}

// leaseUntil returns the end of a lease that begins now.
func (c *counter) leaseUntil() time.Time {
	length := min(leaseFor, c.service.config.Grace)
	return c.service.config.Now().Add(length).UTC()
}

// add adds an entry to the lease.
func (l *lease) add(ctx context.Context, name string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = append(l.names, name)
	if l.cancel != nil {
		return
	}
	ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	l.renewal.Go(func() {
		for l.counter.service.memory.Pulse(ctx, leaseFor/4) == nil {
			l.renew(ctx)
		}
	}, l.cancel)
}

// renew renews all entries. If that fails, the next renewal tries again. If a Sweep has dropped an
// entry as dead, the call learns it when it counts the file.
func (l *lease) renew(ctx context.Context) {
	l.mu.Lock()
	names := l.names
	l.mu.Unlock()
	for _, name := range names {
		_, _ = l.counter.book.Renew(ctx, l.user, name, l.counter.leaseUntil())
	}
}

// end ends the lease. The entries stay until the call drops or counts them.
func (l *lease) end() {
	if l == nil || l.cancel == nil {
		return
	}
	l.cancel()
	l.renewal.Wait()
}
