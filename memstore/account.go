package memstore

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/signedurl"
)

const provider = "memory"

// An account holds buckets. Each [driver.ObjectRef] names the account of its object. If the source
// of a copy has the same account, Copy shares the bytes instead of copying them.
type account struct {
	// location identifies the account by a random text. The memory address of the account does not
	// suffice, because a later account may get the same address.
	location       string
	now            func() time.Time
	keys           func() (signedurl.Keys, error)
	archiveClasses []string
	restoreTime    time.Duration
	// writes counts the writes to all buckets. Each write takes the count as its revision. The
	// counter is not per bucket, so a bucket that is deleted and created again never repeats a
	// revision.
	writes atomic.Uint64

	mu      sync.RWMutex // locked before the mutex of a bucket
	buckets btree.Map[string, *bucket]
}

// newAccount returns an account without buckets, which has a copy of the settings in c.
func newAccount(c ServiceConfig) *account {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &account{
		location:       rand.Text(),
		now:            c.Now,
		keys:           signingKeys(c.SigningKeys),
		archiveClasses: slices.Clone(c.ArchiveClasses),
		restoreTime:    max(0, c.RestoreTime),
	}
}

// time returns the current time. The caller must not hold a lock, because the clock may be a
// function of the user. The result has the full resolution of the clock, so that a reader can
// distinguish two writes within one second. It has no monotonic part, which would make equal times
// differ.
func (a *account) time() time.Time { return a.now().UTC().Round(0) }

// find returns the bucket with this name. It fails with BucketNotFound if there is none.
func (a *account) find(name string) (*bucket, error) {
	a.mu.RLock()
	b, ok := a.buckets.Get(name)
	a.mu.RUnlock()
	if !ok {
		return nil, storage.BucketNotFound
	}
	return b, nil
}

// create creates the bucket that info describes. It fails with BucketExists if the account has a
// bucket with that name.
func (a *account) create(info storage.BucketInfo) (*bucket, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.buckets.Get(info.Name); ok {
		return nil, storage.BucketExists
	}
	b := newBucket(a, info)
	a.buckets.Set(info.Name, b)
	return b, nil
}

// findOrCreate returns the bucket with this name, and creates it if there is none.
func (a *account) findOrCreate(name string) *bucket {
	info := storage.BucketInfo{Name: name, Provider: provider, Created: a.time()}
	for {
		if b, err := a.find(name); err == nil {
			return b
		}

		// If create fails, another call has created the bucket meanwhile, so look again.
		if b, err := a.create(info); err == nil {
			return b
		}
	}
}

// remove removes a bucket from the account. It fails with BucketNotEmpty if the bucket has objects or
// noncurrent versions.
func (a *account) remove(name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	b, ok := a.buckets.Get(name)
	if !ok {
		return storage.BucketNotFound
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	if b.live.len() > 0 || b.noncurrent.Len() > 0 {
		return storage.BucketNotEmpty
	}

	// Drivers that have found the bucket before must not use it any longer.
	b.isRemoved.Store(true)
	a.buckets.Delete(name)
	return nil
}

// contextErr returns Canceled or DeadlineExceeded if ctx has ended, and otherwise nil.
func contextErr(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return argument.ContextCode(err)
	}
	return nil
}
