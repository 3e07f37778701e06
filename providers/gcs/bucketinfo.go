package gcs

import (
	"context"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
)

// BucketInfo requests the bucket's attributes. If the bucket does not prevent public access,
// BucketInfo also requests the IAM policy. If the credentials may not read the policy, Public is
// false.
func (s *serviceDriver) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	b := s.bucket(name)
	attrs, err := b.handle().Attrs(ctx)
	if err != nil {
		return nil, bucketError(translate(err))
	}
	return b.info(ctx, attrs)
}

func (b *bucket) info(ctx context.Context, attrs *gcs.BucketAttrs) (*storage.BucketInfo, error) {
	public := false
	if attrs.PublicAccessPrevention != gcs.PublicAccessPreventionEnforced {
		var err error
		if public, err = b.public(ctx); err != nil {
			return nil, err
		}
	}
	return bucketInfo(attrs, public), nil
}

func bucketInfo(attrs *gcs.BucketAttrs, public bool) *storage.BucketInfo {
	info := &storage.BucketInfo{
		Name:       attrs.Name,
		Region:     attrs.Location,
		Public:     public,
		Versioning: attrs.VersioningEnabled,
		CORS:       parseCORSRules(attrs.CORS),
		Lifecycle:  parseLifecycleRules(attrs.Lifecycle, attrs.VersioningEnabled),
		ObjectLock: attrs.ObjectRetentionMode == retentionEnabled,
	}
	if attrs.SoftDeletePolicy != nil {
		info.SoftDelete = attrs.SoftDeletePolicy.RetentionDuration
	}
	if !attrs.Created.IsZero() {
		info.Created = attrs.Created.UTC()
	}
	return info
}
