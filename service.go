package storage

import (
	"context"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/internal/redact"
)

// A Service manages the buckets of one account. It is safe for concurrent use. This example adds a
// lifecycle rule and a CORS rule to the rules of a bucket. [WithLifecycle] says which rules are
// lost:
//
//	info, err := service.BucketInfo(ctx, "photos")
//	if err != nil {
//		return err
//	}
//	rules := append(info.Lifecycle, storage.LifecycleRule{Prefix: "tmp/", ExpireAfterDays: 7})
//	cors := append(info.CORS, storage.CORSRule{Origins: []string{"https://example.com"}, Methods: []string{"GET"}})
//	_, err = service.UpdateBucket(ctx, "photos", storage.WithLifecycle(rules...), storage.WithCORS(cors...))
type Service interface {
	// CreateBucket creates a bucket. If the bucket exists, even in another account, it fails with BucketExists. A name
	// has 3 to 63 characters: a-z, 0-9 and "-". It has a letter or digit at both ends, and no "--".
	CreateBucket(ctx context.Context, name string, opts ...BucketOption) (*BucketInfo, error)
	// BucketInfo describes a bucket. If the bucket does not exist, it fails with BucketNotFound. If the credentials
	// may read only some settings, it fails with PermissionDenied, and also returns those settings. Otherwise, the
	// result beside an error is nil.
	BucketInfo(ctx context.Context, name string) (*BucketInfo, error)
	// UpdateBucket changes only the settings that opts name. It succeeds even if the credentials may
	// not read the settings after the change: the field Unread of the result then names them.
	UpdateBucket(ctx context.Context, name string, opts ...BucketOption) (*BucketInfo, error)
	// Buckets yields the account's buckets in the order of their names. It yields at most one error, and then ends.
	// A field is zero if the store does not list it. CORS and Lifecycle are always nil: call BucketInfo for them.
	Buckets(ctx context.Context) iter.Seq2[BucketInfo, error]
	// DeleteBucket removes a bucket. If the bucket still has an object or an old version,
	// DeleteBucket fails with BucketNotEmpty.
	DeleteBucket(ctx context.Context, name string) error
	// Bucket opens a bucket without a request. If the bucket does not exist, the first operation fails with
	// BucketNotFound. opts are applied after the options of the service. If this Service has reported that the bucket
	// keeps versions, the bucket is opened WithVersioning. Otherwise, the caller must give WithVersioning for a bucket
	// of S3 or GCS that keeps versions. A report of another Service has no effect here.
	Bucket(name string, opts ...OpenOption) (Bucket, error)
	// Credentials returns the address and credentials that another S3 client needs. If the provider
	// does not have the protocol of S3, Credentials fails with Unsupported.
	Credentials(ctx context.Context, name string) (*Credentials, error)
	// Close closes the service and the buckets that Bucket opened, as the function [Close] does.
	Close() error
}

// A BucketOption fits [Service.CreateBucket] and [Service.UpdateBucket]: a [SettingOption], [WithRegion],
// [WithDefaultRetention], [WithCORS] or [WithLifecycle].
type BucketOption interface{ applyBucket(*BucketOptions) }

type bucketOption func(*BucketOptions)

func (o bucketOption) applyBucket(r *BucketOptions) { o(r) }

// BucketOptions are the options of CreateBucket and UpdateBucket. If a field is nil, that setting
// stays unchanged.
type BucketOptions struct {
	Region           string
	PublicAccess     *bool
	Versioning       *bool
	CORS             *[]CORSRule
	Lifecycle        *[]LifecycleRule
	ObjectLock       bool              // true makes a bucket whose objects can be locked, which cannot be undone
	DefaultRetention *DefaultRetention // retention of objects that are written without their own; zero means none
	SoftDelete       *time.Duration    // time for which removed objects are kept; 0 means that none are kept
}

