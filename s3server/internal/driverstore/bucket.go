package driverstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/s3server/internal/keyname"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
)

// A driverBucket is an open bucket of the service. It translates the store's operations to calls of
// the bucket's driver.
type driverBucket struct {
	name   string
	store  *Store
	driver driver.Driver

	mu           sync.Mutex
	desc         *driver.Description // never modified; nil if it must be requested from the driver
	records      *records            // nil until openRecords has found or made them
	cached       *cachedBucket
	settingsLock running.Lock // held while the settings are changed
	openLock     running.Lock // held while openRecords makes requests

	names   driverNames
	uploads driverUploads
}

// A cachedBucket has the settings of a bucket, and the time at which they were read.
type cachedBucket struct {
	bucket   *state.Bucket
	revision string // revision of the record with the settings; "" if there is no record
	readAt   time.Time
}

func (b *driverBucket) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.driver.Close()
	if b.records != nil {
		b.records.close()
	}
}

// update passes changes of versioning and object lock from the settings old to the settings updated to the driver.
// Other settings are only in the bucket's record.
func (b *driverBucket) update(ctx context.Context, old, updated *state.Bucket) error {
	// The provider behind a gateway has lifecycle rules of its own.
	if updated.Lifecycle != old.Lifecycle && !b.ownStore() {
		return s3error.New("NotImplemented", "Resource", "lifecycle").WithMessage("A gateway does not run lifecycle rules")
	}

	r := &driver.BucketRequest{Name: b.name}
	if updated.Versioning != old.Versioning {
		if err := b.updateVersioning(old, updated); err != nil {
			return err
		}
		// The driver keeps all versions even while S3's versioning is suspended. S3 keeps only one null version of a
		// key, so the store removes the older one after each write.
		r.Versioning = new(true)
	}

	// Object lock can only be turned on.
	r.ObjectLock = updated.Locking != nil && old.Locking == nil
	isUnchanged := r.Versioning == nil && !r.ObjectLock
	if isUnchanged {
		return nil
	}
	if _, err := b.store.Service.UpdateBucket(ctx, r); err != nil {
		return storageerror.ToS3(err, b.name)
	}
	b.mu.Lock()
	defer b.mu.Unlock()

	// The description may have changed, so ask the driver again.
	b.desc = nil
	return nil
}

// updateVersioning prepares a change of the versioning from the settings old to the settings updated. It fails if the
// store does not support the new versioning. Otherwise it records the time of the change in updated.VersioningChanges.
func (b *driverBucket) updateVersioning(old, updated *state.Bucket) error {
	if updated.Versioning != state.Enabled && !b.ownStore() {
		return s3error.New("NotImplemented", "Resource", "versioning").
			WithMessage("This server cannot suspend versioning of a bucket behind a gateway")
	}
	if err := b.requireFeature(storage.Versioning, "versioning"); err != nil {
		// The driver, or a layer over it, has no versioning.
		return err
	}

	// The times of these changes tell which versions are null versions. They are kept only for this library's own
	// stores, because other providers have their own null versions and clocks.
	isEnabled := updated.Versioning == state.Enabled
	wasEnabled := old.Versioning == state.Enabled
	if b.ownStore() && isEnabled != wasEnabled {
		updated.VersioningChanges = append(slices.Clone(old.VersioningChanges), b.store.Now())
	}
	return nil
}

// description returns the description of the driver, for which it asks only once until b.desc is reset.
func (b *driverBucket) description() *driver.Description {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.desc == nil {
		b.desc = new(b.driver.Describe())
	}
	return b.desc
}

// keepsVersions reports whether the bucket keeps versions, or has ever kept them.
func (b *driverBucket) keepsVersions() bool {
	if b.description().Versioned {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cached != nil && b.cached.bucket.Versioning != ""
}

func (b *driverBucket) has(f storage.Features) bool { return b.description().Features&f == f }

// requireFeature fails with NotImplemented if the driver does not have the feature f, which S3 calls by this name.
func (b *driverBucket) requireFeature(f storage.Features, name string) error {
	if b.has(f) {
		return nil
	}
	return s3error.New("NotImplemented", "Resource", name).WithMessage("The store behind this server has no %s", name)
}

// checkEmpty fails with BucketNotEmpty if the bucket has objects or versions other than the server's records.
func (b *driverBucket) checkEmpty(ctx context.Context) error {
	errNotEmpty := s3error.New("BucketNotEmpty", "BucketName", b.name)
	for e, err := range b.names.entries(ctx, &driver.ListRequest{}) {
		if err != nil {
			return err
		}
		if !isRecord(e.Key) {
			return errNotEmpty
		}
	}
	if !b.keepsVersions() {
		return nil
	}

	// A bucket without objects may still have noncurrent versions and delete markers. The method versions leaves out
	// the records, so the first version is enough.
	for _, err := range b.names.versions(ctx, &driver.ListRequest{}) {
		if err != nil {
			return err
		}
		return errNotEmpty
	}
	return nil
}

// ownStore reports whether the bucket belongs to one of this library's own stores: a directory or
// memory. These stores keep null versions and delete markers as S3 does. They accept parts in any
// order, can change all properties of an object, and can keep attributes of any length. A store of
// any other driver may differ, even on this machine.
func (b *driverBucket) ownStore() bool {
	provider := b.description().Provider
	return provider == "local" || provider == "memory"
}

// naming returns the rules by which S3's keys become names of the driver. The zero value, for this library's own
// stores, escapes all unusual segments. Azure treats a backslash as a slash and advises against names that end with a
// dot, so such segments are escaped.
func (b *driverBucket) naming() keyname.Naming {
	if b.ownStore() {
		return keyname.Naming{}
	}
	d := b.description()
	return keyname.Naming{
		Empty:  true,
		Slash:  d.Features&storage.LeadingSlashes != 0,
		Others: d.Provider != "azure",
	}
}
