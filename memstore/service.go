package memstore

import (
	"context"
	"maps"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/lifetime"
)

var _ driver.ServiceDriver = (*serviceDriver)(nil)

// serviceDriver manages the buckets of an account. It does not support credentials,
// because there is no login.
type serviceDriver struct {
	driver.UnimplementedServiceDriver
	account *account
}

func (s *serviceDriver) Provider() string { return provider }

// CreateBucket creates a bucket with the settings in r. It fails with BucketExists if there is a bucket
// with that name.
func (s *serviceDriver) CreateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if err := contextErr(ctx); err != nil {
		return nil, err
	}
	info := storage.BucketInfo{Name: r.Name, Provider: provider, Region: r.Region, Created: s.account.time()}
	if err := applyRequest(&info, r); err != nil {
		return nil, err
	}
	if _, err := s.account.create(info); err != nil {
		return nil, err
	}
	return cloneInfo(info), nil
}

// BucketInfo returns a copy of the settings of a bucket.
func (s *serviceDriver) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	b, err := s.open(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := b.rlock(); err != nil {
		return nil, err
	}
	defer b.mu.RUnlock()
	return cloneInfo(b.info), nil
}

// UpdateBucket changes the settings that the request contains. It fails with Unsupported if the
// request has a region, because that of a bucket cannot change.
func (s *serviceDriver) UpdateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if r.Region != "" {
		return nil, storage.Unsupported
	}
	b, err := s.open(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	if err := b.lock(); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()

	info := b.info
	if err := applyRequest(&info, r); err != nil {
		return nil, err
	}
	b.info = info
	return cloneInfo(info), nil
}

// DeleteBucket removes a bucket, together with its uploads in progress. It fails with BucketNotEmpty
// if the bucket has an object, a noncurrent version or a delete marker.
func (s *serviceDriver) DeleteBucket(ctx context.Context, name string) error {
	if err := contextErr(ctx); err != nil {
		return err
	}
	return s.account.remove(name)
}

// ListBuckets returns a page of the buckets, in the order of their names, and the token of the next
// page.
func (s *serviceDriver) ListBuckets(ctx context.Context, token string) ([]storage.BucketInfo, string, error) {
	if err := contextErr(ctx); err != nil {
		return nil, "", err
	}

	// Without a token, begin before all names.
	pos := position{}
	if token != "" {
		last, err := parseToken(token, "")
		if err != nil {
			return nil, "", err
		}
		pos = last
	}

	s.account.mu.RLock()
	defer s.account.mu.RUnlock()

	var page []storage.BucketInfo
	buckets := s.account.buckets.Iter()
	for hasMore := buckets.Seek(pos.key); hasMore; hasMore = buckets.Next() {
		if buckets.Key() == pos.key {
			// The page before has ended with this bucket.
			continue
		}
		isFull := len(page) == maxInfos
		if isFull {
			last := page[maxInfos-1].Name
			return page, position{key: last}.token(), nil
		}

		b := buckets.Value()
		b.mu.RLock()
		page = append(page, *cloneInfo(b.info))
		b.mu.RUnlock()
	}
	return page, "", nil
}

// Driver returns a driver for a bucket. If the bucket does not exist, operations of the
// driver fail with BucketNotFound.
func (s *serviceDriver) Driver(name string) (driver.Driver, error) {
	return &objectDriver{account: s.account, bucket: name}, nil
}

// open returns the bucket with this name, unless ctx has ended.
func (s *serviceDriver) open(ctx context.Context, name string) (*bucket, error) {
	if err := contextErr(ctx); err != nil {
		return nil, err
	}
	return s.account.find(name)
}

// applyRequest sets the fields of info that r changes. It copies lists, so that info shares no
// memory with r.
func applyRequest(info *storage.BucketInfo, r *driver.BucketRequest) error {
	if r.PublicAccess != nil {
		info.Public = *r.PublicAccess
	}
	if r.CORS != nil {
		info.CORS = cloneCORS(*r.CORS)
	}
	if r.Lifecycle != nil {
		info.Lifecycle = cloneLifecycle(*r.Lifecycle)
	}
	if r.SoftDelete != nil {
		info.SoftDelete = *r.SoftDelete
	}
	return lifetime.ApplySettings(r, &info.Versioning, &info.ObjectLock, &info.DefaultRetention)
}

// cloneInfo returns a copy of info that the caller may change.
func cloneInfo(info storage.BucketInfo) *storage.BucketInfo {
	info.CORS = cloneCORS(info.CORS)
	info.Lifecycle = cloneLifecycle(info.Lifecycle)
	return &info
}

// cloneCORS returns a copy of the rules that shares no memory with them.
func cloneCORS(rules []storage.CORSRule) []storage.CORSRule {
	if len(rules) == 0 {
		return nil
	}
	rules = slices.Clone(rules)
	for i := range rules {
		rule := &rules[i]
		rule.Origins = slices.Clone(rule.Origins)
		rule.Methods = slices.Clone(rule.Methods)
		rule.AllowedHeaders = slices.Clone(rule.AllowedHeaders)
		rule.ExposedHeaders = slices.Clone(rule.ExposedHeaders)
	}
	return rules
}

// cloneLifecycle returns a copy of the rules that shares no memory with them.
func cloneLifecycle(rules []storage.LifecycleRule) []storage.LifecycleRule {
	if len(rules) == 0 {
		return nil
	}
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].Tags = maps.Clone(rules[i].Tags)
	}
	return rules
}
