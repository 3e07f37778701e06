package gcs

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	gcs "cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/providers/internal/cleanup"
)

var _ driver.ServiceDriver = (*serviceDriver)(nil)

const (
	defaultLocation = "US" // Google's default
	maxBuckets      = 1000 // per page
)

type serviceDriver struct {
	account *account
	pending sync.Map // requests for new buckets that are not public yet, by name
}

// NewService opens the account of a Config without a bucket, and makes no request. The service
// creates and lists buckets in [Config.Project]. If c is invalid, NewService fails with
// InvalidArgument.
//
// [storage.BucketInfo.Public] comes from the bucket's IAM policy, and is false if the credentials
// may not read the policy (storage.buckets.getIamPolicy).
func NewService(ctx context.Context, c Config, opts ...storage.OpenOption) (storage.Service, error) {
	d, err := NewServiceDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	return engine.NewService(d, opts...), nil
}

// NewServiceDriver opens an account as [NewService] does, for [engine.NewService].
func NewServiceDriver(ctx context.Context, c Config) (driver.ServiceDriver, error) {
	if c.Bucket != "" {
		return nil, argument.Invalid("Config.Bucket", "must be empty: an account has many", "")
	}
	a, err := newAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	return &serviceDriver{account: a}, nil
}

// Provider returns "gcs".
func (s *serviceDriver) Provider() string { return provider }

// Driver returns the driver of a bucket, and makes no request. The driver shares the account's
// connections. The method Close of the service closes them.
func (s *serviceDriver) Driver(name string) (driver.Driver, error) {
	return newDriver(s.account, name), nil
}

// Close closes the account's connections.
func (s *serviceDriver) Close() error { return s.account.close() }

// Credentials fails with Unsupported.
func (s *serviceDriver) Credentials(context.Context, string) (*storage.Credentials, error) {
	return nil, &storage.Error{
		Code: storage.Unsupported,
		Hint: "Google accepts S3 requests only with HMAC keys: create one for a service account, and open the bucket as s3 with endpoint=https://storage.googleapis.com",
	}
}

func (s *serviceDriver) bucket(name string) *bucket { return &bucket{s.account, name} }

// CreateBucket creates a bucket with uniform access: only its IAM policy grants access, and objects
// have no ACLs. If the bucket cannot be made public, CreateBucket removes it again. But if the reason
// is only that the service is busy, the bucket remains, and another call with the same request
// continues. Google limits how often buckets are created and removed.
// https://docs.cloud.google.com/storage/quotas
func (s *serviceDriver) CreateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	project, err := s.projectID(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkBucketRequest(r); err != nil {
		return nil, err
	}

	b := s.bucket(r.Name)
	attrs := newBucketAttrs(r)

	// An earlier call with the same request may have created the bucket, but not made it public.
	pending, _ := s.pending.Load(r.Name)
	isCreated := reflect.DeepEqual(pending, *r)
	if !isCreated {
		if err := b.create(ctx, project, attrs, r.ObjectLock); err != nil {
			return nil, err
		}
	}

	isPublic := r.PublicAccess != nil && *r.PublicAccess
	if isPublic {
		if err := s.makePublic(ctx, b, r); err != nil {
			return nil, err
		}
	}

	attrs.Name = r.Name
	attrs.Location = strings.ToUpper(attrs.Location) // as Google returns it
	if r.ObjectLock {
		attrs.ObjectRetentionMode = retentionEnabled
	}
	return bucketInfo(attrs, isPublic), nil
}

// create creates the bucket with these attributes, in which objects can have a retention if objectLock
// is true. It fails with BucketExists if the bucket exists.
func (b *bucket) create(ctx context.Context, project string, attrs *gcs.BucketAttrs, objectLock bool) error {
	handle := b.handle()
	if objectLock {
		handle = handle.SetObjectRetention(true)
	}
	err := writes(ctx, func(ctx context.Context) error { return handle.Create(ctx, project, attrs) })
	if statusOf(err) == http.StatusConflict {
		return sdkerror.WithCode(err, storage.BucketExists, "")
	}
	return err
}

// makePublic makes a new bucket public. If that fails for good, it removes the bucket. After a temporary
// error, the bucket remains in s.pending, and the next equal call of CreateBucket makes it public.
func (s *serviceDriver) makePublic(ctx context.Context, b *bucket, r *driver.BucketRequest) error {
	err := b.addPublicRead(ctx)
	if err == nil {
		s.pending.Delete(r.Name)
		return nil
	}
	if translate(err).Retryable && ctx.Err() == nil {
		s.pending.Store(r.Name, *r)
		return err
	}
	s.pending.Delete(r.Name)
	return cleanup.After(ctx, translate(err), "the new bucket", func(ctx context.Context) error {
		return writes(ctx, b.handle().Delete)
	})
}

