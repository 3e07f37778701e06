package storage

import (
	"context"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/internal/tagrule"
)

// A Service manages the buckets of one account. It is safe for concurrent use.
type Service interface {
	// CreateBucket creates a bucket, or fails with BucketExists, also if it is somebody else's. A
	// name has 3 to 63 of a-z, 0-9 and "-", with a letter or digit at both ends and without "--".
	CreateBucket(ctx context.Context, name string, opts ...BucketOption) (*BucketInfo, error)
	// BucketInfo describes a bucket. If there is none, it fails with BucketNotFound.
	BucketInfo(ctx context.Context, name string) (*BucketInfo, error)
	// UpdateBucket changes only what the options name. It fails only if the change does.
	UpdateBucket(ctx context.Context, name string, opts ...BucketOption) (*BucketInfo, error)
	// Buckets yields the account's buckets by name, and at most one error, last.
	Buckets(ctx context.Context) iter.Seq2[BucketInfo, error]
	// DeleteBucket removes a bucket. An object or an old version in it is BucketNotEmpty.
	DeleteBucket(ctx context.Context, name string) error
	// Bucket opens a bucket without a request: if there is none, the first operation fails with
	// BucketNotFound. opts follow the service's own. If this Service has reported that the bucket
	// keeps versions, it is opened WithVersioning; for S3 and GCS, another Service needs that option.
	Bucket(name string, opts ...OpenOption) (Bucket, error)
	// Credentials returns what another S3 client needs, unless the provider has another protocol.
	Credentials(ctx context.Context, name string) (*Credentials, error)
	// Close closes the service and the buckets that Bucket opened, as the function [Close] does.
	Close() error
}

// A BucketOption is one of the functions below, or [WithObjectLock].
type BucketOption interface{ applyBucket(*BucketOptions) }

type bucketOption func(*BucketOptions)

func (o bucketOption) applyBucket(r *BucketOptions) { o(r) }

// BucketOptions are those of CreateBucket and UpdateBucket; a nil field changes nothing.
type BucketOptions struct {
	Region           string
	PublicAccess     *bool
	Versioning       *bool
	CORS             *[]CORSRule
	Lifecycle        *[]LifecycleRule
	ObjectLock       bool              // true makes the bucket able to lock objects; it never loses that
	DefaultRetention *DefaultRetention // of objects that are written without one; zero means none
	SoftDelete       *time.Duration    // how long what is removed is kept; 0 means not at all
}

// Apply reads options.
func (r *BucketOptions) Apply(opts ...BucketOption) error {
	for _, o := range opts {
		if o == nil {
			return invalid("option", "must not be nil")
		}
		o.applyBucket(r)
	}
	if r.Lifecycle != nil {
		for _, rule := range *r.Lifecycle {
			if min(
				rule.ExpireAfterDays, rule.ExpireOldVersionsAfterDays, rule.AbortUploadsAfterDays,
				rule.TransitionAfterDays,
			) < 0 {
				return invalid("WithLifecycle", "rule "+redact.Quoted(rule.ID)+" must not have negative days")
			}
			if broken := tagrule.Check(rule.Tags); broken != "" {
				return invalid("WithLifecycle", broken)
			}
			if (rule.TransitionAfterDays > 0) != (rule.TransitionTo != "") {
				return invalid(
					"WithLifecycle",
					"rule "+redact.Quoted(rule.ID)+" must have both TransitionAfterDays and TransitionTo, or neither",
				)
			}
		}
	}
	if r.ObjectLock && r.Versioning != nil && !*r.Versioning {
		return invalid("WithVersioning", "must not be false beside WithObjectLock: locks need versions")
	}
	if d := r.DefaultRetention; d != nil && *d != (DefaultRetention{}) &&
		(d.Days < 1 || d.Days > maxDefaultDays || d.Mode != Governance && d.Mode != Compliance) {
		return invalid("WithDefaultRetention", "must have the mode Governance or Compliance, and 1 to 36,500 days")
	}
	if r.SoftDelete != nil && *r.SoftDelete < 0 {
		return invalid("WithSoftDelete", "must not be negative")
	}
	if r.CORS != nil {
		for _, rule := range *r.CORS {
			if len(rule.Origins) == 0 || len(rule.Methods) == 0 || rule.MaxAge < 0 {
				return invalid("WithCORS", "rules must have an origin and a method, and no negative age")
			}
		}
	}
	return nil
}

// WithRegion sets the region of a new bucket. It is Unsupported on Azure.
func WithRegion(region string) BucketOption {
	return bucketOption(func(r *BucketOptions) { r.Region = region })
}

// A settingOption makes a new bucket with a setting. For a bucket that is opened, it declares that
// the bucket has the setting.
type settingOption struct {
	set     func(*BucketOptions)
	declare func(*OpenOptions)
}

func (o settingOption) applyBucket(r *BucketOptions) { o.set(r) }
func (o settingOption) ApplyOpen(to *OpenOptions)    { o.declare(to) }

// WithPublicAccess lets anyone read every object, or only with credentials. A bucket that is
// opened with true is declared public, and nothing is made public: PublicURL returns the
// provider's address of an object, or that of [WithSigningBaseURL].
func WithPublicAccess(public bool) interface {
	BucketOption
	OpenOption
} {
	return settingOption{
		func(r *BucketOptions) { r.PublicAccess = &public },
		func(o *OpenOptions) { o.Public = o.Public || public },
	}
}

