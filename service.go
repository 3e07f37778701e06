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
	"github.com/omnibucket/storage/internal/unexported"
)

// A Service manages the buckets of one account at one provider. Its methods are safe for concurrent
// use.
type Service interface {
	// CreateBucket creates a bucket. If anybody has a bucket of that name, it fails with
	// BucketExists. Every provider accepts a name of 3 to 63 characters of a-z, 0-9 and "-", with a
	// letter or digit at both ends and without "--". Any other name is InvalidArgument.
	CreateBucket(ctx context.Context, name string, opts ...BucketOption) (*BucketInfo, error)

	// BucketInfo describes a bucket. If there is none, it fails with BucketNotFound. A field that
	// the credentials may not read is zero.
	BucketInfo(ctx context.Context, name string) (*BucketInfo, error)

	// UpdateBucket changes only what the options name. It succeeds if the change was made, even if
	// the bucket cannot be read afterwards.
	UpdateBucket(ctx context.Context, name string, opts ...BucketOption) (*BucketInfo, error)

	// Buckets yields the account's buckets by name, and at most one error, last.
	Buckets(ctx context.Context) iter.Seq2[BucketInfo, error]

	// DeleteBucket removes an empty bucket. If the bucket has an object or an old version, it fails
	// with BucketNotEmpty, on every provider.
	DeleteBucket(ctx context.Context, name string) error

	// Bucket opens a bucket of the account without a request: if there is none, the first
	// operation fails with BucketNotFound. opts are applied after the service's own. If
	// CreateBucket, UpdateBucket or BucketInfo of this Service reported that the bucket keeps
	// versions, it is opened as with [WithVersions]. Another process, or another Service, must
	// give that option for S3 and GCS.
	Bucket(name string, opts ...OpenOption) (Bucket, error)

	// Credentials returns what another S3 client needs to reach the bucket. If the provider does
	// not speak S3's protocol, it fails with Unsupported.
	Credentials(ctx context.Context, name string) (*Credentials, error)

	// Close closes the buckets that Bucket opened, and releases what opening the service
	// took. After that, every operation on them and on the service fails with InvalidArgument.
	Close() error
}

// A BucketOption sets a property of a bucket: WithRegion, WithPublicAccess, WithVersioning,
// WithCORS, WithLifecycle, WithObjectLock, WithDefaultRetention.
type BucketOption interface{ applyBucket(*BucketOptions) }

type bucketOption func(*BucketOptions)

func (o bucketOption) applyBucket(r *BucketOptions) { o(r) }

// BucketOptions are those of CreateBucket and UpdateBucket. A nil field is left as it is; an empty
// list of rules removes all rules. Code that implements a [Service] itself reads the options with
// Apply.
type BucketOptions struct {
	Region       string
	PublicAccess *bool
	Versioning   *bool
	CORS         *[]CORSRule
	Lifecycle    *[]LifecycleRule
	ObjectLock   bool // true makes the bucket able to lock objects; it never loses that
	// DefaultRetention is that of objects that are written without one; zero: none.
	DefaultRetention *DefaultRetention
}

