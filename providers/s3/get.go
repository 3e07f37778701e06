package s3

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
	"github.com/omnibucket/storage/providers/s3/internal/serverclock"
)

// Get sends one GetObject.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	input := &awss3.GetObjectInput{
		Bucket:       &d.bucket.name,
		Key:          &r.Key,
		VersionId:    httpheader.Optional(r.Version),
		Range:        httpheader.Optional(httpheader.Range(r, maxSuffix)),
		IfMatch:      httpheader.Optional(r.Condition.Revision),
		IfNoneMatch:  httpheader.Optional(r.Condition.NotRevision),
		ChecksumMode: d.account.checksumMode(),
	}
	if err := d.account.customize(input, r.Native); err != nil &&
		(!r.Auxiliary || storage.CodeOf(err) != storage.Unsupported) {
		return nil, nil, err
	}
	api := d.bucket.objectAPI(ctx, r.Native...)
	if r.NativeAttrs {
		api = sdkClient{d.account.client}
	}
	output, err := api.GetObject(ctx, input, sdkcall.WithoutValidation)
	if err != nil {
		return nil, nil, d.account.withReadKeyHint(d.bucket.readError(ctx, err, r), r.Native)
	}
	attrs, err := d.account.profile.attributes().attrsOfRange(output, r)
	if err != nil {
		_ = output.Body.Close()
		return nil, nil, err
	}
	if !r.NativeAttrs {
		return attrs, output.Body, nil
	}
	clone := *output
	clone.Body = nil
	attrs.Native = &clone
	return attrs, output.Body, nil
}

const maxSuffix = 1 << 50 // bytes; larger than any object, and a number that every server can parse

func (f attrsFormat) attrsOf(output *awss3.GetObjectOutput, key string) *storage.Attrs {
	restore := restoreState(output.Restore)
	return &storage.Attrs{
		Key:  key,
		Size: aws.ToInt64(output.ContentLength),
		Properties: storage.Properties{
			ContentType:        aws.ToString(output.ContentType),
			ContentEncoding:    contentEncoding(output.ContentEncoding),
			ContentDisposition: aws.ToString(output.ContentDisposition),
			ContentLanguage:    aws.ToString(output.ContentLanguage),
			CacheControl:       aws.ToString(output.CacheControl),
			Metadata:           f.renameKeys(output.Metadata, underscoreEscape.Unescape),
			StorageClass:       httpheader.StorageClass(string(output.StorageClass)),
		},
		ETag:     quoteETag(output.ETag),
		Revision: quoteETag(output.ETag),
		Version:  versionID(output.VersionId),
		Modified: wholeSeconds(output.LastModified),
		CRC32C:   fullObjectCRC(output.ChecksumCRC32C, output.ChecksumType),
		TagCount: int(aws.ToInt32(output.TagCount)),

		Retention: retentionOf(output),
		Archived:  restore.Until.IsZero() && f.isArchivedClass(output),
		Restore:   restore,
		LegalHold: output.ObjectLockLegalHoldStatus == types.ObjectLockLegalHoldStatusOn,

		Encryption:        encryptionIn(output.ServerSideEncryption, output.SSEKMSKeyId, output.SSECustomerAlgorithm, output.SSECustomerKeyMD5),
		ReplicationStatus: string(output.ReplicationStatus),
	}
}

// attrsOfRange returns the attributes of the whole object. output is the response to a request for
// a range or for all bytes.
func (f attrsFormat) attrsOfRange(output *awss3.GetObjectOutput, r *driver.GetRequest) (*storage.Attrs, error) {
	ranged := httpheader.Range(r, maxSuffix) != ""
	if output.ContentLength == nil && (!ranged || output.ContentRange == nil) {
		return nil, httpheader.LengthMissing()
	}
	a := f.attrsOf(output, r.Key)
	if !ranged {
		return a, nil
	}
	length := a.Size
	if length == 0 && output.ContentRange == nil {
		return a, nil // some servers return this for the last bytes of an empty object
	}
	if output.ContentRange == nil {
		if httpheader.IsWhole(r, length) {
			return a, nil
		}
		return nil, httpheader.RangeIgnored()
	}
	size, err := httpheader.SizeOf(r, *output.ContentRange)
	if err != nil {
		return nil, err
	}
	a.Size = size
	if length != size {
		a.CRC32C = storage.CRC32C{} // it may be the checksum of the range
	}
	return a, nil
}