// Apply sets r from opts, and fails with InvalidArgument if an option is invalid.
func (r *BucketOptions) Apply(opts ...BucketOption) error {
	for _, o := range opts {
		if o == nil {
			return invalid("option", "must not be nil")
		}
		o.applyBucket(r)
	}

	// Refuse values that no store accepts, and options that contradict each other. A nil field
	// means that its option was not given.
	if r.Lifecycle != nil {
		for i := range *r.Lifecycle {
			if err := (*r.Lifecycle)[i].check(); err != nil {
				return err
			}
		}
	}

	if r.ObjectLock && r.Versioning != nil && !*r.Versioning {
		return invalid("WithVersioning", "must not be false beside WithObjectLock: locks need versions")
	}
	if r.DefaultRetention != nil && !r.DefaultRetention.isValid() {
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

// check returns an error if no store can have the rule.
func (rule *LifecycleRule) check() *Error {
	fewestDays := min(
		rule.ExpireAfterDays,
		rule.ExpireOldVersionsAfterDays,
		rule.AbortUploadsAfterDays,
		rule.TransitionAfterDays,
	)
	if fewestDays < 0 {
		return invalid("WithLifecycle", "rule "+redact.Quoted(rule.ID)+" must not have negative days")
	}
	if problem := metadata.CheckTags(rule.Tags); problem != "" {
		return invalid("WithLifecycle", problem)
	}

	// The class of storage and the days after which an object changes to it only make sense
	// together.
	hasDays := rule.TransitionAfterDays > 0
	hasClass := rule.TransitionTo != ""
	if hasDays != hasClass {
		return invalid(
			"WithLifecycle",
			"rule "+redact.Quoted(rule.ID)+" must have both TransitionAfterDays and TransitionTo, or neither",
		)
	}
	return nil
}

// isValid reports whether d is zero, or has a mode and a number of days that stores accept.
func (d DefaultRetention) isValid() bool {
	if d == (DefaultRetention{}) {
		return true
	}
	if d.Mode != Governance && d.Mode != Compliance {
		return false
	}
	return d.Days >= 1 && d.Days <= maxDefaultDays
}

// WithRegion sets the region of a new bucket. On Azure, CreateBucket does not support it.
func WithRegion(region string) BucketOption {
	return bucketOption(func(r *BucketOptions) {
		r.Region = region
	})
}

// A SettingOption fits CreateBucket and UpdateBucket, which make the setting, and functions that
// open a bucket. These send no request: the option only declares that the bucket has the setting.
type SettingOption interface {
	BucketOption
	OpenOption
}

// A settingOption implements SettingOption.
type settingOption struct {
	set     func(*BucketOptions)
	declare func(*OpenOptions)
}

func (o settingOption) applyBucket(r *BucketOptions) { o.set(r) }
func (o settingOption) ApplyOpen(opts *OpenOptions)  { o.declare(opts) }

// WithPublicAccess sets whether anyone can read every object of the bucket. If a bucket is
// opened with true, its PublicURL returns the provider's address of an object. For a local or
// memory bucket, it is the URL of [WithSigningBaseURL] followed by the key.
func WithPublicAccess(public bool) SettingOption {
	return settingOption{
		set: func(r *BucketOptions) {
			r.PublicAccess = &public
		},
		declare: func(o *OpenOptions) {
			o.Public = o.Public || public
		},
	}
}

// WithVersioning sets whether the bucket keeps new versions. A local or memory bucket that is
// opened with true keeps versions. If another store cannot keep versions, every call on a bucket
// that is opened with true fails with Unsupported. When a bucket is opened, false has no effect.
func WithVersioning(enabled bool) SettingOption {
	return settingOption{
		set: func(r *BucketOptions) {
			r.Versioning = &enabled
		},
		declare: func(o *OpenOptions) {
			o.Versions = o.Versions || enabled
		},
	}
}

// WithObjectLock makes a bucket whose objects can be locked by [WithRetention] and [WithLegalHold].
// The bucket also keeps versions. Object lock cannot be turned off. CreateBucket and UpdateBucket
// fail with Unsupported on Azure, and for a bucket in which object lock cannot be turned on. A
// local or memory bucket that is opened with the option has object lock from then on. If the store
// has no locks, every call on the bucket fails with Unsupported.
func WithObjectLock() SettingOption {
	return settingOption{
		set: func(r *BucketOptions) {
			r.ObjectLock = true
		},
		declare: func(o *OpenOptions) {
			o.Versions = true
			o.ObjectLock = true
		},
	}
}

// WithSoftDelete makes a bucket keep objects for a time after they were removed or replaced
// ([WithSoftDeleted]). A bucket with versions keeps removed versions.
//
// In CreateBucket and UpdateBucket, keep may be 0: the bucket then keeps no objects that are removed
// later, but still those that were removed earlier. Google permits 7 to 90 days, and its default
// is 7. These functions fail with Unsupported on S3, which has no soft delete, and on Azure, where it
// belongs to the account.
//
// In Open, keep must be positive. A local or memory bucket then keeps removed objects, and every call
// on a bucket of S3 fails with Unsupported.
func WithSoftDelete(keep time.Duration) SettingOption {
	return settingOption{
		set: func(r *BucketOptions) {
			r.SoftDelete = &keep
		},
		declare: func(o *OpenOptions) {
			if keep <= 0 {
				o.Fail(invalid("WithSoftDelete", "must be positive"))
			}
			o.SoftDelete = keep
		},
	}
}

// WithDefaultRetention sets the retention of objects that are written without [WithRetention], in a
// bucket made with [WithObjectLock]. days is 1 to 36,500. With "" and 0, there is no default
// retention.
func WithDefaultRetention(mode RetentionMode, days int) BucketOption {
	return bucketOption(func(r *BucketOptions) {
		r.DefaultRetention = &DefaultRetention{Mode: mode, Days: days}
	})
}

// WithCORS replaces all CORS rules of the bucket. To add a rule, also give the rules of
// [Service.BucketInfo]. Without an argument, it removes them.
func WithCORS(rules ...CORSRule) BucketOption {
	return bucketOption(func(r *BucketOptions) {
		clone := append([]CORSRule{}, rules...)
		for i := range clone {
			rule := &clone[i]
			rule.Origins = slices.Clone(rule.Origins)
			rule.Methods = slices.Clone(rule.Methods)
			rule.AllowedHeaders = slices.Clone(rule.AllowedHeaders)
			rule.ExposedHeaders = slices.Clone(rule.ExposedHeaders)
		}
		r.CORS = &clone
	})
}

// WithLifecycle replaces all lifecycle rules of the bucket. Without an argument, it removes them.
// To add a rule, also give the rules of [Service.BucketInfo]. A [LifecycleRule] cannot express some
// rules, such as disabled rules and rules with sizes or dates. BucketInfo leaves out these rules,
// so WithLifecycle removes them.
func WithLifecycle(rules ...LifecycleRule) BucketOption {
	return bucketOption(func(r *BucketOptions) {
		clone := append([]LifecycleRule{}, rules...)
		for i := range clone {
			clone[i].Tags = maps.Clone(clone[i].Tags)
		}
		r.Lifecycle = &clone
	})
}

// BucketInfo describes a bucket. A field is zero if the store does not have the setting, or if Unread names the field.
type BucketInfo struct {
	Name             string
	Provider         string
	Region           string
	Created          time.Time
	Public           bool
	Versioning       bool
	CORS             []CORSRule
	Lifecycle        []LifecycleRule
	ObjectLock       bool             // true if objects can be locked
	DefaultRetention DefaultRetention // retention of objects that are written without their own; zero means none
	SoftDelete       time.Duration    // removed objects are kept for this time; 0 means not at all
	Unread           []string         // names of the fields that could not be read, such as "Lifecycle"
}

// A DefaultRetention is the retention of new objects in a bucket. Each is kept for Days.
type DefaultRetention struct {
	Mode RetentionMode
	Days int
}

// A CORSRule allows web pages of other origins to read the bucket or write to it.
type CORSRule struct {
	Origins, Methods, AllowedHeaders, ExposedHeaders []string
	MaxAge                                           time.Duration
}

// A LifecycleRule applies to the keys under Prefix. If the number of days in a field is 0, that
// part of the rule never applies. The store itself applies the rule, and transfer.Expire does so on
// local and memory buckets.
//
// A local or memory bucket drops an old multipart upload when another upload begins, and a local
// bucket also when it is opened. An upload is old if it began AbortUploadsAfterDays ago, or if its
// last part was stored a week ago. Google itself drops uploads only if Prefix is "", and
// transfer.Expire drops the others.
type LifecycleRule struct {
	ID     string
	Prefix string
	// Tags selects the objects that have all of these tags. If the store's rules cannot select
	// tags, the call fails with Unsupported.
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
	ExpiresAt                            time.Time // zero if there is no end, or if a SessionToken has an unknown end
}

// String returns the endpoint and the id of the key, without a secret.
func (c Credentials) String() string {
	return "credentials " + c.AccessKeyID + " for bucket " + c.Bucket + " at " + c.Endpoint
}

// GoString returns String, so that "%#v" shows no secret.
func (c Credentials) GoString() string { return c.String() }

// LogValue returns the endpoint and the id of the key, without a secret.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("endpoint", c.Endpoint),
		slog.String("region", c.Region),
		slog.String("bucket", c.Bucket),
		slog.String("accessKeyID", c.AccessKeyID),
		slog.Time("expiresAt", c.ExpiresAt),
	)
}

// maxDefaultDays is the limit of S3: 100 years. A much longer retention could end after the year
// 9999, which no provider accepts.
const maxDefaultDays = 36_500
