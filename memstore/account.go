package memstore

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signed"
)

const provider = "memory"

// An account holds buckets. It is the identity that Locate answers with, so
// that objects are copied between its buckets without moving their bytes.
type account struct {
	now  func() time.Time
	keys func() (signed.Keys, error)
	// writes counts the writes to all buckets, and so gives each its revision:
	// a bucket that was removed and made again repeats none.
	writes atomic.Uint64

	mu      sync.RWMutex // is taken before a bucket's
	buckets btree.Map[string, *bucket]
}

func newAccount(c ServiceConfig) *account {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &account{now: c.Now, keys: signingKeys(c.SigningKeys)}
}

// time reads the clock, which may be the user's: no lock is held here. Full
// resolution is kept, since nothing else tells two writes of a second apart for
// a reader; the monotonic part would make equal times differ.
func (a *account) time() time.Time { return a.now().UTC().Round(0) }

func (a *account) find(name string) (*bucket, error) {
	a.mu.RLock()
	b, found := a.buckets.Get(name)
	a.mu.RUnlock()
	if !found {
		return nil, storage.BucketNotFound
	}
	return b, nil
}

// create makes a bucket as info says; BucketExists where there is one.
func (a *account) create(info storage.BucketInfo) (*bucket, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, found := a.buckets.Get(info.Name); found {
		return nil, storage.BucketExists
	}
	b := newBucket(a, info)
	a.buckets.Set(info.Name, b)
	return b, nil
}

func (a *account) findOrCreate(name string) *bucket {
	info := storage.BucketInfo{Name: name, Provider: provider, Created: a.time()}
	for {
		if b, err := a.find(name); err == nil {
			return b
		}
		if b, err := a.create(info); err == nil {
			return b
		}
	}
}

// remove takes an empty bucket out of the account.
func (a *account) remove(name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	b, found := a.buckets.Get(name)
	if !found {
		return storage.BucketNotFound
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.live.len() > 0 || b.kept.Len() > 0 {
		return storage.BucketNotEmpty
	}
	b.gone.Store(true)
	a.buckets.Delete(name)
	return nil
}

// interrupted is the code of a ctx that is done, else nil.
func interrupted(ctx context.Context) error {
	err := ctx.Err()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return storage.DeadlineExceeded
	}
	return storage.Canceled
}
