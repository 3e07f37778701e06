package s3

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3/internal/bucketsettings"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// BucketInfo reads the bucket and then, in parallel, each setting that the server has. If some
// settings may not be read, it returns the others beside the error PermissionDenied. It does not
// return the time of creation, which S3 has only in ListBuckets.
func (s *serviceDriver) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	info := &storage.BucketInfo{Name: name}
	err := s.readInfo(ctx, info)
	if err != nil && len(info.Unread) == 0 {
		return nil, err
	}
	return info, err
}

// readInfo fills info. If the credentials may not read some settings, it returns PermissionDenied
// and adds the fields of these settings, which stay as they are, to info.Unread.
func (s *serviceDriver) readInfo(ctx context.Context, info *storage.BucketInfo) error {
	// The requests must go to the region of the bucket, so they need an account for it. A second call, for
	// another region, replaces what the first one has set.
	var bucket *bucketsettings.Bucket
	err := s.inBucketRegion(info.Name, func(a *account) error {
		bucket = a.settings(info.Name)
		region, err := a.headBucket(ctx, info.Name)
		info.Region = region
		return err
	})
	if err != nil {
		return err
	}
	return bucket.Read(ctx, info)
}

// headBucket returns the region of the bucket, or that of the request if the response does not name
// one.
func (a *account) headBucket(ctx context.Context, name string) (region string, err error) {
	output, err := a.client.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &name})
	if err != nil {
		return "", a.headBucketError(ctx, name, err)
	}
	return cmp.Or(aws.ToString(output.BucketRegion), a.region), nil
}

// headBucketError returns the error of a HeadBucket that failed with err.
func (a *account) headBucketError(ctx context.Context, name string, err error) error {
	// The response to a HEAD does not say whether the credentials were refused, but that to a GET does.
	refusal := a.hiddenRefusal(err, func() error {
		_, err := a.client.GetBucketLocation(ctx, &awss3.GetBucketLocationInput{Bucket: &name})
		return err
	})
	if refusal != nil {
		return s3error.Read(refusal)
	}

	// A 404 to a HEAD does not say what is missing. Here it can only be the bucket.
	readErr := s3error.Read(err)
	if storage.CodeOf(readErr) == storage.ObjectNotFound {
		return storage.BucketNotFound
	}
	return readErr
}
