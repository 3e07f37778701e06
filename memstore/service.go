package memstore

import (
	"context"
	"slices"

	"github.com/omnibucket/storage"
)

var _ storage.ServiceDriver = (*serviceDriver)(nil)

// serviceDriver manages the buckets of an account. Credentials are Unsupported:
// there is nothing to log in to.
type serviceDriver struct {
	storage.UnimplementedServiceDriver
	account *account
}

func (s *serviceDriver) Provider() string { return provider }

func (s *serviceDriver) CreateBucket(ctx context.Context, r *storage.BucketRequest) (*storage.BucketInfo, error) {
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	info := storage.BucketInfo{Name: r.Name, Provider: provider, Region: r.Region, Created: s.account.time()}
	change(&info, r)
	if _, err := s.account.create(info); err != nil {
		return nil, err
	}
	return copied(info), nil
}

func (s *serviceDriver) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	b, err := s.open(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := b.rlock(); err != nil {
		return nil, err
	}
	defer b.mu.RUnlock()
	return copied(b.info), nil
}

// UpdateBucket changes what is asked for alone. A region is Unsupported: a
// bucket does not move.
func (s *serviceDriver) UpdateBucket(ctx context.Context, r *storage.BucketRequest) (*storage.BucketInfo, error) {
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
	change(&b.info, r)
	return copied(b.info), nil
}

// DeleteBucket answers BucketNotEmpty where there is an object or an older
// version. Uploads that were never completed go with the bucket.
func (s *serviceDriver) DeleteBucket(ctx context.Context, name string) error {
	if err := interrupted(ctx); err != nil {
		return err
	}
	return s.account.remove(name)
}

func (s *serviceDriver) ListBuckets(ctx context.Context, token string) ([]storage.BucketInfo, string, error) {
	if err := interrupted(ctx); err != nil {
		return nil, "", err
	}
	var after position
	if token != "" {
		var err error
		if after, err = parseToken(token, ""); err != nil {
			return nil, "", err
		}
	}
	s.account.mu.RLock()
	defer s.account.mu.RUnlock()
	var page []storage.BucketInfo
	names := s.account.buckets.Iter()
	for more := names.Seek(after.key); more; more = names.Next() {
		if names.Key() == after.key {
			continue
		}
		if len(page) == maxInfos {
			return page, position{key: page[maxInfos-1].Name}.token(), nil
		}
		b := names.Value()
		b.mu.RLock()
		page = append(page, *copied(b.info))
		b.mu.RUnlock()
	}
	return page, "", nil
}

// Driver reaches a bucket that need not exist: its operations are then
// BucketNotFound.
func (s *serviceDriver) Driver(name string) (storage.Driver, error) {
	return &driver{account: s.account, bucket: name}, nil
}

func (s *serviceDriver) open(ctx context.Context, name string) (*bucket, error) {
	if err := interrupted(ctx); err != nil {
		return nil, err
	}
	return s.account.find(name)
}

// change writes into info what r asks for, in lists of our own.
func change(info *storage.BucketInfo, r *storage.BucketRequest) {
	if r.PublicAccess != nil {
		info.Public = *r.PublicAccess
	}
	if r.Versioning != nil {
		info.Versioning = *r.Versioning
	}
	if r.CORS != nil {
		info.CORS = copiedCORS(*r.CORS)
	}
	if r.Lifecycle != nil {
		info.Lifecycle = copiedLifecycle(*r.Lifecycle)
	}
}

// copied is info for the caller to change.
func copied(info storage.BucketInfo) *storage.BucketInfo {
	info.CORS = copiedCORS(info.CORS)
	info.Lifecycle = copiedLifecycle(info.Lifecycle)
	return &info
}

func copiedCORS(rules []storage.CORSRule) []storage.CORSRule {
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

func copiedLifecycle(rules []storage.LifecycleRule) []storage.LifecycleRule {
	if len(rules) == 0 {
		return nil
	}
	return slices.Clone(rules) // a rule holds no reference
}
