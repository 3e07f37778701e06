package driverstore

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
)

const (
	bucketRecord = "bucket.json"
	// nearAge and farAge are the maximum ages of cached settings, which another process may have
	// changed in the store. nearAge is for a store on this machine, and farAge for one behind a
	// gateway.
	nearAge, farAge = 20 * time.Millisecond, 5 * time.Second
)

// read returns the settings of the bucket, from the cache if they are not too old.
func (b *driverBucket) read(ctx context.Context) (*cachedBucket, error) {
	cached := b.cachedSettings()
	maxAge := farAge
	if b.description().Local {
		maxAge = nearAge
	}
	isFresh := cached != nil && time.Since(cached.readAt) < maxAge
	if isFresh {
		return cached, nil
	}

	// Old settings are better than none while the store of the records is unavailable.
	return b.readStored(ctx, cached, cached)
}

// readNewest returns the settings of the bucket as they are stored now, for a caller that wants to change them.
func (b *driverBucket) readNewest(ctx context.Context) (*cachedBucket, error) {
	return b.readStored(ctx, b.cachedSettings(), nil)
}

// cachedSettings returns the settings in the cache, or nil if it is empty.
func (b *driverBucket) cachedSettings() *cachedBucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cached
}

// readStored reads the stored settings of the bucket, unless the revision shows that the cached ones are the same.
// While the store of the records is unavailable, it returns the fallback, if that is not nil.
func (b *driverBucket) readStored(ctx context.Context, cached, fallback *cachedBucket) (*cachedBucket, error) {
	isLocal := b.description().Local
	const create = false
	r, err := b.openRecords(ctx, create)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return b.readDriverSettings(ctx)
	}

	// On this machine, it is faster to compare the revision than to read the record.
	if cached != nil && cached.revision != "" && isLocal {
		revision, err := r.revision(ctx, bucketRecord)
		if err == nil && revision == cached.revision {
			return b.cacheSettings(cached.bucket, revision), nil
		}
	}
	return b.readRecord(ctx, r, fallback)
}

// readRecord returns the settings of the bucket from its record. While the store of the records is unavailable, it
// returns the fallback, unless that is nil, because a layer may keep the objects in another store, which is available.
func (b *driverBucket) readRecord(ctx context.Context, r *records, fallback *cachedBucket) (*cachedBucket, error) {
	bucket := &state.Bucket{}
	revision, err := r.get(ctx, bucketRecord, bucket)
	code := storage.CodeOf(err)
	if code == storage.ObjectNotFound {
		// This server has not created the bucket.
		return b.readDriverSettings(ctx)
	}
	if code == storage.Unavailable && fallback != nil {
		return b.cacheSettings(fallback.bucket, fallback.revision), nil
	}
	if err != nil {
		return nil, storageerror.ToS3(sdkerror.WithoutEffect(err), b.name)
	}

	if err := bucket.Init(b.name); err != nil {
		return nil, err
	}
	return b.cacheSettings(bucket, revision), nil
}

// readDriverSettings returns the settings of a bucket that has no record because this server did not create it. They
// are those that the driver knows, and otherwise those of the store for such buckets.
func (b *driverBucket) readDriverSettings(ctx context.Context) (*cachedBucket, error) {
	// Beside an error, info may have what the credentials may read.
	info, err := b.store.Service.BucketInfo(ctx, b.name)
	if info == nil {
		return nil, storageerror.ToS3(sdkerror.WithoutEffect(err), b.name)
	}
	if b.ownStore() {
		// Check that the directory that b has open was not removed and created again.
		_, err := b.driver.Head(ctx, &driver.GetRequest{Key: bucketRecord, Length: -1})
		if storage.CodeOf(err) == storage.BucketNotFound {
			return nil, storageerror.ToS3(err, b.name)
		}
	}

	// The driver knows only some settings, which replace those for buckets without a record.
	bucket := &state.Bucket{
		Name:     b.name,
		Account:  b.store.Account,
		Region:   b.store.Region,
		Created:  shownTime(info.Created),
		Settings: b.store.Defaults,
	}
	if info.Versioning {
		bucket.Versioning = state.Enabled
	}
	if info.ObjectLock {
		bucket.Locking = &state.LockSettings{}
		if d := info.DefaultRetention; d.Days > 0 {
			bucket.Locking = &state.LockSettings{Mode: string(d.Mode), Days: d.Days}
		}
	}

	// Without a record, there is no revision of one.
	const noRevision = ""
	return b.cacheSettings(bucket, noRevision), nil
}

// cacheSettings stores settings in the cache of the bucket. They were read from the store, or written to it, just now.
func (b *driverBucket) cacheSettings(bucket *state.Bucket, revision string) *cachedBucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cached = &cachedBucket{bucket: bucket, revision: revision, readAt: time.Now()}
	if bucket.Versioning != "" && b.desc != nil && !b.desc.Versioned {
		b.desc = nil // another process has enabled versioning: ask the driver again
	}
	return b.cached
}

// write stores the record with the settings, or fails with PreconditionFailed if the record has changed since old was
// read.
func (b *driverBucket) write(ctx context.Context, bucket *state.Bucket, old *cachedBucket) error {
	const create = true
	r, err := b.openRecords(ctx, create)
	if err != nil {
		return err
	}

	condition := storage.Condition{Absent: true}
	if old.revision != "" {
		condition = storage.Condition{Revision: old.revision}
	}
	if !b.has(storage.ConditionalCreate | storage.ConditionalUpdate) {
		// The driver cannot check any condition.
		condition = storage.Condition{}
	}
	revision, err := r.put(ctx, bucketRecord, bucket, condition)
	if err != nil {
		return storageerror.ToS3(err, b.name)
	}
	b.cacheSettings(bucket, revision)
	return nil
}