// Head sends one HeadObject.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	input := &awss3.HeadObjectInput{
		Bucket:       &d.bucket.name,
		Key:          &r.Key,
		VersionId:    httpheader.Optional(r.Version),
		IfMatch:      httpheader.Optional(r.Condition.Revision),
		IfNoneMatch:  httpheader.Optional(r.Condition.NotRevision),
		ChecksumMode: d.account.checksumMode(),
	}
	if err := d.account.customize(input, r.Native); err != nil &&
		(!r.Auxiliary || storage.CodeOf(err) != storage.Unsupported) {
		return nil, err
	}
	output, native, err := d.headWithChecksum(ctx, input, r)
	if err != nil {
		return nil, d.headError(ctx, err, r)
	}
	if output.ContentLength == nil {
		return nil, httpheader.LengthMissing()
	}
	attrs := d.account.profile.attributes().attrsOf(output, r.Key)
	attrs.Native = native
	return attrs, nil
}

// headError translates the error of a HeadObject. If the reason may be that the credentials were
// refused, headError reads the first byte of the object.
func (d *objectDriver) headError(ctx context.Context, err error, r *driver.GetRequest) error {
	refusal := d.account.hiddenRefusal(err, func() error {
		first := *r
		first.Length = 1
		first.NativeAttrs = false
		first.Auxiliary = true
		_, body, err := d.Get(ctx, &first)
		if err == nil {
			_ = body.Close()
		}
		return err
	})
	if refusal != nil {
		return refusal
	}
	return d.account.withReadKeyHint(d.bucket.readError(ctx, err, r), r.Native)
}

// headWithChecksum sends a HeadObject. If an object has a KMS key, S3 returns its checksum only to
// callers with the permission kms:Decrypt. A program that only writes lacks this permission. All
// other attributes do not need it. After a refusal, headWithChecksum requests the attributes
// without the checksum, and remembers the refusal.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
func (d *objectDriver) headWithChecksum(
	ctx context.Context, input *awss3.HeadObjectInput, r *driver.GetRequest,
) (*awss3.GetObjectOutput, any, error) {
	if disabledAt := d.noChecksums.Load(); disabledAt != nil && d.account.clock.Now().Sub(*disabledAt) < checksumsRemembered {
		input.ChecksumMode = ""
	}
	output, native, err := d.headObject(ctx, input, r)
	if s3error.Status(err) != http.StatusForbidden || input.ChecksumMode == "" || !d.account.profile.KMS ||
		serverclock.IsSkewed(s3error.Response(err).Response.Response) {
		return output, native, err
	}
	input.ChecksumMode = ""
	plainOutput, plainNative, failure := d.headObject(ctx, input, r)
	if failure != nil {
		return nil, nil, failure
	}
	now := d.account.clock.Now()
	d.noChecksums.Store(&now)
	return plainOutput, plainNative, nil
}

const checksumsRemembered = 10 * time.Minute

// headObject sends a HeadObject. If r asks for native attributes, native is the SDK's output.
func (d *objectDriver) headObject(
	ctx context.Context, input *awss3.HeadObjectInput, r *driver.GetRequest,
) (out *awss3.GetObjectOutput, native any, err error) {
	if !r.NativeAttrs {
		out, err = d.bucket.objectAPI(ctx, r.Native...).HeadObject(ctx, input)
		return out, nil, err
	}
	output, err := d.account.client.HeadObject(ctx, input)
	if err != nil {
		return nil, nil, err
	}
	return rawclient.HeadOutput(output), output, nil
}
