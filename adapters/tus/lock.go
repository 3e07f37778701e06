package tus

import (
	"context"
	"errors"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/lease"
)

// A Locker locks uploads for any number of servers that share a bucket. A lock is a lease of
// package lease. If the holder of a lock dies, another server takes the lock 15 seconds after it
// last saw a renewal. The clocks of two machines are never compared.
type Locker struct {
	bucket storage.ReadWriter
	ttl    time.Duration
}

func newLocker(b storage.ReadWriter) *Locker { return &Locker{bucket: b, ttl: 15 * time.Second} }

// UseIn sets the Locker in a composer. Call it if the program uses a data store other than [Store].
// [Store.UseIn] already sets the Locker of the Store.
func (l *Locker) UseIn(c *handler.StoreComposer) { c.UseLocker(l) }

// NewLock returns the lock for an upload. It does not acquire the lock.
func (l *Locker) NewLock(id string) (handler.Lock, error) {
	return &lock{locker: l, key: id + ".lock"}, nil
}

// A lock implements handler.Lock. Each request has its own lock value, which locks one upload.
type lock struct {
	locker *Locker
	key    string
	lease  *lease.Lease
}

// Lock asks the present holder to release the lock, and waits until it has acquired the lock. It then has
// requestUnlock called once if another request waits for the lock, or if the lock is lost.
//
// If ctx ends first, the error is handler.ErrLockTimeout. If the ID cannot be a key, and so belongs to no
// upload, it is handler.ErrNotFound.
func (l *lock) Lock(ctx context.Context, requestUnlock func()) error {
	acquired, err := l.locker.acquire(ctx, l.key)
	if err != nil {
		return l.lockError(ctx, err)
	}

	l.lease = acquired
	go func() {
		select {
		case <-acquired.Wanted():
			requestUnlock()
		case <-acquired.Context().Done():
			// The context also ends after Unlock. Only the cause Changed means that the lock is lost.
			if errors.Is(context.Cause(acquired.Context()), storage.Changed) {
				requestUnlock()
			}
		}
	}()
	return nil
}

// acquire waits for the lease with this key.
func (l *Locker) acquire(ctx context.Context, key string) (*lease.Lease, error) {
	return lease.Acquire(ctx, l.bucket, key, lease.WithTTL(l.ttl), lease.WithHandover(), lease.WithRemoval())
}

// lockError returns the error of Lock after acquire failed with err. It is handler.ErrNotFound if no upload can
// have the ID, because the store does not accept the ID as a key.
func (l *lock) lockError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return handler.ErrLockTimeout
	}
	if exists, _ := l.locker.bucket.Exists(ctx, l.key); exists {
		// The object with this key is not a lock.
		return err
	}

	// The store may have refused the ID as a key, or it may fail for every key. orNotFound finds out which, with a
	// lock of another key.
	acquireOther := func(key string) error {
		other, err := l.locker.acquire(ctx, key)
		if err != nil {
			return err
		}
		return other.Release()
	}
	return orNotFound(err, acquireOther)
}

// Unlock releases the lock, unless another server has taken it over.
func (l *lock) Unlock() error {
	err := l.lease.Release()
	if errors.Is(err, storage.Changed) {
		return nil
	}
	return err
}
