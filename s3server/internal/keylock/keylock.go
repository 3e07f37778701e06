// Package keylock implements locks with names. A lock takes memory only while it is in use.
package keylock

import (
	"context"
	"sync"

	"github.com/omnibucket/storage/internal/running"
)

// Locks has one lock for each name, within this process. A lock may be held during requests, without
// delaying calls for other names. The zero value is ready for use.
type Locks struct {
	mu  sync.Mutex
	all map[string]*lock
}

type lock struct {
	mutex running.Lock
	users int // number of calls that hold the lock or wait for it
}

// Lock acquires the lock with this name, or fails with the error of ctx if ctx is done before the lock is free. The
// caller must call unlock.
func (l *Locks) Lock(ctx context.Context, name string) (unlock func(), err error) {
	l.mu.Lock()
	k := l.all[name]
	if k == nil {
		if l.all == nil {
			l.all = map[string]*lock{}
		}
		k = &lock{mutex: running.NewLock()}
		l.all[name] = k
	}

	// A call that waits is a user, too, so the lock stays in the map.
	k.users++
	l.mu.Unlock()

	// Wait without holding l.mu, so that other locks stay available.
	if err := k.mutex.Lock(ctx); err != nil {
		l.release(name, k)
		return nil, err
	}
	return func() {
		k.mutex.Unlock()
		l.release(name, k)
	}, nil
}

// release ends the use of a lock. The last user of the lock removes it from the map.
func (l *Locks) release(name string, k *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k.users--
	if k.users == 0 {
		delete(l.all, name)
	}
}