// Apply reads options. A bad rule, or a retention that no provider would keep, is InvalidArgument.
func (r *BucketOptions) Apply(opts ...BucketOption) error {
	for _, o := range opts {
		if o == nil {
			return invalid("option", "must not be nil")
		}
		o.applyBucket(r)
	}
	if r.Lifecycle != nil {
		for _, rule := range *r.Lifecycle {
			if min(rule.ExpireAfterDays, rule.ExpireOldVersionsAfterDays, rule.AbortUploadsAfterDays, rule.TransitionAfterDays) < 0 {
				return invalid("WithLifecycle", "rule "+redact.Quoted(rule.ID)+" must not have negative days")
			}
			if broken := tagrule.Check(rule.Tags); broken != "" {
				return invalid("WithLifecycle", broken)
			}
			if (rule.TransitionAfterDays > 0) != (rule.TransitionTo != "") {
				return invalid("WithLifecycle", "rule "+redact.Quoted(rule.ID)+" must have both TransitionAfterDays and TransitionTo, or neither")
			}
		}
	}
	if r.ObjectLock && r.Versioning != nil && !*r.Versioning {
		return invalid("WithVersioning", "must not be false beside WithObjectLock: locks need versions")
	}
	if d := r.DefaultRetention; d != nil && *d != (DefaultRetention{}) && (d.Days < 1 || d.Days > maxDefaultDays || d.Mode != Governance && d.Mode != Compliance) {
		return invalid("WithDefaultRetention", "must have the mode Governance or Compliance, and 1 to 36,500 days")
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

// WithRegion sets the region of a new bucket, by the provider's own name. On Azure, where the
// account has the region, CreateBucket fails with Unsupported.
func WithRegion(region string) BucketOption {
	return bucketOption(func(r *BucketOptions) { r.Region = region })
}

// WithPublicAccess makes every object of the bucket readable by anyone (true), or only with
// credentials (false).
func WithPublicAccess(public bool) BucketOption {
	return bucketOption(func(r *BucketOptions) { r.PublicAccess = &public })
}

// WithVersioning makes the bucket keep versions (true), or no new versions (false).
func WithVersioning(on bool) BucketOption {
	return bucketOption(func(r *BucketOptions) { r.Versioning = &on })
}

// An ObjectLockOption fits CreateBucket and UpdateBucket, and the opening of a bucket:
// WithObjectLock.
type ObjectLockOption interface {
	BucketOption
	OpenOption
}

type objectLockOption struct{}

func (objectLockOption) applyBucket(r *BucketOptions)        { r.ObjectLock = true }
func (objectLockOption) applyOpen(o *unexported.OpenOptions) { o.Versions, o.ObjectLock = true, true }

// WithObjectLock makes a bucket whose objects can be kept from removal: [WithRetention],
// [WithLegalHold]. Such a bucket keeps versions, and never loses the ability. If the provider
// cannot give it to a bucket that exists, or has none (Azure's API for blobs), UpdateBucket or
// CreateBucket fails with Unsupported.
//
// At the opening of a bucket it declares that the bucket is such a one, and keeps versions; the
// store is not asked. It makes a local or memory bucket one.
func WithObjectLock() ObjectLockOption { return objectLockOption{} }

// WithDefaultRetention keeps objects that are written without [WithRetention] for so many days, in
// a bucket that was made [WithObjectLock]. Days of 0 and a mode of "" mean none; else days below 1
// or above 36,500, or another mode than [Governance] and [Compliance], are InvalidArgument. If the
// provider has no such setting, the operation fails with Unsupported.
func WithDefaultRetention(mode RetentionMode, days int) BucketOption {
	return bucketOption(func(r *BucketOptions) { r.DefaultRetention = &DefaultRetention{Mode: mode, Days: days} })
}

// WithCORS replaces the bucket's CORS rules; without a rule it removes them.
func WithCORS(rules ...CORSRule) BucketOption {
	return bucketOption(func(r *BucketOptions) {
		kept := append([]CORSRule{}, rules...)
		for i := range kept {
			for _, list := range []*[]string{&kept[i].Origins, &kept[i].Methods, &kept[i].AllowedHeaders, &kept[i].ExposedHeaders} {
				*list = slices.Clone(*list)
			}
		}
		r.CORS = &kept
	})
}

// WithLifecycle replaces the bucket's lifecycle rules; without a rule it removes them.
func WithLifecycle(rules ...LifecycleRule) BucketOption {
	return bucketOption(func(r *BucketOptions) {
		kept := append([]LifecycleRule{}, rules...)
		for i := range kept {
			kept[i].Tags = maps.Clone(kept[i].Tags)
		}
		r.Lifecycle = &kept
	})
}

// BucketInfo describes a bucket. A field is zero if the provider does not report it, or the
// credentials may not read it.
type BucketInfo struct {
	Name       string
	Provider   string
	Region     string
	Created    time.Time
	Public     bool
	Versioning bool
	CORS       []CORSRule
	Lifecycle  []LifecycleRule
	ObjectLock bool // objects can be locked
	// DefaultRetention is that of objects that are written without one; zero: none.
	DefaultRetention DefaultRetention
}

// A DefaultRetention keeps the objects of a bucket for so many days from their writing.
type DefaultRetention struct {
	Mode RetentionMode
	Days int
}

// A CORSRule allows pages of other origins to use the bucket.
type CORSRule struct {
	Origins, Methods, AllowedHeaders, ExposedHeaders []string
	MaxAge                                           time.Duration
}

// A LifecycleRule applies to the keys under Prefix; 0 days means never. The store applies it.
//
// On local and memory buckets, transfer.Expire applies the rules for objects. These buckets
// drop a stale multipart upload themselves, when a later one begins or a local bucket is
// opened: AbortUploadsAfterDays after it was begun or, without a rule, a week after its last
// part.
//
// Google drops a multipart upload of this library by a rule without Prefix; transfer.Expire drops
// those below a prefix.
type LifecycleRule struct {
	ID     string
	Prefix string
	// Tags restricts the rule to objects that have all of them. A store whose rules have no tags
	// refuses it with Unsupported.
	Tags                       map[string]string
	ExpireAfterDays            int
	ExpireOldVersionsAfterDays int
	AbortUploadsAfterDays      int
	TransitionAfterDays        int
	TransitionTo               string // the provider's storage class
}

// Credentials are what another S3 client needs to reach the bucket. String and slog show no
// secret.
type Credentials struct {
	Endpoint, Region, Bucket             string
	AccessKeyID, SecretKey, SessionToken string
	ExpiresAt                            time.Time // zero: they do not expire; with a SessionToken: the time is not known
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
