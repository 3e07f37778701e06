package running

import "context"

// A Lock is a mutex that may be held during a request: a call that waits for it heeds its own ctx, which a call that
// waits for a lock of package sync does not. [NewLock] makes one.
type Lock struct{ held chan struct{} }

// NewLock returns a lock that nobody holds.
func NewLock() Lock { return Lock{held: make(chan struct{}, 1)} }

// Lock acquires the lock, and waits if it is held. It fails with ctx.Err() if ctx ends while it
// waits. If it succeeds, the caller must call Unlock.
func (l Lock) Lock(ctx context.Context) error {
	// A free lock is taken even if ctx has ended.
	select {
	case l.held <- struct{}{}:
		return nil
	default:
	}

	select {
	case l.held <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Unlock releases the lock.
func (l Lock) Unlock() { <-l.held }

// A Once makes a value when it is asked for the first time, by requests. Other calls wait meanwhile. An error is kept
// like a value.
type Once[T any] struct {
	lock  Lock
	read  func(ctx context.Context) (T, error)
	done  bool
	value T
	err   error
}

// NewOnce returns a Once whose value is made by fn.
func NewOnce[T any](fn func(ctx context.Context) (T, error)) *Once[T] {
	return &Once[T]{lock: NewLock(), read: fn}
}

// Get returns the value, which the first call makes. It fails with ctx.Err() if ctx ends while it
// waits for another call that makes the value.
func (o *Once[T]) Get(ctx context.Context) (T, error) {
	if err := o.lock.Lock(ctx); err != nil {
		var none T
		return none, err
	}
	defer o.lock.Unlock()

	if !o.done {
		o.value, o.err = o.read(ctx)
		o.done = true
	}
	return o.value, o.err
}
