package gcs

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	gcs "cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/invalid"
	"github.com/omnibucket/storage/internal/transport"
)

var _ storage.ServiceDriver = (*serviceDriver)(nil)

const (
	defaultLocation = "US" // Google's, for a bucket that was given none
	maxBuckets      = 1000 // of one page
	undoTime        = 30 * time.Second
)

// serviceDriver manages the buckets of one account.
type serviceDriver struct {
	*account
}

// NewService opens the account behind a Config without a bucket, and makes no
// request. Buckets are made and listed in Config.Project. InvalidArgument as
// Open.
//
// BucketInfo.Public stands in the bucket's IAM policy: it is false where the
// credentials may not read that (storage.buckets.getIamPolicy).
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
		return nil, invalid.Argument("Config.Bucket", "must be empty: an account has many", "")
	}
	a, err := newAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	return newServiceDriver(a), nil
}

func newServiceDriver(a *account) storage.ServiceDriver { return &serviceDriver{account: a} }

// Provider is "gcs".
func (s *serviceDriver) Provider() string { return provider }

// Driver makes no request. It shares the account's connections: Close of the
// service ends them.
func (s *serviceDriver) Driver(name string) (storage.Driver, error) {
	return &driver{account: s.account, bucket: name}, nil
}

// Close closes the account.
func (s *serviceDriver) Close() error { return s.account.close() }

// Credentials are Unsupported.
func (s *serviceDriver) Credentials(context.Context, string) (*storage.Credentials, error) {
	return nil, &storage.Error{
		Code: storage.Unsupported,
		Hint: "Google speaks S3 to HMAC keys alone: make one for a service account, and open the bucket as s3 with endpoint=https://storage.googleapis.com",
	}
}

// A managed bucket is one that its account looks at or changes.
type managedBucket struct {
	*account
	name   string
	handle *gcs.BucketHandle
}

func (s *serviceDriver) manage(name string) *managedBucket {
	return &managedBucket{account: s.account, name: name, handle: s.handleOf(name)}
}

// CreateBucket makes a bucket whose access is uniform: who may read it, its IAM
// policy says alone, and no object says otherwise. One that is to be public and
// cannot be leaves no bucket behind.
func (s *serviceDriver) CreateBucket(ctx context.Context, r *storage.BucketRequest) (*storage.BucketInfo, error) {
	project, err := s.projectID(ctx)
	if err != nil {
		return nil, err
	}
	b, attrs := s.manage(r.Name), newBucketAttrs(r)
	err = writes(ctx, func(ctx context.Context) error { return b.handle.Create(ctx, project, attrs) })
	if err != nil {
		return nil, createError(err)
	}
	public := r.PublicAccess != nil && *r.PublicAccess
	if public {
		if err := b.addPublicRead(ctx); err != nil {
			undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
			defer cancel()
			_ = b.handle.Delete(undo)
			return nil, err
		}
	}
	attrs.Name, attrs.Location = r.Name, strings.ToUpper(attrs.Location) // as Google tells it
	return bucketInfo(attrs, public), nil
}

func newBucketAttrs(r *storage.BucketRequest) *gcs.BucketAttrs {
	attrs := &gcs.BucketAttrs{
		Location:                 r.Region,
		UniformBucketLevelAccess: gcs.UniformBucketLevelAccess{Enabled: true},
	}
	if attrs.Location == "" {
		attrs.Location = defaultLocation
	}
	if r.PublicAccess != nil {
		attrs.PublicAccessPrevention = prevention(*r.PublicAccess)
	}
	if r.Versioning != nil {
		attrs.VersioningEnabled = *r.Versioning
	}
	if r.CORS != nil {
		attrs.CORS = corsRules(*r.CORS)
	}
	if r.Lifecycle != nil {
		attrs.Lifecycle = lifecycleRules(*r.Lifecycle)
	}
	return attrs
}

func createError(err error) error {
	if statusOf(err) == http.StatusConflict {
		return withCode(err, storage.BucketExists, "")
	}
	return err
}