// checkBucketRequest fails with Unsupported for settings that Google's buckets do not have.
func checkBucketRequest(r *driver.BucketRequest) error {
	if r.DefaultRetention != nil && *r.DefaultRetention != (storage.DefaultRetention{}) {
		return &storage.Error{
			Code: storage.Unsupported,
			Hint: "Google's buckets have no default retention of objects: write with WithRetention, " +
				"or give the bucket a retention policy, which keeps old objects too and has no modes",
		}
	}
	if err := checkSoftDelete(r.SoftDelete); err != nil {
		return err
	}
	if r.Lifecycle != nil {
		for _, rule := range *r.Lifecycle {
			if len(rule.Tags) > 0 {
				return &storage.Error{
					Code: storage.Unsupported,
					Hint: "Google's lifecycle rules have no tags: use prefixes",
				}
			}
		}
	}
	return nil
}

// newBucketAttrs returns the attributes of a new bucket, in the form of the SDK.
func newBucketAttrs(r *driver.BucketRequest) *gcs.BucketAttrs {
	attrs := &gcs.BucketAttrs{
		Location:                 cmp.Or(r.Region, defaultLocation),
		UniformBucketLevelAccess: gcs.UniformBucketLevelAccess{Enabled: true},
	}
	if r.PublicAccess != nil {
		attrs.PublicAccessPrevention = prevention(*r.PublicAccess)
	}
	wantsVersions := r.Versioning != nil && *r.Versioning
	attrs.VersioningEnabled = wantsVersions || r.ObjectLock // object lock keeps versions
	if r.CORS != nil {
		attrs.CORS = corsRules(*r.CORS)
	}
	if r.Lifecycle != nil {
		attrs.Lifecycle = lifecycleRules(*r.Lifecycle)
	}
	attrs.SoftDeletePolicy = softDeletePolicy(r.SoftDelete)
	return attrs
}

// UpdateBucket changes the bucket in one request, and if r changes public access, the IAM policy in
// two more requests.
func (s *serviceDriver) UpdateBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if r.Region != "" {
		return nil, storage.Unsupported
	}
	if err := checkBucketRequest(r); err != nil {
		return nil, err
	}

	if r.ObjectLock {
		var err error
		r, err = s.prepareObjectLock(ctx, r)
		if err != nil {
			return nil, err
		}
	}

	// Object lock needs no change of its own, because prepareObjectLock fails if it is not enabled yet.
	hasChange := r.PublicAccess != nil || r.Versioning != nil || r.CORS != nil || r.Lifecycle != nil ||
		r.SoftDelete != nil
	if !hasChange {
		info, err := s.BucketInfo(ctx, r.Name)
		if info != nil {
			// The error only says that a setting could not be read, and info.Unread names that.
			return info, nil
		}
		return nil, err
	}

	b := s.bucket(r.Name)
	attrs, err := write(ctx, func(ctx context.Context) (*gcs.BucketAttrs, error) {
		return b.handle().Update(ctx, bucketChange(r))
	})
	if err != nil {
		return nil, bucketError(err)
	}

	// Public access is part of the IAM policy, not of the bucket's attributes.
	if r.PublicAccess != nil {
		isPublic := *r.PublicAccess
		if err := b.setPublic(ctx, isPublic); err != nil {
			return nil, err
		}
		return bucketInfo(attrs, isPublic), nil
	}

	// The update has succeeded, so an error of readPublic only means that the setting could not be read.
	info := bucketInfo(attrs, false)
	if err := b.readPublic(ctx, attrs, info); err != nil {
		info.Unread = []string{"Public"}
	}
	return info, nil
}

// setPublic changes the IAM policy so that everyone may read the objects, or nobody without a right.
func (b *bucket) setPublic(ctx context.Context, isPublic bool) error {
	if isPublic {
		return b.addPublicRead(ctx)
	}
	return b.removePublic(ctx)
}

