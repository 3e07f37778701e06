package s3

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/bucketupdate"
	"github.com/omnibucket/storage/internal/argument"
)

var _ storage.ServiceDriver = (*serviceDriver)(nil)

const (
	firstRegion = "us-east-1" // AWS's, which has no LocationConstraint
	maxBuckets  = 1000        // of one ListBuckets
	undoTime    = 30 * time.Second
)

// serviceDriver manages the buckets of one account.
type serviceDriver struct {
	*account
	regions regions
}

// NewService opens the account behind a Config without a bucket, and makes no
// request. InvalidArgument as Open.
func NewService(ctx context.Context, c Config, opts ...storage.OpenOption) (*storage.Service, error) {
	d, err := NewServiceDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	return storage.NewService(d, opts...), nil
}

// NewServiceDriver opens an account as NewService does, for storage.NewService.
func NewServiceDriver(ctx context.Context, c Config) (storage.ServiceDriver, error) {
	if c.Bucket != "" {
		return nil, argument.Invalid("Config.Bucket", "must be empty: an account has many", "")
	}
	a, err := newAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	return newServiceDriver(a), nil
}

func newServiceDriver(a *account) storage.ServiceDriver { return &serviceDriver{account: a} }

// Provider is "s3", whoever's server it is.
func (s *serviceDriver) Provider() string { return provider }

// Driver makes no request. It shares the account's connections: Close of the
// service ends them. The bucket is looked for where this service has made or
// seen it, else in the account's region.
func (s *serviceDriver) Driver(name string) (storage.Driver, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return &driver{account: s.accountOf(name).at(name), bucket: name}, nil
}

// Close closes the account.
func (s *serviceDriver) Close() error { return s.account.close() }

// A managed bucket is one that its account looks at or changes, in the region
// that the bucket is in.
type managed struct {
	*account
	name string
}

// settings are the options of a request whose body says how the bucket shall
// be: S3 wants a sum of it, and servers of old know MD5 alone.
func (b *managed) settings() []func(*awss3.Options) {
	if b.profile.Batch == BatchChecksum {
		return nil
	}
	return []func(*awss3.Options){awss3.WithAPIOptions(withContentMD5)}
}

// CreateBucket looks first: in some regions and on some servers, S3 answers 200
// to whoever creates a bucket of his own anew. A setting that fails leaves no
// bucket behind.
func (s *serviceDriver) CreateBucket(ctx context.Context, r *storage.BucketRequest) (*storage.BucketInfo, error) {
	if err := s.refuse(r); err != nil {
		return nil, err
	}
	_, err := s.manage(r.Name).head(ctx)
	switch code := storage.CodeOf(err); {
	case err == nil:
		return nil, storage.BucketExists
	case ctx.Err() != nil, code == storage.Unavailable, code == storage.RateLimited:
		return nil, err
	} // what else it may be, creating tells better: HEAD's answers have no body
	region := r.Region
	if region == "" {
		region = s.region
	}
	in := &awss3.CreateBucketInput{Bucket: &r.Name}
	b := &managed{s.in(region), r.Name} // a bucket is made by the region that it shall be in
	if s.profile.Location && region != firstRegion || !s.profile.Location && region != s.region {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	err = writes(ctx, func(ctx context.Context) error {
		_, err := b.client.CreateBucket(ctx, in)
		return err
	})
	if err != nil {
		return nil, err
	}
	info := &storage.BucketInfo{Name: r.Name, Region: region}
	if !s.profile.Location {
		info.Region = s.region // where such a server puts a bucket it calls otherwise
	}
	if err := b.settle(ctx, r, info); err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
		defer cancel()
		_, _ = b.client.DeleteBucket(undo, &awss3.DeleteBucketInput{Bucket: &r.Name})
		return nil, err
	}
	s.remember(r.Name, region)
	return info, nil
}

// settle gives a new bucket what differs from how S3 makes one: private,
// without versions or rules.
func (b *managed) settle(ctx context.Context, r *storage.BucketRequest, info *storage.BucketInfo) error {
	asked := *r
	if asked.PublicAccess != nil && !*asked.PublicAccess {
		asked.PublicAccess = nil
	}
	if asked.Versioning != nil && !*asked.Versioning {
		asked.Versioning = nil
	}
	if asked.CORS != nil && len(*asked.CORS) == 0 {
		asked.CORS = nil
	}
	if asked.Lifecycle != nil && len(*asked.Lifecycle) == 0 {
		asked.Lifecycle = nil
	}
	if err := b.change(ctx, &asked); err != nil {
		return err
	}
	info.Public, info.Versioning = asked.PublicAccess != nil, asked.Versioning != nil
	if asked.CORS != nil {
		info.CORS = *asked.CORS
	}
	if asked.Lifecycle != nil {
		info.Lifecycle = *asked.Lifecycle
	}
	return nil
}

