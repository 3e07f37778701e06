package s3

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
)

// BucketInfo reads the bucket and then, in parallel, each setting that the server has.
// Each setting needs its own permission. A setting that may not be read stays empty. S3
// returns the time of creation only in ListBuckets.
func (s *serviceDriver) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	info := &storage.BucketInfo{Name: name}
	if err := s.readInfo(ctx, info); err != nil {
		return nil, err
	}
	return info, nil
}

// readInfo fills info. If the credentials may not read a setting, the field for this setting does
// not change.
func (s *serviceDriver) readInfo(ctx context.Context, info *storage.BucketInfo) error {
	var b *managed
	err := s.inBucketRegion(info.Name, func(m *managed) (err error) {
		b = m
		info.Region, err = b.head(ctx)
		return err
	})
	if err != nil {
		return err
	}
	reads := []func(context.Context) error{
		func(ctx context.Context) error { return ifPermitted(&info.Public, b.isPublic, ctx) },
		func(ctx context.Context) error { return ifPermitted(&info.Versioning, b.versioning, ctx) },
		func(ctx context.Context) error { return ifPermitted(&info.CORS, b.cors, ctx) },
		func(ctx context.Context) error { return ifPermitted(&info.Lifecycle, b.lifecycle, ctx) },
		func(ctx context.Context) error { return b.readObjectLock(ctx, info) },
	}
	return parallel.Each(ctx, len(reads), len(reads), func(ctx context.Context, i int) error { return reads[i](ctx) })
}

// ifPermitted sets *value to the result of get. If get fails with PermissionDenied,
// ifPermitted leaves *value as it is, and returns nil.
func ifPermitted[V any](value *V, get func(context.Context) (V, error), ctx context.Context) error {
	v, err := get(ctx)
	if err == nil {
		*value = v
	} else if storage.CodeOf(err) == storage.PermissionDenied {
		return nil
	}
	return err
}

// head returns the region of the bucket. If the response does not name a region, head returns the
// region of the request.
func (b *managed) head(ctx context.Context) (region string, err error) {
	output, err := b.account.client.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &b.name})
	if err != nil {
		refusal := b.account.hiddenRefusal(err, func() error {
			_, err := b.account.client.GetBucketLocation(ctx, &awss3.GetBucketLocationInput{Bucket: &b.name})
			return err
		})
		if refusal != nil {
			return "", reads(refusal)
		}
		err = reads(err)
		if storage.CodeOf(err) == storage.ObjectNotFound { // a 404 to HEAD does not say what is missing
			return "", storage.BucketNotFound
		}
		return "", err
	}
	return cmp.Or(aws.ToString(output.BucketRegion), b.account.region), nil
}

func (b *managed) versioning(ctx context.Context) (bool, error) {
	if !b.account.profile.Versioning {
		return false, nil
	}
	output, err := readSetting(ctx, b.account.client.GetBucketVersioning, &awss3.GetBucketVersioningInput{Bucket: &b.name})
	if err != nil {
		return false, err
	}
	return output.Status == types.BucketVersioningStatusEnabled, nil
}

// setVersioning enables or suspends versioning. S3 can suspend versioning that was enabled, but not
// disable it.
func (b *managed) setVersioning(ctx context.Context, enabled bool) error {
	status := types.BucketVersioningStatusSuspended
	if enabled {
		status = types.BucketVersioningStatusEnabled
	}
	return sendWrite(ctx, b.account.client.PutBucketVersioning, &awss3.PutBucketVersioningInput{
		Bucket:                  &b.name,
		VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	}, b.account.withBodyChecksum()...)
}

// readSetting asks for a setting of a bucket. If the server returns one of the given error codes, or does
// not support the request, the bucket does not have the setting. The output is then empty.
func readSetting[In, Out any](ctx context.Context, send sendFunc[In, Out], input *In, codes ...string) (*Out, error) {
	output, err := send(ctx, input)
	if err == nil {
		return output, nil
	}
	if isCode(err, codes...) || storage.CodeOf(translate(err)) == storage.Unsupported {
		return new(Out), nil
	}
	return nil, reads(err)
}
