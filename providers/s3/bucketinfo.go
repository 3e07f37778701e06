package s3

import (
	"cmp"
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/providers/internal/bucketupdate"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

// bucketSettings are the settings of a bucket, each with its fields in a [storage.BucketInfo].
var bucketSettings = [][]string{
	{"Public"},
	{"Versioning"},
	{"CORS"},
	{"Lifecycle"},
	{"ObjectLock", "DefaultRetention"},
}

// readRights maps each operation that reads a setting to the permission that it needs.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
var readRights = map[string]string{
	"GetBucketPolicy":                 "s3:GetBucketPolicy",
	"GetPublicAccessBlock":            "s3:GetBucketPublicAccessBlock",
	"GetBucketAcl":                    "s3:GetBucketAcl",
	"GetBucketVersioning":             "s3:GetBucketVersioning",
	"GetBucketCors":                   "s3:GetBucketCORS",
	"GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
	"GetObjectLockConfiguration":      "s3:GetBucketObjectLockConfiguration",
}

// BucketInfo reads the bucket and then, in parallel, each setting that the server has. If some
// settings may not be read, BucketInfo returns the others beside the error PermissionDenied. S3
// returns the time of creation only in ListBuckets.
func (s *serviceDriver) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	info := &storage.BucketInfo{Name: name}
	if err := s.readInfo(ctx, info); err != nil {
		if len(info.Unread) > 0 {
			return info, err
		}
		return nil, err
	}
	return info, nil
}

// readInfo fills info. If the credentials may not read some settings, it returns PermissionDenied
// and adds the fields of these settings, which do not change, to info.Unread.
func (s *serviceDriver) readInfo(ctx context.Context, info *storage.BucketInfo) error {
	var b *bucketSettingsAPI
	err := s.inBucketRegion(info.Name, func(m *bucketSettingsAPI) (err error) {
		b = m
		info.Region, err = b.head(ctx)
		return err
	})
	if err != nil {
		return err
	}
	readers := []func(context.Context) error{ // in the order of bucketSettings
		func(ctx context.Context) error { return set(ctx, &info.Public, b.isPublic) },
		func(ctx context.Context) error { return set(ctx, &info.Versioning, b.versioning) },
		func(ctx context.Context) error { return set(ctx, &info.CORS, b.cors) },
		func(ctx context.Context) error { return set(ctx, &info.Lifecycle, b.lifecycle) },
		func(ctx context.Context) error { return b.readObjectLock(ctx, info) },
	}
	refusals := make([]error, len(readers))
	err = running.Each(ctx, len(readers), len(readers), func(ctx context.Context, i int) error {
		err := readers[i](ctx)
		if refusedRight(err) != "" {
			refusals[i] = err
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	var denied []bucketupdate.Setting
	var refusal error
	for i, err := range refusals {
		if err != nil {
			denied = append(denied, bucketupdate.Setting{Fields: bucketSettings[i], Right: refusedRight(err)})
			refusal = err
		}
	}
	if refusal == nil {
		return nil
	}
	return bucketupdate.Denied(info, refusal, denied...)
}

// refusedRight returns the permission of an operation that the server has refused with err. It
// returns "" for any other error, also if the credentials themselves were refused.
func refusedRight(err error) string {
	operation, ok := errors.AsType[*smithy.OperationError](err)
	if !ok || storage.CodeOf(err) != storage.PermissionDenied {
		return ""
	}
	return readRights[operation.OperationName]
}

// set sets *value to the result of get, unless get fails.
func set[V any](ctx context.Context, value *V, get func(context.Context) (V, error)) error {
	v, err := get(ctx)
	if err == nil {
		*value = v
	}
	return err
}

// head returns the region of the bucket. If the response does not name a region, head returns the
// region of the request.
func (b *bucketSettingsAPI) head(ctx context.Context) (region string, err error) {
	output, err := b.account.client.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &b.name})
	if err != nil {
		refusal := b.account.hiddenRefusal(err, func() error {
			_, err := b.account.client.GetBucketLocation(ctx, &awss3.GetBucketLocationInput{Bucket: &b.name})
			return err
		})
		if refusal != nil {
			return "", s3error.Read(refusal)
		}
		err = s3error.Read(err)
		if storage.CodeOf(err) == storage.ObjectNotFound { // a 404 to HEAD does not say what is missing
			return "", storage.BucketNotFound
		}
		return "", err
	}
	return cmp.Or(aws.ToString(output.BucketRegion), b.account.region), nil
}

func (b *bucketSettingsAPI) versioning(ctx context.Context) (bool, error) {
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
func (b *bucketSettingsAPI) setVersioning(ctx context.Context, enabled bool) error {
	status := types.BucketVersioningStatusSuspended
	if enabled {
		status = types.BucketVersioningStatusEnabled
	}
	return sdkcall.Exec(ctx, b.account.client.PutBucketVersioning, &awss3.PutBucketVersioningInput{
		Bucket:                  &b.name,
		VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	}, b.account.withBodyChecksum()...)
}

// readSetting asks for a setting of a bucket. If the server returns one of the given error codes, or does
// not support the request, the bucket does not have the setting. The output is then empty.
func readSetting[In, Out any](ctx context.Context, send sdkcall.Func[In, Out], input *In, codes ...string) (*Out, error) {
	output, err := send(ctx, input)
	if err == nil {
		return output, nil
	}
	if s3error.IsCode(err, codes...) || storage.CodeOf(s3error.Translate(err)) == storage.Unsupported {
		return new(Out), nil
	}
	return nil, s3error.Read(err)
}
