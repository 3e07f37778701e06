package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
)

// BucketInfo looks at the bucket and then, side by side, at each thing that the
// server has. To read each of them is a right of its own: what may not be read is
// left out. When the bucket was created S3 tells in ListBuckets only.
func (s *serviceDriver) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	info := &storage.BucketInfo{Name: name}
	if err := s.look(ctx, info); err != nil {
		return nil, err
	}
	return info, nil
}

// look fills info; what may not be read stays as it is.
func (s *serviceDriver) look(ctx context.Context, info *storage.BucketInfo) error {
	var b *managed
	err := s.inItsRegion(info.Name, func(found *managed) (err error) {
		b = found
		info.Region, err = b.head(ctx)
		return err
	})
	if err != nil {
		return err
	}
	queries := []func(context.Context) error{
		func(ctx context.Context) error { return permitted(&info.Public, b.public, ctx) },
		func(ctx context.Context) error { return permitted(&info.Versioning, b.versioning, ctx) },
		func(ctx context.Context) error { return permitted(&info.CORS, b.cors, ctx) },
		func(ctx context.Context) error { return permitted(&info.Lifecycle, b.lifecycle, ctx) },
	}
	return parallel.Each(ctx, len(queries), len(queries), func(ctx context.Context, i int) error { return queries[i](ctx) })
}

// permitted sets what to what read returns, if that may be read.
func permitted[V any](what *V, read func(context.Context) (V, error), ctx context.Context) error {
	seen, err := read(ctx)
	switch {
	case err == nil:
		*what = seen
	case storage.CodeOf(err) == storage.PermissionDenied:
		return nil
	}
	return err
}

// head is whether the bucket is there, and where. A server that does not say
// where is in the region that it is spoken to by.
func (b *managed) head(ctx context.Context) (region string, err error) {
	answer, err := b.client.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &b.name})
	if err != nil {
		err = reads(err)
		if storage.CodeOf(err) == storage.ObjectNotFound { // HEAD's 404 says no more
			return "", storage.BucketNotFound
		}
		return "", err
	}
	if region = aws.ToString(answer.BucketRegion); region == "" {
		region = b.region
	}
	return region, nil
}

func (b *managed) versioning(ctx context.Context) (bool, error) {
	if !b.profile.Versioning {
		return false, nil
	}
	answer, err := b.client.GetBucketVersioning(ctx, &awss3.GetBucketVersioningInput{Bucket: &b.name})
	if b.nothing(err, "") {
		return false, nil
	}
	if err != nil {
		return false, reads(err)
	}
	return answer.Status == types.BucketVersioningStatusEnabled, nil
}

// setVersioning: S3 has no way back to a bucket that never kept versions.
func (b *managed) setVersioning(ctx context.Context, on bool) error {
	status := types.BucketVersioningStatusSuspended
	if on {
		status = types.BucketVersioningStatusEnabled
	}
	return writes(ctx, func(ctx context.Context) error {
		_, err := b.client.PutBucketVersioning(ctx, &awss3.PutBucketVersioningInput{
			Bucket: &b.name, VersioningConfiguration: &types.VersioningConfiguration{Status: status},
		}, b.settings()...)
		return err
	})
}

// nothing reports whether the bucket has none of what was asked for: the
// server's own code says so, or it does not know the question.
func (b *managed) nothing(err error, code string) bool {
	return err != nil && (isCode(err, code) && code != "" || storage.CodeOf(translate(err)) == storage.Unsupported)
}
