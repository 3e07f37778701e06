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
	"github.com/omnibucket/storage/internal/ctxcode"
	"github.com/omnibucket/storage/internal/signedurl"
)

const provider = "memory"

// An account holds buckets. Locate returns it as the identity of the account, so that
// objects are copied between its buckets without moving their bytes.
type account struct {
	// location is random: the address of an account in memory may be reused.
	location       string
	now            func() time.Time
	keys           func() (signedurl.Keys, error)
	archiveClasses []string
	restoreTime    time.Duration
	// writes counts the writes to all buckets. The count is the revision of a write, so
	// that a bucket that is deleted and created again repeats no revision.
	writes atomic.Uint64

	mu      sync.RWMutex // locked before the mutex of a bucket
	buckets btree.Map[string, *bucket]
}

func newAccount(c ServiceConfig) *account {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &account{
		location: rand.Text(), now: c.Now, keys: signingKeys(c.SigningKeys),
		archiveClasses: slices.Clone(c.ArchiveClasses), restoreTime: max(0, c.RestoreTime),
	}
}

// time returns the current time. The clock may be the user's, so the caller must not
// hold a lock. It keeps the full resolution, by which a reader can tell two writes
// within a second apart. It removes the monotonic part, which makes equal times differ.
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

// create makes the bucket that info describes. If it exists, it fails with BucketExists.
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

// remove removes an empty bucket from the account.
func (a *account) remove(name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	b, found := a.buckets.Get(name)
	if !found {
		return storage.BucketNotFound
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.live.len() > 0 || b.old.Len() > 0 {
		return storage.BucketNotEmpty
	}
	b.gone.Store(true)
	a.buckets.Delete(name)
	return nil
}

// interrupted returns the code for a ctx that has ended. Otherwise it returns nil.
func interrupted(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return ctxcode.Of(err)
	}
	return nil
}