// UpdateBucket makes one change after another, and stops at the first that
// fails: those before it have been made. Opening to the public comes last. When
// all have been made it succeeds, whatever can be read of the bucket.
func (s *serviceDriver) UpdateBucket(ctx context.Context, r *storage.BucketRequest) (*storage.BucketInfo, error) {
	if r.Region != "" {
		return nil, storage.Unsupported
	}
	if err := s.refuse(r); err != nil {
		return nil, err
	}
	if err := s.inItsRegion(r.Name, func(b *managed) error { return b.change(ctx, r) }); err != nil {
		return nil, err
	}
	info := bucketupdate.Requested(r)
	if err := s.look(ctx, info); err != nil && bucketupdate.IsEmpty(r) {
		return nil, err
	}
	return info, nil
}

func (b *managed) change(ctx context.Context, r *storage.BucketRequest) error {
	if r.PublicAccess != nil && !*r.PublicAccess {
		if err := b.setPublic(ctx, false); err != nil {
			return err
		}
	}
	if r.Versioning != nil {
		if err := b.setVersioning(ctx, *r.Versioning); err != nil {
			return err
		}
	}
	if r.CORS != nil {
		if err := b.putCORS(ctx, *r.CORS); err != nil {
			return err
		}
	}
	if r.Lifecycle != nil {
		if err := b.setLifecycle(ctx, *r.Lifecycle); err != nil {
			return err
		}
	}
	if r.PublicAccess != nil && *r.PublicAccess {
		return b.setPublic(ctx, true)
	}
	return nil
}

// refuse answers Unsupported, before any request, to what the server lacks.
func (s *serviceDriver) refuse(r *storage.BucketRequest) error {
	p := &s.profile
	lacks := func(hint string) error {
		if more := s.featureHint(); more != "" {
			hint += "; " + more
		}
		return &storage.Error{Code: storage.Unsupported, Hint: hint}
	}
	switch {
	case r.PublicAccess != nil && !p.BucketPolicy && !p.BucketACL:
		return lacks("this server has no public access by API: see its dashboard, or open the bucket with WithPublicBaseURL")
	case r.Versioning != nil && !p.Versioning:
		return lacks("this server keeps no versions, or is not known to")
	case r.CORS != nil && !p.CORS:
		return lacks("this server has no CORS rules of a bucket: see its own configuration")
	case r.Lifecycle != nil && !p.Lifecycle:
		return lacks("this server has no lifecycle rules, or is not known to")
	}
	return nil
}

// DeleteBucket is BucketNotEmpty where there is an object, an old version or a
// delete marker.
func (s *serviceDriver) DeleteBucket(ctx context.Context, name string) error {
	err := s.inItsRegion(name, func(b *managed) error {
		return writes(ctx, func(ctx context.Context) error {
			_, err := b.client.DeleteBucket(ctx, &awss3.DeleteBucketInput{Bucket: &name})
			return err
		})
	})
	if err == nil {
		s.remember(name, s.region) // whoever makes it anew may do so anywhere
	}
	return err
}

// ListBuckets asks for pages; a server that knows none answers with all.
func (s *serviceDriver) ListBuckets(ctx context.Context, token string) ([]storage.BucketInfo, string, error) {
	in := &awss3.ListBucketsInput{MaxBuckets: aws.Int32(maxBuckets)}
	if token != "" {
		in.ContinuationToken = &token
	}
	answer, err := s.client.ListBuckets(ctx, in)
	if err != nil {
		return nil, "", reads(err)
	}
	page := make([]storage.BucketInfo, 0, len(answer.Buckets))
	for _, b := range answer.Buckets {
		page = append(page, storage.BucketInfo{
			Name:    aws.ToString(b.Name),
			Region:  aws.ToString(b.BucketRegion),
			Created: aws.ToTime(b.CreationDate).UTC(),
		})
		s.remember(aws.ToString(b.Name), aws.ToString(b.BucketRegion))
	}
	slices.SortFunc(page, func(a, b storage.BucketInfo) int { return strings.Compare(a.Name, b.Name) })
	return page, aws.ToString(answer.ContinuationToken), nil
}

// Credentials are the account's own, as they are now.
func (s *serviceDriver) Credentials(ctx context.Context, name string) (*storage.Credentials, error) {
	if s.anonymous {
		return nil, &storage.Error{Code: storage.Unsupported, Hint: "the account was opened without credentials"}
	}
	now, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	a := s.accountOf(name)
	address, err := a.addressOf(ctx, "", "")
	if err != nil {
		return nil, err
	}
	c := &storage.Credentials{
		Endpoint: address.String(), Region: a.region, Bucket: name,
		AccessKeyID: now.AccessKeyID, SecretKey: now.SecretAccessKey, SessionToken: now.SessionToken,
	}
	if now.CanExpire {
		c.ExpiresAt = now.Expires.UTC()
	}
	return c, nil
}