// prepareObjectLock returns r, which asks for object lock, with versions, because object lock keeps them. It
// fails with Unsupported if object retention is not enabled for the bucket.
func (s *serviceDriver) prepareObjectLock(
	ctx context.Context, r *driver.BucketRequest,
) (*driver.BucketRequest, error) {
	isVersioned, err := s.requireRetention(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	if isVersioned {
		return r, nil
	}
	// Do not change the caller's request.
	req := *r
	req.Versioning = new(true)
	return &req, nil
}

// requireRetention fails with Unsupported if object retention is not enabled for the bucket. Only Google's
// console can enable it for an existing bucket. It also reports whether the bucket keeps versions.
func (s *serviceDriver) requireRetention(ctx context.Context, bucket string) (isVersioned bool, err error) {
	attrs, err := s.bucket(bucket).handle().Attrs(ctx)
	if err != nil {
		return false, bucketError(translate(err))
	}
	if attrs.ObjectRetentionMode != retentionEnabled {
		return false, &storage.Error{
			Code: storage.Unsupported,
			Hint: "Google gives object retention to a bucket when it is created, or by its console",
		}
	}
	return attrs.VersioningEnabled, nil
}

// bucketChange returns the attributes that r changes, in the form of the SDK.
func bucketChange(r *driver.BucketRequest) gcs.BucketAttrsToUpdate {
	change := gcs.BucketAttrsToUpdate{}
	if r.PublicAccess != nil {
		change.PublicAccessPrevention = prevention(*r.PublicAccess)
	}
	if r.Versioning != nil {
		change.VersioningEnabled = *r.Versioning
	}
	if r.CORS != nil {
		change.CORS = corsRules(*r.CORS)
	}
	if r.Lifecycle != nil {
		rules := lifecycleRules(*r.Lifecycle)
		change.Lifecycle = &rules
	}
	change.SoftDeletePolicy = softDeletePolicy(r.SoftDelete)
	return change
}

// hiddenHint is the hint for a bucket that is not empty although List shows nothing.
const hiddenHint = "if List shows nothing, remove noncurrent versions (RemoveVersions), open uploads (ListUploads, AbortUpload), parts that a process left (gcs.SweepParts), and the folders of a hierarchical namespace"

// DeleteBucket removes a bucket, and fails with BucketNotEmpty if it has an object or a noncurrent
// version.
func (s *serviceDriver) DeleteBucket(ctx context.Context, name string) error {
	err := writes(ctx, s.bucket(name).handle().Delete)
	if statusOf(err) == http.StatusConflict {
		return sdkerror.WithCode(err, storage.BucketNotEmpty, hiddenHint)
	}
	if err != nil {
		return bucketError(err)
	}
	s.pending.Delete(name)
	return nil
}

// ListBuckets returns one page of the project's buckets.
func (s *serviceDriver) ListBuckets(ctx context.Context, token string) ([]storage.BucketInfo, string, error) {
	project, err := s.projectID(ctx)
	if err != nil {
		return nil, "", err
	}
	var buckets []*gcs.BucketAttrs
	next, err := iterator.NewPager(s.account.client.Buckets(watchPages(ctx), project), maxBuckets, token).NextPage(&buckets)
	if err != nil {
		return nil, "", translate(err)
	}
	page := make([]storage.BucketInfo, 0, len(buckets))
	for _, attrs := range buckets {
		page = append(page, storage.BucketInfo{
			Name:       attrs.Name,
			Region:     attrs.Location,
			Created:    attrs.Created.UTC(),
			Versioning: attrs.VersioningEnabled,
			ObjectLock: attrs.ObjectRetentionMode == retentionEnabled,
		})
	}
	return page, next, nil
}

// projectID returns the project in which buckets are created and listed, which may be "" for a server
// that is not Google's.
func (s *serviceDriver) projectID(ctx context.Context) (string, error) {
	if s.account.project != "" {
		return s.account.project, nil
	}
	if s.account.credentials != nil {
		project, err := s.projectOfCredentials(ctx)
		if err != nil {
			return "", err
		}
		if project != "" {
			return project, nil
		}
	}

	isGoogle := s.account.endpoint == nil
	if isGoogle {
		return "", argument.Invalid("project", "must be known",
			"set Config.Project, project= in the address, or GOOGLE_CLOUD_PROJECT")
	}
	return "", nil
}

// projectOfCredentials returns the project of the account's credentials, or "". It may send a request
// to the metadata service, which does not count as the caller's.
func (s *serviceDriver) projectOfCredentials(ctx context.Context) (string, error) {
	creds, err := s.account.credentials.get()
	if err != nil {
		return "", err
	}
	// Requests with the context of another counter do not count for ctx.
	uncounted, _ := transport.CountRequests(ctx)
	project, err := creds.ProjectID(uncounted)
	if err != nil {
		return "", &storage.Error{
			Code: storage.Unavailable,
			Err:  err,
			Hint: "the project of the credentials could not be determined: set Config.Project or project=",
		}
	}
	return project, nil
}

// statusOf returns the status of the response that err contains, or 0.
func statusOf(err error) int {
	if storageErr, ok := errors.AsType[*storage.Error](err); ok {
		return storageErr.Status
	}
	return 0
}

// bucketError returns the error for a failed request about a bucket, for which a 404 means that the
// bucket is missing.
func bucketError(err error) error {
	if statusOf(err) == http.StatusNotFound {
		return sdkerror.WithCode(err, storage.BucketNotFound, "")
	}
	return err
}

// isUnknownRequest reports whether err is from a server that does not implement the request. Errors
// of Google have a reason. The error of such a server has none.
func isUnknownRequest(err error) bool {
	response := responseOf(err)
	return response != nil && len(response.Errors) == 0 &&
		slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented}, response.Code)
}
