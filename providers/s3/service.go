package s3

import (
	"cmp"
	"context"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/bucketupdate"
	"github.com/omnibucket/storage/providers/internal/cleanup"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/bucketname"
	"github.com/omnibucket/storage/providers/s3/internal/bucketsettings"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

var _ driver.ServiceDriver = (*serviceDriver)(nil)

const (
	defaultRegion = "us-east-1" // Amazon's region of a bucket without LocationConstraint
	maxBuckets    = 1000        // buckets in one ListBuckets
)

type serviceDriver struct {
	account *account
	regions sync.Map // regions of buckets that are not in the account's region, by bucket name
	// pending maps the name of a new bucket to its request. The bucket exists, but not all
	// settings in the request are applied yet.
	pending sync.Map
}

// NewService opens the account of a Config without a bucket, and sends no request. It fails with
// InvalidArgument if c is not valid or the region is unknown.
func NewService(ctx context.Context, c Config, opts ...storage.OpenOption) (storage.Service, error) {
	d, err := NewServiceDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	return engine.NewService(d, opts...), nil
}

// NewServiceDriver opens an account like [NewService], and returns its driver for
// [engine.NewService].
func NewServiceDriver(ctx context.Context, c Config) (driver.ServiceDriver, error) {
	if c.Bucket != "" {
		return nil, argument.Invalid("Config.Bucket", "must be empty for an account", "")
	}
	a, err := newAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	return &serviceDriver{account: a}, nil
}

// Provider returns "s3", even if the server is not Amazon's.
func (s *serviceDriver) Provider() string { return provider }

// Driver opens a bucket and sends no request. The driver uses the connections of the account, which
// end when the service is closed. It assumes the region in which this service has created or listed
// the bucket, or else the region of the account.
func (s *serviceDriver) Driver(name string) (driver.Driver, error) {
	if err := bucketname.Check(name); err != nil {
		return nil, err
	}
	return newDriver(s.accountFor(name).bucketAccount(name), name), nil
}

// Close closes idle connections of the account.
func (s *serviceDriver) Close() error { return s.account.close() }

// abandon ends a CreateBucket whose settings could not be applied because of err, and returns err. It
// deletes the new bucket b, unless a second call with the same request may succeed.
func (s *serviceDriver) abandon(
	ctx context.Context, r *driver.BucketRequest, b *bucketsettings.Bucket, err error,
) error {
	storageErr := s3error.Of(err)
	mayRepeat := storageErr.Retryable && ctx.Err() == nil
	if mayRepeat {
		s.pending.Store(r.Name, *r)
		return err
	}

	s.pending.Delete(r.Name)
	input := &awss3.DeleteBucketInput{Bucket: &r.Name}
	return cleanup.After(ctx, storageErr, "the new bucket", func(ctx context.Context) error {
		return sdkcall.Exec(ctx, b.Client.DeleteBucket, input)
	})
}

// CreateBucket creates a bucket that does not exist. It sends HeadBucket first, because S3 returns
// 200 in some regions, and on some servers, if the account already has the bucket.
//
// If a setting is refused, CreateBucket deletes the new bucket. If the server only delays a setting
// for too long, CreateBucket fails but keeps the bucket. A second call with the same request only
// applies the settings.
func (s *serviceDriver) CreateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if err := s.checkSupported(r); err != nil {
		return nil, err
	}

	region := cmp.Or(r.Region, s.account.region)
	b := s.account.inRegion(region).settings(r.Name)
	b.IsNew = true

	// An earlier call with the same request may have created the bucket, but not applied all settings.
	pending, _ := s.pending.Load(r.Name)
	isCreated := reflect.DeepEqual(pending, *r)
	if !isCreated {
		if err := s.create(ctx, r, b, region); err != nil {
			return nil, err
		}
	}

	info := bucketupdate.Requested(r)
	info.Region = region
	if !s.account.profile.Location {
		info.Region = s.account.region // a server that is not Amazon's has other names for locations
	}

	// Apply the settings, which may need some time on a new bucket.
	if err := b.ApplyNew(ctx, r, info); err != nil {
		return nil, s.abandon(ctx, r, b, err)
	}
	s.pending.Delete(r.Name)
	info.Versioning = info.Versioning || r.ObjectLock // object lock enables versioning
	s.rememberRegion(r.Name, region)
	return info, nil
}

// accountRegionalName matches the names in Amazon's account regional namespace. Only one account
// can create such a name, and only in one region. Amazon refuses the name if the request does not
// select that namespace.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/gpbucketnamespaces.html
const accountRegionalName = `^.+-[0-9]{12}-[a-z0-9-]+-an$`

