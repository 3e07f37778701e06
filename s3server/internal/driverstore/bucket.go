package driverstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/keyname"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A driverBucket is a bucket that is open.
type driverBucket struct {
	name   string
	store  *Store
	driver driver.Driver

	mu       sync.Mutex
	desc     *driver.Description // replaced, and never changed; nil means that the driver must be asked
	records  *records            // nil until the bucket has records
	cached   *cachedBucket
	changing sync.Mutex // held while the record of the settings is replaced

	names   driverNames
	uploads driverUploads
}

// A cachedBucket is a bucket as it was last read.
type cachedBucket struct {
	bucket   *state.Bucket
	revision string // revision of the record; "" if there is none
	at       time.Time
}

func (b *driverBucket) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.driver.Close()
	if b.records != nil {
		b.records.close()
	}
}

// update passes on to the driver the settings that it must know.
func (b *driverBucket) update(ctx context.Context, old, changed *state.Bucket) error {
	r := &driver.BucketRequest{Name: b.name}
	if changed.Lifecycle != old.Lifecycle && !b.ownStore() {
		return s3error.New(
			"NotImplemented", "Resource", "lifecycle",
		).WithMessage(
			"A gateway does not run lifecycle rules",
		)
	}
	if changed.Versioning != old.Versioning {
		if changed.Versioning != state.Enabled && !b.ownStore() {
			return s3error.New(
				"NotImplemented", "Resource", "versioning",
			).WithMessage(
				"This server cannot suspend versioning of a bucket behind a gateway",
			)
		}
		if err := b.need(storage.Versioning, "versioning"); err != nil {
			return err // also if only the layers lack the feature
		}
		r.Versioning = new(true) // also while versioning is suspended: only null versions are replaced
		// Other providers have null versions of their own, or clocks of their own.
		if b.ownStore() && (changed.Versioning == state.Enabled) != (old.Versioning == state.Enabled) {
			changed.VersioningChanges = append(slices.Clone(old.VersioningChanges), b.store.Now())
		}
	}
	r.ObjectLock = changed.Locking != nil && old.Locking == nil
	if r.Versioning == nil && !r.ObjectLock {
		return nil
	}
	if _, err := b.store.Service.UpdateBucket(ctx, r); err != nil {
		return ErrorOf(err, b.name)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.desc = nil // the driver must be asked again
	return nil
}

// description returns the description of the driver.
func (b *driverBucket) description() *driver.Description {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.desc == nil {
		b.desc = new(b.driver.Describe())
	}
	return b.desc
}

// keepsVersions reports whether there may be versions.
func (b *driverBucket) keepsVersions() bool {
	if b.description().Versioned {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cached != nil && b.cached.bucket.Versioning != ""
}

func (b *driverBucket) has(f storage.Features) bool { return b.description().Features&f == f }

// need returns NotImplemented if the driver lacks a feature.
func (b *driverBucket) need(f storage.Features, what string) error {
	if b.has(f) {
		return nil
	}
	return s3error.New("NotImplemented", "Resource", what).WithMessage("The store behind this server has no %s", what)
}

// checkEmpty fails if the bucket has anything but records.
func (b *driverBucket) checkEmpty(ctx context.Context) error {
	found := false
	err := b.names.eachName(ctx, &driver.ListRequest{}, func(e *storage.ListEntry) bool {
		found = !isRecord(e.Key)
		return !found
	})
	if err == nil && !found && b.keepsVersions() {
		err = b.names.eachVersion(ctx, &driver.ListRequest{}, func(*listedEntry) (bool, error) { // records do not count
			found = true
			return false, nil
		})
	}
	if err == nil && found {
		err = s3error.New("BucketNotEmpty", "BucketName", b.name)
	}
	return err
}

// ownStore reports whether the bucket is one of this library's own stores, a directory or memory. This server knows
// their rules: they keep null versions and delete markers as S3 does, take parts in any order, change what is kept of
// an object, and have room for attributes of any length. A store of another driver on this machine may have other
// rules.
func (b *driverBucket) ownStore() bool {
	provider := b.description().Provider
	return provider == "local" || provider == "memory"
}

// naming returns the naming of the store. Azure treats a backslash as a slash, and advises against
// names that end in a dot.
func (b *driverBucket) naming() keyname.Naming {
	if b.ownStore() {
		return keyname.Naming{}
	}
	d := b.description()
	return keyname.Naming{Empty: true, Slash: d.Features&storage.LeadingSlashes != 0, Others: d.Provider != "azure"}
}
