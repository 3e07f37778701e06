// Package bucketsettings reads and changes the settings of a bucket: public access, versions, CORS, lifecycle
// and object lock. Start at [Bucket].
package bucketsettings

import (
	"context"
	"errors"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/providers/internal/bucketupdate"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

// A Bucket is a bucket whose settings are read and changed. The fields that begin with Has say what its
// server can do.
type Bucket struct {
	Client       *awss3.Client // sends requests to the bucket's region
	Name         string
	Region       string
	IsAmazon     bool                   // the server is Amazon S3
	IsNew        bool                   // the current call of CreateBucket has created the bucket
	BodyChecksum []func(*awss3.Options) // options of requests whose body must have a checksum

	HasVersions     bool
	HasCORS         bool
	HasLifecycle    bool
	HasPolicies     bool // a policy makes a bucket public
	HasACLs         bool // an ACL makes a bucket public
	HasLocks        bool
	LocksOldBuckets bool // object lock can be enabled after the creation of a bucket
}

// Fields are the settings of a bucket, each with its fields in a [storage.BucketInfo].
var Fields = [][]string{
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

// Read fills info with the settings, which it reads in parallel. If the credentials may not read
// some settings, it returns PermissionDenied and adds the fields of these settings, which stay as
// they are, to info.Unread.
func (b *Bucket) Read(ctx context.Context, info *storage.BucketInfo) error {
	// The readers are in the order of Fields.
	readers := []func(context.Context) error{
		func(ctx context.Context) error { return readInto(ctx, &info.Public, b.isPublic) },
		func(ctx context.Context) error { return readInto(ctx, &info.Versioning, b.versioning) },
		func(ctx context.Context) error { return readInto(ctx, &info.CORS, b.cors) },
		func(ctx context.Context) error { return readInto(ctx, &info.Lifecycle, b.lifecycle) },
		func(ctx context.Context) error { return b.readObjectLock(ctx, info) },
	}

	// A setting that may not be read does not keep the others from being read.
	refusals := make([]error, len(readers))
	err := running.Each(ctx, len(readers), len(readers), func(ctx context.Context, i int) error {
		err := readers[i](ctx)
		isRefused := refusedRight(err) != ""
		if isRefused {
			refusals[i] = err
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}

	// Name the settings that may not be read.
	var denied []bucketupdate.Setting
	var lastRefusal error
	for i, refusal := range refusals {
		if refusal != nil {
			denied = append(denied, bucketupdate.Setting{Fields: Fields[i], Right: refusedRight(refusal)})
			lastRefusal = refusal
		}
	}
	if lastRefusal == nil {
		return nil
	}
	return bucketupdate.Denied(info, lastRefusal, denied...)
}

// refusedRight returns the permission for the request that the server has refused with err. It
// returns "" for any other error, even a refusal of the credentials themselves.
func refusedRight(err error) string {
	operation, ok := errors.AsType[*smithy.OperationError](err)
	if !ok || storage.CodeOf(err) != storage.PermissionDenied {
		return ""
	}
	return readRights[operation.OperationName]
}

// readInto sets *value to the result of read, unless read fails.
func readInto[V any](ctx context.Context, value *V, read func(context.Context) (V, error)) error {
	v, err := read(ctx)
	if err != nil {
		return err
	}
	*value = v
	return nil
}

// ApplyNew applies those settings of r that change a new bucket, which is private and has neither
// versions nor rules. info has the settings as they must be.
func (b *Bucket) ApplyNew(ctx context.Context, r *driver.BucketRequest, info *storage.BucketInfo) error {
	changes := *r
	if !info.Public {
		changes.PublicAccess = nil
	}
	if !info.Versioning {
		changes.Versioning = nil
	}
	if info.CORS == nil {
		changes.CORS = nil
	}
	if info.Lifecycle == nil {
		changes.Lifecycle = nil
	}
	changes.ObjectLock = false // the bucket was created with it
	if info.DefaultRetention == (storage.DefaultRetention{}) {
		changes.DefaultRetention = nil
	}
	return b.Apply(ctx, &changes)
}

// Apply applies the settings of a request one after another, and stops at the first failure. It
// revokes public access first, and permits it last.
func (b *Bucket) Apply(ctx context.Context, r *driver.BucketRequest) error {
	settings := []struct {
		isRequested bool
		change      func() error
	}{
		{
			isRequested: r.PublicAccess != nil && !*r.PublicAccess,
			change:      func() error { return b.setPublic(ctx, false) },
		},
		{
			isRequested: r.Versioning != nil,
			change:      func() error { return b.setVersioning(ctx, *r.Versioning) },
		},
		{
			isRequested: r.ObjectLock || r.DefaultRetention != nil,
			change:      func() error { return b.setObjectLock(ctx, r) },
		},
		{
			isRequested: r.CORS != nil,
			change:      func() error { return b.putCORS(ctx, *r.CORS) },
		},
		{
			isRequested: r.Lifecycle != nil,
			change:      func() error { return b.setLifecycle(ctx, *r.Lifecycle) },
		},
		{
			isRequested: r.PublicAccess != nil && *r.PublicAccess,
			change:      func() error { return b.setPublic(ctx, true) },
		},
	}

	// The order of the list is the order of the changes.
	for _, setting := range settings {
		if !setting.isRequested {
			continue
		}
		if err := b.applyChange(ctx, setting.change); err != nil {
			return err
		}
	}
	return nil
}

// versioning reports whether the bucket keeps versions.
func (b *Bucket) versioning(ctx context.Context) (bool, error) {
	if !b.HasVersions {
		return false, nil
	}
	output, err := readSetting(ctx, b.Client.GetBucketVersioning, &awss3.GetBucketVersioningInput{Bucket: &b.Name})
	if err != nil {
		return false, err
	}
	return output.Status == types.BucketVersioningStatusEnabled, nil
}

// setVersioning enables versioning if enabled is true, or else suspends it, because S3 cannot disable it.
func (b *Bucket) setVersioning(ctx context.Context, enabled bool) error {
	status := types.BucketVersioningStatusSuspended
	if enabled {
		status = types.BucketVersioningStatusEnabled
	}
	return sdkcall.Exec(ctx, b.Client.PutBucketVersioning, &awss3.PutBucketVersioningInput{
		Bucket:                  &b.Name,
		VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	}, b.BodyChecksum...)
}

// readSetting reads a setting of a bucket. The output is empty if the server does not support the
// request, or returns one of the error codes in codes, which mean that the bucket has no such setting.
func readSetting[In, Out any](ctx context.Context, send sdkcall.Func[In, Out], input *In, codes ...string) (*Out, error) {
	output, err := send(ctx, input)
	if err == nil {
		return output, nil
	}
	isUnsupported := storage.CodeOf(s3error.Translate(err)) == storage.Unsupported
	if isUnsupported || s3error.IsCode(err, codes...) {
		return new(Out), nil
	}
	return nil, s3error.Read(err)
}