// create sends a CreateBucket, unless a HeadBucket shows that the bucket exists or that the server
// is busy.
func (s *serviceDriver) create(ctx context.Context, r *driver.BucketRequest, b *bucketsettings.Bucket, region string) error {
	_, err := s.accountFor(r.Name).headBucket(ctx, r.Name)
	if err == nil {
		return storage.BucketExists
	}
	code := storage.CodeOf(err)
	isBusy := code == storage.Unavailable || code == storage.RateLimited
	if ctx.Err() != nil || isBusy {
		return err
	}

	// Other errors of HeadBucket are ignored, because CreateBucket then returns a clearer one.
	input := &awss3.CreateBucketInput{Bucket: &r.Name, ObjectLockEnabledForBucket: httpheader.Optional(r.ObjectLock)}

	// A request without a location creates the bucket in the implied region.
	impliedRegion := s.account.region
	if s.account.profile.Location {
		impliedRegion = defaultRegion
	}
	if region != impliedRegion {
		input.CreateBucketConfiguration = &types.CreateBucketConfiguration{
			LocationConstraint: types.BucketLocationConstraint(region),
		}
	}

	// Amazon refuses the name of an account's regional namespace without this field.
	isRegional, _ := regexp.MatchString(accountRegionalName, r.Name)
	if isRegional && s.account.isAmazon() {
		input.BucketNamespace = types.BucketNamespaceAccountRegional
	}

	err = sdkcall.Exec(ctx, b.Client.CreateBucket, input)
	if s3error.IsCode(err, "OperationAborted") {
		return sdkerror.WithHint(
			err,
			"a bucket of this name was deleted a short time ago, or is being created: try later, or take another name",
		)
	}
	return err
}

// UpdateBucket applies one setting after another, public access last, and then reads the settings.
// If a setting fails, those before it stay.
//
// If the changes succeed but the settings cannot be read, UpdateBucket returns no error, unless r
// changes nothing or the bucket does not exist. A change may succeed even for a missing bucket,
// because MinIO sets its versioning without an error.
func (s *serviceDriver) UpdateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if r.Region != "" {
		return nil, storage.Unsupported
	}
	if err := s.checkSupported(r); err != nil {
		return nil, err
	}
	err := s.inBucketRegion(r.Name, func(a *account) error {
		return a.settings(r.Name).Apply(ctx, r)
	})
	if err != nil {
		return nil, err
	}

	return s.infoAfter(ctx, r)
}

// infoAfter returns the settings of a bucket after the changes of r were made: those that r has set,
// and those that can be read. Unread has the names of the others.
func (s *serviceDriver) infoAfter(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	info := bucketupdate.Requested(r)
	err := s.readInfo(ctx, info)

	// If only some settings cannot be read, Unread names them.
	couldReadNone := err != nil && len(info.Unread) == 0
	if couldReadNone {
		if bucketupdate.IsEmpty(r) || storage.CodeOf(err) == storage.BucketNotFound {
			return nil, err
		}
		// The changes were made, so their success must be reported.
		info.Unread = slices.Concat(bucketsettings.Fields...)
	}
	// The values that r has set are known, even if they could not be read.
	bucketupdate.ForgetRequested(info, r)
	return info, nil
}

// checkSupported returns Unsupported if r has a setting that the server is not known to support.
func (s *serviceDriver) checkSupported(r *driver.BucketRequest) error {
	// The hint also names what gives the server more features, if there is such a thing.
	unsupported := func(hint string) error {
		if extra := s.account.featureHint(); extra != "" {
			hint += "; " + extra
		}
		return &storage.Error{Code: storage.Unsupported, Hint: hint}
	}

	p := &s.account.profile
	if r.SoftDelete != nil && *r.SoftDelete > 0 {
		return unsupported("S3 has no soft delete: keep versions")
	}

	if r.PublicAccess != nil && !p.BucketPolicy && !p.BucketACL {
		return unsupported(
			"this server has no API for public access: use its dashboard, or open the bucket with WithPublicBaseURL",
		)
	}

	if r.Versioning != nil && !p.Versioning {
		return unsupported("leave versioning out: this server is not known to keep versions")
	}

	if r.CORS != nil && !p.CORS {
		return unsupported("this server has no CORS rules for buckets: set them in its own configuration")
	}

	if r.Lifecycle != nil && !p.Lifecycle {
		return unsupported("leave lifecycle rules out: this server is not known to have them")
	}
	if r.Lifecycle != nil && !p.Tags && slices.ContainsFunc(*r.Lifecycle, hasTags) {
		return unsupported("leave tags out of lifecycle rules: this server is not known to have them")
	}

	// A zero retention ends one, which a server without locks does not have.
	hasRetention := r.DefaultRetention != nil && *r.DefaultRetention != storage.DefaultRetention{}
	if (r.ObjectLock || hasRetention) && !p.locks() {
		return unsupported("leave object lock out: this server is not known to have it")
	}
	return nil
}