// WithVersioning makes the bucket keep versions, or no new ones. A bucket that is opened with
// true is declared to keep them, and the store is not asked; a local or memory bucket then
// keeps them. If the store cannot, every call is [Unsupported].
func WithVersioning(on bool) interface {
	BucketOption
	OpenOption
} {
	return settingOption{
		func(r *BucketOptions) { r.Versioning = &on },
		func(o *OpenOptions) { o.Versions = o.Versions || on },
	}
}

// WithObjectLock makes a bucket whose objects can be kept from removal: [WithRetention],
// [WithLegalHold]. It keeps versions, and never loses the ability. It is Unsupported on Azure,
// and for an existing bucket that cannot get it. A bucket that is opened with it is declared to
// have it; a local or memory bucket gets it. If the store has no locks, every call is
// [Unsupported].
func WithObjectLock() interface {
	BucketOption
	OpenOption
} {
	return settingOption{
		func(r *BucketOptions) { r.ObjectLock = true },
		func(o *OpenOptions) { o.Versions, o.ObjectLock = true, true },
	}
}

// WithSoftDelete makes a bucket keep for a time what is removed for good, or replaced without versions
// ([WithSoftDeleted]). 0 keeps nothing more; what was kept stays. Google takes 7 to 90 days, by default 7. S3 has no
// soft delete, and Azure's belongs to the account: both are Unsupported, on S3 also for a bucket that is opened.
// Opening any other bucket with this option makes no request; a local or memory bucket then keeps as much.
func WithSoftDelete(keep time.Duration) interface {
	BucketOption
	OpenOption
} {
	return settingOption{
		func(r *BucketOptions) { r.SoftDelete = &keep },
		func(o *OpenOptions) {
			if keep <= 0 {
				o.Fail(invalid("WithSoftDelete", "must be positive"))
			}
			o.SoftDelete = keep
		},
	}
}

// WithDefaultRetention keeps objects without [WithRetention] for 1 to 36,500 days, in a
// bucket made [WithObjectLock]; "" and 0 keep none.
func WithDefaultRetention(mode RetentionMode, days int) BucketOption {
	return bucketOption(func(r *BucketOptions) { r.DefaultRetention = &DefaultRetention{Mode: mode, Days: days} })
}

// WithCORS replaces the bucket's CORS rules; no rule removes them.
func WithCORS(rules ...CORSRule) BucketOption {
	return bucketOption(func(r *BucketOptions) {
		kept := append([]CORSRule{}, rules...)
		for i := range kept {
			rule := &kept[i]
			for _, list := range []*[]string{
				&rule.Origins, &rule.Methods, &rule.AllowedHeaders, &rule.ExposedHeaders,
			} {
				*list = slices.Clone(*list)
			}
		}
		r.CORS = &kept
	})
}

// WithLifecycle replaces the bucket's lifecycle rules; no rule removes them.
func WithLifecycle(rules ...LifecycleRule) BucketOption {
	return bucketOption(func(r *BucketOptions) {
		kept := append([]LifecycleRule{}, rules...)
		for i := range kept {
			kept[i].Tags = maps.Clone(kept[i].Tags)
		}
		r.Lifecycle = &kept
	})
}

// BucketInfo describes a bucket. A zero field was not reported, or the credentials may not read
// it.
type BucketInfo struct {
	Name             string
	Provider         string
	Region           string
	Created          time.Time
	Public           bool
	Versioning       bool
	CORS             []CORSRule
	Lifecycle        []LifecycleRule
	ObjectLock       bool             // objects can be locked
	DefaultRetention DefaultRetention // of objects that are written without one; zero means none
	SoftDelete       time.Duration    // how long what is removed is kept ([WithSoftDeleted]); 0 means not at all
}

// A DefaultRetention is the retention of new objects in a bucket: each is kept for Days.
type DefaultRetention struct {
	Mode RetentionMode
	Days int
}

// A CORSRule allows pages of other origins to use the bucket.
type CORSRule struct {
	Origins, Methods, AllowedHeaders, ExposedHeaders []string
	MaxAge                                           time.Duration
}

// A LifecycleRule applies to the keys under Prefix; 0 days means never. The store applies it;
// on local and memory buckets transfer.Expire does. Local and memory buckets drop a multipart
// upload themselves, when a later one begins or a local bucket is opened: AbortUploadsAfterDays
// after its begin, else a week after its last part. Google does if Prefix is "", else
// transfer.Expire.
type LifecycleRule struct {
	ID     string
	Prefix string
	// Tags selects the objects that have all of them. It is Unsupported if the store's rules have no tags.
	Tags                       map[string]string
	ExpireAfterDays            int
	ExpireOldVersionsAfterDays int
	AbortUploadsAfterDays      int
	TransitionAfterDays        int
	TransitionTo               string // the provider's storage class
}

// Credentials are what another S3 client needs to reach the bucket.
type Credentials struct {
	Endpoint, Region, Bucket             string
	AccessKeyID, SecretKey, SessionToken string
	ExpiresAt                            time.Time // zero: never, or, with a SessionToken, not known
}

// String returns address and key id, without a secret.
func (c Credentials) String() string {
	return "credentials " + c.AccessKeyID + " for bucket " + c.Bucket + " at " + c.Endpoint
}

// GoString returns String.
func (c Credentials) GoString() string { return c.String() }

// LogValue returns address and key id, without a secret.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("endpoint", c.Endpoint),
		slog.String("region", c.Region),
		slog.String("bucket", c.Bucket),
		slog.String("accessKeyID", c.AccessKeyID),
		slog.Time("expiresAt", c.ExpiresAt),
	)
}

// maxDefaultDays is the limit of S3: 100 years. More days could end in no year that a time has.
const maxDefaultDays = 36_500
