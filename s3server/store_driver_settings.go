package s3server

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

const (
	bucketRecord = "bucket.json"
	// These are how long settings may be those of the past, if another process has changed them: on
	// this machine, and behind a gateway.
	nearAge, farAge = 20 * time.Millisecond, 5 * time.Second
)

// read returns the bucket with its settings, which are those of this moment if fresh is true.
func (b *driverBucket) read(ctx context.Context, fresh bool) (*cachedBucket, error) {
	b.mu.Lock()
	cached := b.cached
	b.mu.Unlock()
	local, age := b.description().Local, farAge
	if local {
		age = nearAge
	}
	if cached != nil && !fresh && time.Since(cached.at) < age {
		return cached, nil
	}
	r, err := b.openRecords(ctx, false)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return b.readNatural(ctx)
	}
	if cached != nil && cached.revision != "" && local {
		revision, err := r.revision(ctx, bucketRecord)
		if err == nil && revision == cached.revision {
			return b.keep(cached.bucket, revision), nil
		}
	}
	var record settingsRecord
	revision, err := r.get(ctx, bucketRecord, &record)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return b.readNatural(ctx)
	}
	if err != nil {
		return nil, driverError(sdkerror.WithoutEffect(err), b.name)
	}
	settings, err := record.settings(b.name)
	if err != nil {
		return nil, err
	}
	return b.keep(&bucket{name: b.name, account: record.Account, region: record.Region, created: record.Created, versioningChanges: record.Changes, settings: settings}, revision), nil
}

// readNatural returns a bucket that this server did not make.
func (b *driverBucket) readNatural(ctx context.Context) (*cachedBucket, error) {
	info, err := b.service.BucketInfo(ctx, b.name)
	if err != nil {
		return nil, driverError(sdkerror.WithoutEffect(err), b.name)
	}
	if b.description().Local { // the directory that is open may be another one, which is gone
		_, err := b.driver.Head(ctx, &storage.GetRequest{Key: bucketRecord, Length: -1})
		if storage.CodeOf(err) == storage.BucketNotFound {
			return nil, driverError(err, b.name)
		}
	}
	found := &bucket{name: b.name, account: b.account, region: b.region, created: shownTime(info.Created), settings: b.natural}
	if info.Versioning {
		found.versioning = enabled
	}
	if info.ObjectLock {
		found.locking = &lockSettings{}
		if d := info.DefaultRetention; d.Days > 0 {
			found.locking = &lockSettings{mode: string(d.Mode), days: d.Days}
		}
	}
	return b.keep(found, ""), nil
}

func (b *driverBucket) keep(found *bucket, revision string) *cachedBucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cached = &cachedBucket{found, revision, time.Now()}
	if found.versioning != "" && !b.desc.Versioned {
		b.desc = storage.Description{} // another process has enabled it: ask the driver again
	}
	return b.cached
}

// write replaces the record of the settings, if it is still that of old.
func (b *driverBucket) write(ctx context.Context, changed *bucket, old *cachedBucket) error {
	r, err := b.openRecords(ctx, true)
	if err != nil {
		return err
	}
	condition := storage.Condition{Absent: true}
	if old.revision != "" {
		condition = storage.Condition{Revision: old.revision}
	}
	if !b.has(storage.ConditionalCreate | storage.ConditionalUpdate) {
		condition = storage.Condition{}
	}
	revision, err := r.put(ctx, bucketRecord, recordOf(changed), condition)
	if err != nil {
		return driverError(err, b.name)
	}
	b.keep(changed, revision)
	return nil
}