// DeleteBucket deletes a bucket, or fails with BucketNotEmpty if the bucket still has an object, an
// old version or a delete marker.
func (s *serviceDriver) DeleteBucket(ctx context.Context, name string) error {
	err := s.inBucketRegion(name, func(a *account) error {
		return sdkcall.Exec(ctx, a.client.DeleteBucket, &awss3.DeleteBucketInput{Bucket: &name})
	})
	if err != nil {
		return err
	}

	// No settings of the bucket remain to be applied.
	s.pending.Delete(name)
	// A new bucket of this name may be in another region.
	s.regions.Delete(name)
	return nil
}

// ListBuckets lists one page of buckets, or all of them if the server does not support pages.
func (s *serviceDriver) ListBuckets(ctx context.Context, token string) ([]storage.BucketInfo, string, error) {
	input := &awss3.ListBucketsInput{MaxBuckets: aws.Int32(maxBuckets), ContinuationToken: httpheader.Optional(token)}
	output, err := s.account.client.ListBuckets(ctx, input)
	if err != nil {
		return nil, "", s3error.Read(err)
	}

	page := make([]storage.BucketInfo, 0, len(output.Buckets))
	for _, b := range output.Buckets {
		page = append(page, storage.BucketInfo{
			Name:    aws.ToString(b.Name),
			Region:  aws.ToString(b.BucketRegion),
			Created: aws.ToTime(b.CreationDate).UTC(),
		})
		s.rememberRegion(aws.ToString(b.Name), aws.ToString(b.BucketRegion))
	}
	slices.SortFunc(page, func(a, b storage.BucketInfo) int { return strings.Compare(a.Name, b.Name) })
	return page, aws.ToString(output.ContinuationToken), nil
}

// Credentials returns the account's current credentials for use outside of this library.
func (s *serviceDriver) Credentials(ctx context.Context, name string) (*storage.Credentials, error) {
	if s.account.isAnonymous {
		return nil, &storage.Error{Code: storage.Unsupported, Hint: "open the account with credentials"}
	}
	current, err := s.account.currentCredentials(ctx)
	if err != nil {
		return nil, err
	}
	// The bucket may be in another region than the account.
	a := s.accountFor(name)
	address, err := a.urlOf(ctx, "")
	if err != nil {
		return nil, err
	}

	c := &storage.Credentials{
		Endpoint:     address.String(),
		Region:       a.region,
		Bucket:       name,
		AccessKeyID:  current.AccessKeyID,
		SecretKey:    current.SecretAccessKey,
		SessionToken: current.SessionToken,
	}
	if current.CanExpire {
		c.ExpiresAt = current.Expires.UTC()
	}
	return c, nil
}

// rememberRegion remembers the region of a bucket that is not in the region of the account. It does
// nothing if the region is unknown, or if the account has only one region.
func (s *serviceDriver) rememberRegion(bucket, region string) {
	if region == "" || !s.account.spansRegions() {
		return
	}
	if region == s.account.region {
		s.regions.Delete(bucket)
		return
	}
	s.regions.Store(bucket, region)
}

// accountFor returns the account in the region of the bucket, if that region is known, or else in
// its own region.
func (s *serviceDriver) accountFor(bucket string) *account {
	if region, ok := s.regions.Load(bucket); ok {
		return s.account.inRegion(region.(string))
	}
	return s.account
}

// settings returns a value that reads and changes the settings of a bucket with the client of the
// account.
func (a *account) settings(bucket string) *bucketsettings.Bucket {
	p := &a.profile
	return &bucketsettings.Bucket{
		Client:          a.client,
		Name:            bucket,
		Region:          a.region,
		IsAmazon:        a.isAmazon(),
		BodyChecksum:    a.withBodyChecksum(),
		HasVersions:     p.Versioning,
		HasCORS:         p.CORS,
		HasLifecycle:    p.Lifecycle,
		HasPolicies:     p.BucketPolicy,
		HasACLs:         p.BucketACL,
		HasLocks:        p.locks(),
		LocksOldBuckets: p.ObjectLock == LockAllBuckets,
	}
}

// inBucketRegion calls do with the account in the region of a bucket. If the server answers that
// the bucket is in another region, do had no effect, and inBucketRegion calls it again for that
// region.
func (s *serviceDriver) inBucketRegion(name string, do func(*account) error) error {
	a := s.accountFor(name)
	err := do(a)
	region := s3error.OtherRegion(err)
	if region == "" || region == a.region || !s.account.spansRegions() {
		return err
	}
	s.rememberRegion(name, region)
	return do(s.accountFor(name))
}

func hasTags(rule storage.LifecycleRule) bool { return len(rule.Tags) > 0 }
