package s3

import (
	"context"
	"net/http"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

// Tags reads the tags of an object, or of one of its versions, with one GetObjectTagging.
func (d *objectDriver) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	input := &awss3.GetObjectTaggingInput{Bucket: &d.bucket.name, Key: &r.Key, VersionId: httpheader.Optional(r.Version)}
	if err := d.account.customize(input, r.Native); err != nil {
		return nil, err
	}
	output, err := d.account.client.GetObjectTagging(ctx, input)
	if err != nil {
		return nil, d.bucket.readError(ctx, err, r)
	}
	return attributes.TagMap(output.TagSet), nil
}

// SetTags sends one PutObjectTagging, even to remove all tags, because DeleteObjectTagging does not
// support Config.RequesterPays.
func (d *objectDriver) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	input := &awss3.PutObjectTaggingInput{
		Bucket:    &d.bucket.name,
		Key:       &r.Key,
		VersionId: httpheader.Optional(r.Version),
		Tagging:   &types.Tagging{TagSet: attributes.TagSet(r.Tags)},
	}
	return change(ctx, d, r, d.account.client.PutObjectTagging, input, d.account.withBodyChecksum()...)
}

// change sends a request that changes an object's tags or locks, with the SDK's input. If the
// server answers that something is missing, change finds out whether that is the object, the
// version or the bucket.
func change[In, Out any](
	ctx context.Context, d *objectDriver, r *driver.ChangeRequest, send sdkcall.Func[In, Out], input *In,
	options ...func(*awss3.Options),
) error {
	if err := d.account.customize(input, r.Native); err != nil {
		return err
	}
	err := sdkcall.Exec(ctx, send, input, options...)
	if err == nil {
		return nil
	}

	storageErr := s3error.Of(err)
	// S3 refuses a change of a delete marker with 405.
	mayBeDeleteMarker := storageErr.Status == http.StatusMethodNotAllowed
	if storageErr.Status != http.StatusNotFound && !mayBeDeleteMarker {
		return storageErr
	}

	// Find out what is missing.
	get := &driver.GetRequest{Key: r.Key, Version: r.Version}
	reason := d.bucket.readError(ctx, storageErr.Err, get)
	if mayBeDeleteMarker && storage.CodeOf(reason) != storage.ObjectNotFound {
		// The response of versitygw does not show that the newest version is a delete marker.
		_, headErr := d.Head(ctx, get)
		if storage.CodeOf(headErr) == storage.ObjectNotFound {
			return headErr
		}
	}
	return reason
}

// withBodyChecksum returns the options of a request whose body must have a checksum. Unless the
// server accepts the CRC32 of the SDK, they add an MD5.
func (a *account) withBodyChecksum() []func(*awss3.Options) {
	if a.profile.Batch == BatchChecksum {
		return nil
	}
	return []func(*awss3.Options){awss3.WithAPIOptions(sdkcall.WithContentMD5)}
}
