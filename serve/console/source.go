package console

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/omnibucket/storage"
)

// A Source provides the buckets that the page shows. [One] and [Account] return sources.
type Source interface {
	// Buckets yields the buckets that the web page lists.
	Buckets(ctx context.Context) iter.Seq2[storage.BucketInfo, error]
	// Bucket returns the bucket with this name. The BucketInfo needs only the Name and, if the
	// bucket keeps removed objects for some time, SoftDelete. The page calls Bucket for each
	// request, and does not close the bucket.
	Bucket(ctx context.Context, name string) (storage.Bucket, storage.BucketInfo, error)
}

// One returns a Source with a single bucket. The page then has no list of buckets. The page
// displays info.Name, and does not use the name for anything else. If info.SoftDelete is set, the
// page offers to restore removed objects.
func One(info storage.BucketInfo, bucket storage.Bucket) Source { return oneBucket{info, bucket} }

type oneBucket struct {
	info   storage.BucketInfo
	bucket storage.Bucket
}

func (o oneBucket) Buckets(context.Context) iter.Seq2[storage.BucketInfo, error] {
	return func(yield func(storage.BucketInfo, error) bool) {
		yield(o.info, nil)
	}
}

// Bucket returns the only bucket, or BucketNotFound for any other name.
func (o oneBucket) Bucket(_ context.Context, name string) (storage.Bucket, storage.BucketInfo, error) {
	if name != o.info.Name {
		return nil, storage.BucketInfo{}, storage.BucketNotFound
	}
	return o.bucket, o.info, nil
}

// Account returns a Source with all buckets of an account. It reads the settings of each bucket
// once, to learn whether the bucket keeps versions. The caller closes the account, which also
// closes the buckets.
func Account(service storage.Service) Source {
	return &account{service: service, buckets: map[string]openBucket{}}
}

// An openBucket is an open bucket and its settings.
type openBucket struct {
	bucket storage.Bucket
	info   storage.BucketInfo
}

// maxBuckets is the largest number of buckets that an account keeps open.
const maxBuckets = 10_000

type account struct {
	service storage.Service

	mu      sync.Mutex
	buckets map[string]openBucket // by name
}

func (a *account) Buckets(ctx context.Context) iter.Seq2[storage.BucketInfo, error] {
	return a.service.Buckets(ctx)
}

// Bucket returns a bucket of the account, and keeps it so that the next call needs no request.
func (a *account) Bucket(ctx context.Context, name string) (storage.Bucket, storage.BucketInfo, error) {
	a.mu.Lock()
	opened, ok := a.buckets[name]
	a.mu.Unlock()
	if ok {
		return opened.bucket, opened.info, nil
	}

	// Without permission to read the settings, a user may still read the objects. BucketInfo comes before Bucket,
	// because the service then knows whether the bucket keeps versions.
	info, err := a.service.BucketInfo(ctx, name)
	if err != nil && !errors.Is(err, storage.PermissionDenied) && !errors.Is(err, storage.Unsupported) {
		return nil, storage.BucketInfo{}, err
	}
	if info == nil {
		info = &storage.BucketInfo{Name: name}
	}

	b, err := a.service.Bucket(name)
	if err != nil {
		return nil, storage.BucketInfo{}, err
	}
	return a.addBucket(openBucket{bucket: b, info: *info})
}

// addBucket keeps an opened bucket for later requests, and returns it. If another request has already
// added the bucket, addBucket closes o and returns that one.
func (a *account) addBucket(o openBucket) (storage.Bucket, storage.BucketInfo, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if added, ok := a.buckets[o.info.Name]; ok {
		return added.bucket, added.info, storage.Close(o.bucket)
	}

	// Requests may name many buckets, even some that do not exist, so forget any one if there are too many.
	if len(a.buckets) == maxBuckets {
		for name := range a.buckets {
			delete(a.buckets, name)
			break
		}
	}
	a.buckets[o.info.Name] = o
	return o.bucket, o.info, nil
}