// UpdateBucket changes the bucket in one request, and its IAM policy in two
// more where public access is asked for: it ends before the policy that grants
// it does, and begins when all else is done.
func (s *serviceDriver) UpdateBucket(ctx context.Context, r *storage.BucketRequest) (*storage.BucketInfo, error) {
	if r.Region != "" {
		return nil, storage.Unsupported
	}
	if r.PublicAccess == nil && r.Versioning == nil && r.CORS == nil && r.Lifecycle == nil {
		return s.BucketInfo(ctx, r.Name)
	}
	b := s.manage(r.Name)
	var attrs *gcs.BucketAttrs
	err := writes(ctx, func(ctx context.Context) (err error) {
		attrs, err = b.handle.Update(ctx, bucketChange(r))
		return err
	})
	if err != nil {
		return nil, bucketError(err)
	}
	if r.PublicAccess == nil {
		info, err := b.info(ctx, attrs)
		if err != nil { // the change was made
			return bucketInfo(attrs, false), nil
		}
		return info, nil
	}
	if *r.PublicAccess {
		err = b.addPublicRead(ctx)
	} else {
		err = b.removePublic(ctx)
	}
	if err != nil {
		return nil, err
	}
	return bucketInfo(attrs, *r.PublicAccess), nil
}

func bucketChange(r *storage.BucketRequest) gcs.BucketAttrsToUpdate {
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
	return change
}

// DeleteBucket is BucketNotEmpty where there is an object or an old version.
func (s *serviceDriver) DeleteBucket(ctx context.Context, name string) error {
	err := writes(ctx, s.manage(name).handle.Delete)
	if statusOf(err) == http.StatusConflict {
		return withCode(err, storage.BucketNotEmpty, "")
	}
	return bucketError(err)
}

// ListBuckets are the project's.
func (s *serviceDriver) ListBuckets(ctx context.Context, token string) ([]storage.BucketInfo, string, error) {
	project, err := s.projectID(ctx)
	if err != nil {
		return nil, "", err
	}
	var buckets []*gcs.BucketAttrs
	next, err := iterator.NewPager(s.client.Buckets(ctx, project), maxBuckets, token).NextPage(&buckets)
	if err != nil {
		return nil, "", translate(err)
	}
	page := make([]storage.BucketInfo, 0, len(buckets))
	for _, attrs := range buckets {
		page = append(page, storage.BucketInfo{
			Name: attrs.Name, Region: attrs.Location, Created: attrs.Created.UTC(), Versioning: attrs.VersioningEnabled,
		})
	}
	return page, next, nil
}

// projectOf is the project of which buckets are made and listed. A server that
// is not Google's may know none.
func (s *serviceDriver) projectID(ctx context.Context) (string, error) {
	project := s.project
	if project == "" && s.credentials != nil {
		found, err := s.credentials.get()
		if err != nil {
			return "", err
		}
		uncounted, _ := transport.CountRequests(ctx) // of the metadata service, where the credentials are a machine's
		if project, err = found.ProjectID(uncounted); err != nil {
			return "", &storage.Error{Code: storage.Unavailable, Err: err, Hint: "the project is the credentials' own, and cannot be looked up: set Config.Project or project="}
		}
	}
	if project == "" && s.endpoint == nil {
		return "", invalid.Argument("project", "is not known", "set Config.Project, project= in the address, or GOOGLE_CLOUD_PROJECT")
	}
	return project, nil
}

// statusOf is the answer's, or 0.
func statusOf(err error) int {
	var e *storage.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// bucketFailed is what a request on a bucket as a whole failed with: what was
// not found is the bucket.
func bucketError(err error) error {
	if statusOf(err) == http.StatusNotFound {
		return withCode(err, storage.BucketNotFound, "")
	}
	return err
}

// unknownRequest reports a server that is not Google's and does not know what
// it was asked: Google's own 404 gives a reason.
func isUnknownRequest(err error) bool {
	var response *googleapi.Error
	if !errors.As(err, &response) || len(response.Errors) > 0 {
		return false
	}
	return response.Code == http.StatusNotFound || response.Code == http.StatusMethodNotAllowed || response.Code == http.StatusNotImplemented
}

// withCode is err as another code, with what is known of the answer.
func withCode(err error, code storage.Code, hint string) error {
	e := storage.Error{Err: err}
	if own := (*storage.Error)(nil); errors.As(err, &own) {
		e = *own
	}
	e.Code, e.Hint, e.Retryable = code, hint, code == storage.Unavailable
	return &e
}
