package gcs

import (
	"context"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/bucketupdate"
)

// BucketInfo requests the bucket's attributes, and also the IAM policy if the bucket does not prevent
// public access. If the credentials may not read the policy, BucketInfo returns the attributes beside
// the error PermissionDenied.
func (s *serviceDriver) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	b := s.bucket(name)
	attrs, err := b.handle().Attrs(ctx)
	if err != nil {
		return nil, bucketError(translate(err))
	}

	const isPublic = false // readPublic may set it
	info := bucketInfo(attrs, isPublic)
	err = b.readPublic(ctx, attrs, info)
	if err != nil && len(info.Unread) == 0 {
		return nil, err
	}
	return info, err
}

// readPublic sets info.Public from the IAM policy. If the credentials may not read the policy, it fails
// with PermissionDenied and adds the name of the field to info.Unread.
func (b *bucket) readPublic(ctx context.Context, attrs *gcs.BucketAttrs, info *storage.BucketInfo) error {
	if attrs.PublicAccessPrevention == gcs.PublicAccessPreventionEnforced {
		return nil // the bucket cannot be public
	}
	isPublic, err := b.isPublic(ctx)
	if storage.CodeOf(err) == storage.PermissionDenied {
		return bucketupdate.Denied(info, err, bucketupdate.Setting{
			Fields: []string{"Public"},
			Right:  "storage.buckets.getIamPolicy",
		})
	}
	info.Public = isPublic
	return err
}

// bucketInfo returns the attributes of a bucket in the form of package storage. isPublic comes from the IAM
// policy, which attrs lacks.
func bucketInfo(attrs *gcs.BucketAttrs, isPublic bool) *storage.BucketInfo {
	info := &storage.BucketInfo{
		Name:       attrs.Name,
		Region:     attrs.Location,
		Public:     isPublic,
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
