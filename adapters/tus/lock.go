package tus

import (
	"context"
	"errors"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/lease"
)

// A Locker gives locks of uploads to any number of servers with the same bucket. A lock is a lease of
// package lease: if its holder has died, another server takes the lock 15 seconds after the last renewal
// that it has seen. No clock of one machine is compared with that of another.
type Locker struct {
	bucket storage.ReadWriter
	ttl    time.Duration
}

func newLocker(b storage.ReadWriter) *Locker { return &Locker{bucket: b, ttl: 15 * time.Second} }

// UseIn makes the locks those of a composer, for a program that has another store.
func (l *Locker) UseIn(c *handler.StoreComposer) { c.UseLocker(l) }

// NewLock returns the lock of an upload, which is not locked.
func (l *Locker) NewLock(id string) (handler.Lock, error) {
	return &lock{locker: l, key: id + ".lock"}, nil
}

// A lock is a lock of one request.
type lock struct {
	locker *Locker
	key    string
	lease  *lease.Lease
}

// Lock waits until it has the lock, and asks its holder for it. If another request waits, or if the lock
// is lost, it calls requestUnlock once. If ctx ends first, the error is handler.ErrLockTimeout. If the ID
// cannot be a key, nobody has such an upload: the error is handler.ErrNotFound.
func (l *lock) Lock(ctx context.Context, requestUnlock func()) error {
	held, err := l.locker.acquire(ctx, l.key)
	if err != nil {
		return l.failure(ctx, err)
	}
	l.lease = held
	go func() {
		select {
		case <-held.Wanted():
			requestUnlock()
		case <-held.Context().Done():
			if errors.Is(context.Cause(held.Context()), storage.Changed) {
				requestUnlock()
			}
		}
	}()
	return nil
}

func (l *Locker) acquire(ctx context.Context, key string) (*lease.Lease, error) {
	return lease.Acquire(ctx, l.bucket, key, lease.WithTTL(l.ttl), lease.WithHandover(), lease.WithRemoval())
}

func (l *lock) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return handler.ErrLockTimeout
	}
	if there, _ := l.locker.bucket.Exists(ctx, l.key); there { // an object that is not a lock
		return err
	}
	return orNotFound(err, func(key string) error {
		probe, err := l.locker.acquire(ctx, key)
		if err == nil {
			err = probe.Release()
		}
		return err
	})
}

// Unlock releases the lock. If another server has taken it, that one keeps it.
func (l *lock) Unlock() error {
	err := l.lease.Release()
	if errors.Is(err, storage.Changed) {
		return nil
	}
	return err
}
