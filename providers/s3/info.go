package s3

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/panics"
)

// BucketInfo is one look at the bucket and then, side by side, one at each
// thing that the server has. When it was created S3 tells in ListBuckets alone.
func (s *serviceDriver) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	var b *managed
	var region string
	err := s.inItsRegion(name, func(found *managed) (err error) {
		b = found
		region, err = b.head(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	info := &storage.BucketInfo{Name: name, Region: region}
	err = together(ctx,
		func(ctx context.Context) (err error) { info.Public, err = b.public(ctx); return err },
		func(ctx context.Context) (err error) { info.Versioning, err = b.versioning(ctx); return err },
		func(ctx context.Context) (err error) { info.CORS, err = b.cors(ctx); return err },
		func(ctx context.Context) (err error) { info.Lifecycle, err = b.lifecycle(ctx); return err },
	)
	if err != nil {
		return nil, err
	}
	return info, nil
}

// together runs all at once; the first that fails ends the others, and is the
// answer.
func together(ctx context.Context, looks ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group panics.Group
	var once sync.Once
	var first error
	for _, look := range looks {
		group.Go(func() {
			if err := look(ctx); err != nil {
				once.Do(func() {
					first = err
					cancel()
				})
			}
		}, cancel)
	}
	group.Wait()
	return first
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
