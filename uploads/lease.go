package uploads

import (
	"context"
	"sync"
	"time"

	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/uploads/internal/ledger"
)

// leaseFor is how long a lease lasts. The clocks of two servers may differ by most of this time.
const leaseFor = 10 * time.Minute

// A lease keeps what a running call has reserved in the allowance of a user. It renews the entries of
// the call in the ledger. If the process is killed, the entries are dead after leaseFor, and the next
// Sweep drops them. A nil lease keeps nothing.
type lease struct {
	book    *ledger.Book
	until   func() time.Time                           // returns the end of a lease that begins now
	pulse   func(context.Context, time.Duration) error // pauses between two renewals
	user    string
	cancel  context.CancelFunc
	renewal running.Group

	mu    sync.Mutex
	names []string // names of the entries
}

// add adds an entry to the lease, which is renewed from now on until the lease ends.
func (l *lease) add(ctx context.Context, name string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = append(l.names, name)
	isRenewing := l.cancel != nil
	if isRenewing {
		// The goroutine of an earlier add renews all entries.
		return
	}
	ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	l.renewal.Go(func() {
		const period = leaseFor / 4
		for l.pulse(ctx, period) == nil {
			l.renew(ctx)
		}
	}, l.cancel)
}

// renew renews all entries. It ignores failures, because the next renewal tries again, and because an
// upload notices a dropped entry when it counts its file.
func (l *lease) renew(ctx context.Context) {
	l.mu.Lock()
	names := l.names
	l.mu.Unlock()
	for _, name := range names {
		_, _ = l.book.Renew(ctx, l.user, name, l.until())
	}
}

// end ends the renewal of the entries, which stay until they are dropped or counted.
func (l *lease) end() {
	if l == nil || l.cancel == nil {
		return
	}
	l.cancel()
	l.renewal.Wait()
}
