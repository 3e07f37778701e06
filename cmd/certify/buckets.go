package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A ledger holds the names of the buckets that the program created and that may still exist.
type ledger struct {
	mu    sync.Mutex
	names map[string]bool
}

// add adds the name of a bucket to the ledger, and reports whether the ledger did not have it.
func (l *ledger) add(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.names == nil {
		l.names = map[string]bool{}
	}
	isNew := !l.names[name]
	l.names[name] = true
	return isNew
}

// remove removes the name of a bucket that no longer exists.
func (l *ledger) remove(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.names, name)
}

// all returns the names of the buckets that may still exist, sorted.
func (l *ledger) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.names))
}

// An account is a driver that records in a ledger which buckets are created and deleted.
type account struct {
	driver.ServiceDriver
	ledger      *ledger
	interrupted *atomic.Bool
}

// CreateBucket creates a bucket and records it in the ledger. After an interruption, it fails with Canceled.
func (a *account) CreateBucket(ctx context.Context, req *driver.BucketRequest) (*storage.BucketInfo, error) {
	if a.interrupted.Load() {
		return nil, storage.Canceled
	}

	// Record the name first, because the bucket may exist even if the response is lost.
	isNew := a.ledger.add(req.Name)
	info, err := a.ServiceDriver.CreateBucket(ctx, req)

	// A new bucket whose creation is refused belongs to somebody else, or does not exist.
	code := storage.CodeOf(err)
	isRefused := code == storage.BucketExists || code == storage.PermissionDenied || code == storage.Unauthenticated
	if isRefused && isNew {
		a.ledger.remove(req.Name)
	}
	return info, err
}

// DeleteBucket deletes a bucket, and removes it from the ledger if it no longer exists.
func (a *account) DeleteBucket(ctx context.Context, name string) error {
	err := a.ServiceDriver.DeleteBucket(ctx, name)
	if err == nil || storage.CodeOf(err) == storage.BucketNotFound {
		a.ledger.remove(name)
	}
	return err
}

// try makes each call that the cases need, on one bucket: it creates the bucket, writes, reads and
// removes an object, and deletes the bucket. If the credentials do not permit these calls, try
// fails before the program creates more buckets.
func (c *certification) try(ctx context.Context) error {
	err := c.tryBucket(ctx, c.name+"-0")
	return errors.Join(err, c.deleteBuckets(context.WithoutCancel(ctx)))
}

// tryBucket creates a bucket, and writes, reads and removes an object in it. It also finds out whether
// the account can keep versions, and records that in c.
func (c *certification) tryBucket(ctx context.Context, name string) error {
	if _, err := c.service.CreateBucket(ctx, name); err != nil {
		return err
	}
	bucket, err := c.service.Bucket(name, storage.WithVersioning(true))
	if err != nil {
		return err
	}
	defer func() { _ = storage.Close(bucket) }()

	attrs, err := bucket.Upload(ctx, "try", strings.NewReader("try"))
	if err != nil {
		return err
	}

	// Find out whether the library can enable versions in this account.
	keepsNoVersions := attrs.Version == "" && storage.Supports(bucket, storage.Versioning)
	if keepsNoVersions {
		_, err := c.service.UpdateBucket(ctx, name, storage.WithVersioning(true))
		c.unversioned = storage.CodeOf(err) == storage.Unsupported
	}

	if _, _, err := storage.ReadAll(ctx, bucket, "try"); err != nil {
		return err
	}
	return bucket.Remove(ctx, "try")
}

// deleteBuckets deletes every bucket of the ledger. Its error names those that could not be deleted.
func (c *certification) deleteBuckets(ctx context.Context) error {
	var failures []error
	for _, name := range c.ledger.all() {
		if err := c.deleteBucket(ctx, name); err != nil {
			failures = append(failures, fmt.Errorf("bucket %s may still exist: %w", name, err))
		}
	}
	return errors.Join(failures...)
}

// deleteBucket empties a bucket and deletes it. A bucket that does not exist is no error.
func (c *certification) deleteBucket(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	bucket, err := c.service.Bucket(name, storage.WithHook(c.count), storage.WithVersioning(true))
	if err != nil {
		return err
	}
	defer func() { _ = storage.Close(bucket) }()

	if err := emptyBucket(ctx, bucket); err != nil {
		return err
	}
	err = c.service.DeleteBucket(ctx, name)
	if storage.CodeOf(err) == storage.BucketNotFound {
		// If the service finds the bucket missing itself, it does not call DeleteBucket of the account, which would
		// update the ledger.
		c.ledger.remove(name)
		return nil
	}
	return err
}

// emptyBucket aborts all uploads of a bucket and removes all its objects and versions. A failed listing is no error:
// if something is left, the deletion of the bucket fails.
func emptyBucket(ctx context.Context, bucket storage.Bucket) error {
	for upload, err := range storage.ListUploads(ctx, bucket) {
		if err != nil {
			// The store does not list uploads, or the bucket is gone.
			break
		}
		if err := storage.AbortUpload(ctx, bucket, upload); err != nil {
			return err
		}
	}

	for version, err := range storage.Versions(ctx, bucket) {
		if err != nil {
			// The store keeps no versions.
			break
		}
		if err := bucket.Remove(ctx, version.Key, storage.WithVersion(version.Version)); err != nil {
			return err
		}
	}

	_, err := storage.RemoveMatching(ctx, bucket, nil)
	if storage.CodeOf(err) == storage.BucketNotFound {
		return nil
	}
	return err
}
