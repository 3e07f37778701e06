package tus

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/omnibucket/storage"
)

// A Locker gives locks of uploads to any number of servers with the same bucket. A lock is an
// object that its holder replaces every few seconds, by conditional writes. If a holder has died,
// another server takes the lock 15 seconds after the last replacement that it has seen. No clock
// of one machine is compared with that of another.
type Locker struct {
	bucket  storage.ReadWriter
	poll    time.Duration // how often both sides look at the object
	refresh time.Duration // how often the holder replaces it
	dead    time.Duration // how long a holder that lives leaves it as it is, at most
}

func newLocker(b storage.ReadWriter) *Locker {
	return &Locker{bucket: b, poll: time.Second, refresh: 5 * time.Second, dead: 15 * time.Second}
}

// UseIn makes the locks those of a composer, for a program that has another store.
func (l *Locker) UseIn(c *handler.StoreComposer) { c.UseLocker(l) }

// NewLock returns the lock of an upload, which is not locked.
func (l *Locker) NewLock(id string) (handler.Lock, error) {
	return &lock{locker: l, key: id + ".lock", holder: rand.Text()}, nil
}

// A claim is what the object of a lock says, in JSON.
type claim struct {
	Holder string
	Wanted bool // another request waits
	Beat   int  // so that each replacement is another content
}

// A lock is a lock of one request.
type lock struct {
	locker   *Locker
	key      string
	holder   string
	revision string // of the object as the holder has written it last
	end      context.CancelFunc
	ended    chan struct{}
}

// Lock waits until it has the lock, and asks its holder for it. If ctx ends first, the error is
// handler.ErrLockTimeout.
func (l *lock) Lock(ctx context.Context, requestUnlock func()) error {
	err := l.acquire(ctx)
	if err != nil && ctx.Err() != nil {
		return handler.ErrLockTimeout
	}
	if err != nil {
		return err
	}
	holding, end := context.WithCancel(context.WithoutCancel(ctx))
	l.end, l.ended = end, make(chan struct{})
	go func() {
		defer close(l.ended)
		l.hold(holding, requestUnlock)
	}()
	return nil
}

func (l *lock) acquire(ctx context.Context) (err error) {
	var seen string // the revision that another holder has written
	var since time.Time
	for {
		l.revision, err = l.write(ctx, claim{Holder: l.holder}, storage.IfAbsent())
		if storage.CodeOf(err) != storage.PreconditionFailed {
			return err
		}
		found, revision, err := l.read(ctx)
		switch {
		case storage.CodeOf(err) == storage.ObjectNotFound:
			continue // it was unlocked just now
		case err != nil:
			return err
		case revision != seen:
			seen, since = revision, time.Now()
		case time.Since(since) > l.locker.dead:
			l.revision, err = l.write(ctx, claim{Holder: l.holder}, storage.IfRevision(seen))
			if storage.CodeOf(err) != storage.PreconditionFailed {
				return err
			}
		}
		if !found.Wanted {
			found.Wanted = true
			if asked, err := l.write(ctx, found, storage.IfRevision(revision)); err == nil {
				seen = asked // the holder has not written this one
			}
		}
		if err := sleep(ctx, l.locker.poll); err != nil {
			return err
		}
	}
}

// hold replaces the object until ctx ends. If another request waits, or if the lock is lost, it
// calls requestUnlock once.
func (l *lock) hold(ctx context.Context, requestUnlock func()) {
	refreshed, asked := time.Now(), false
	for beat := 1; sleep(ctx, l.locker.poll) == nil; beat++ {
		found, revision, err := l.read(ctx)
		mine := err == nil && found.Holder == l.holder
		if ctx.Err() != nil {
			return
		}
		if mine && time.Since(refreshed) >= l.locker.refresh {
			found.Beat = beat
			if written, err := l.write(ctx, found, storage.IfRevision(revision)); err == nil {
				refreshed, l.revision = time.Now(), written
			}
		}
		lost := err == nil && !mine || storage.CodeOf(err) == storage.ObjectNotFound || time.Since(refreshed) > l.locker.dead
		if (lost || mine && found.Wanted) && !asked {
			asked = true
			go requestUnlock() // it may call Unlock, which waits for this function
		}
		if lost {
			return
		}
	}
}

// Unlock releases the lock. If another server has taken it, that one keeps it.
func (l *lock) Unlock() error {
	l.end()
	<-l.ended
	ctx, cancel := context.WithTimeout(context.Background(), l.locker.dead)
	defer cancel()
	conditional := storage.Supports(l.locker.bucket, storage.ConditionalRemove)
	if conditional { // usually nobody else has written the object
		err := l.locker.bucket.Remove(ctx, l.key, storage.IfRevision(l.revision))
		if storage.CodeOf(err) != storage.PreconditionFailed {
			return err
		}
	}
	for {
		found, revision, err := l.read(ctx)
		if storage.CodeOf(err) == storage.ObjectNotFound || err == nil && found.Holder != l.holder {
			return nil
		}
		if err != nil {
			return err
		}
		var opts []storage.RemoveOption
		if conditional {
			opts = append(opts, storage.IfRevision(revision))
		}
		err = l.locker.bucket.Remove(ctx, l.key, opts...)
		if storage.CodeOf(err) != storage.PreconditionFailed { // else: another request has asked for it just now
			return err
		}
	}
}

// write replaces the object, and returns its revision.
func (l *lock) write(ctx context.Context, c claim, condition storage.UploadOption) (revision string, err error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	attrs, err := l.locker.bucket.Upload(ctx, l.key, bytes.NewReader(text), condition)
	if err != nil {
		return "", err
	}
	return attrs.Revision, nil
}

func (l *lock) read(ctx context.Context) (c claim, revision string, err error) {
	text, attrs, err := storage.ReadAll(ctx, l.locker.bucket, l.key)
	if err != nil {
		return c, "", err
	}
	return c, attrs.Revision, json.Unmarshal(text, &c)
}

// sleep waits for d, or until ctx ends. It returns the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
