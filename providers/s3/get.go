package s3

import (
	"context"
	"io"
	"net/http"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
	"github.com/omnibucket/storage/providers/s3/internal/serverclock"
)

// Get returns the attributes and the content of an object, or a range of it, with one GetObject.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	input := &awss3.GetObjectInput{
		Bucket:       &d.bucket.name,
		Key:          &r.Key,
		VersionId:    httpheader.Optional(r.Version),
		Range:        httpheader.Optional(httpheader.Range(r, attributes.MaxSuffix)),
		IfMatch:      httpheader.Optional(r.Condition.Revision),
		IfNoneMatch:  httpheader.Optional(r.Condition.NotRevision),
		ChecksumMode: d.account.checksumMode(),
	}
	if err := d.account.customizeRead(input, r); err != nil {
		return nil, nil, err
	}

	api := d.bucket.objectAPI(ctx, r.Native...)
	if r.NativeAttrs {
		// Only the SDK's client returns the SDK's output.
		api = sdkClient{d.account.client}
	}
	output, err := api.GetObject(ctx, input, sdkcall.WithoutValidation)
	if err != nil {
		return nil, nil, d.account.withReadKeyHint(d.bucket.readError(ctx, err, r), r.Native)
	}

	attrs, err := d.account.profile.attributes().OfRange(output, r)
	if err != nil {
		// An error of Close does not matter beside err.
		_ = output.Body.Close()
		return nil, nil, err
	}

	// The attributes have the output without the body, which the caller reads.
	if r.NativeAttrs {
		withoutBody := *output
		withoutBody.Body = nil
		attrs.Native = &withoutBody
	}
	return attrs, output.Body, nil
}

// Head returns the attributes of an object, usually with one HeadObject.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	input := &awss3.HeadObjectInput{
		Bucket:       &d.bucket.name,
		Key:          &r.Key,
		VersionId:    httpheader.Optional(r.Version),
		IfMatch:      httpheader.Optional(r.Condition.Revision),
		IfNoneMatch:  httpheader.Optional(r.Condition.NotRevision),
		ChecksumMode: d.account.checksumMode(),
	}
	if err := d.account.customizeRead(input, r); err != nil {
		return nil, err
	}
	output, native, err := d.headWithChecksum(ctx, input, r)
	if err != nil {
		return nil, d.headError(ctx, err, r)
	}
	if output.ContentLength == nil {
		return nil, httpheader.LengthMissing()
	}
	attrs := d.account.profile.attributes().Of(output, r.Key)
	attrs.Native = native
	return attrs, nil
}

// customizeRead applies the options of a read to an input of the SDK. A read within another
// operation ignores options that do not fit reads.
func (a *account) customizeRead(input any, r *driver.GetRequest) error {
	err := a.customize(input, r.Native)
	if r.Auxiliary && storage.CodeOf(err) == storage.Unsupported {
		return nil
	}
	return err
}

// headError translates the error of a HeadObject. If refused credentials may be the reason, it
// reads the first byte of the object to find out.
func (d *objectDriver) headError(ctx context.Context, err error, r *driver.GetRequest) error {
	refusal := d.account.hiddenRefusal(err, func() error { return d.tryFirstByte(ctx, r) })
	if refusal != nil {
		return refusal
	}
	return d.account.withReadKeyHint(d.bucket.readError(ctx, err, r), r.Native)
}

// tryFirstByte requests the first byte of an object, and returns the error. It is called after a failed
// HEAD, because only the response to a failed GET says why it failed.
func (d *objectDriver) tryFirstByte(ctx context.Context, r *driver.GetRequest) error {
	firstByte := *r
	firstByte.Length = 1
	firstByte.NativeAttrs = false
	firstByte.Auxiliary = true // ignores options that fit only a HEAD
	_, body, err := d.Get(ctx, &firstByte)
	if err == nil {
		_ = body.Close()
	}
	return err
}

// headWithChecksum sends a HeadObject that asks for the checksum. If the object has a KMS key, S3
// then requires the permission kms:Decrypt, which a program that only writes does not have. After a
// refusal, headWithChecksum asks for the other attributes only, and remembers the refusal.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
func (d *objectDriver) headWithChecksum(
	ctx context.Context, input *awss3.HeadObjectInput, r *driver.GetRequest,
) (*awss3.GetObjectOutput, any, error) {
	refusedAt := d.noChecksums.Load()
	wasRefused := refusedAt != nil && d.account.clock.Now().Sub(*refusedAt) < checksumsRemembered
	if wasRefused {
		input.ChecksumMode = "" // do not ask for the checksum
	}
	output, native, err := d.headObject(ctx, input, r)
	if err == nil || !d.mayRefuseChecksum(err, input) {
		return output, native, err
	}

	// Try again without the checksum. If that succeeds, the permission was missing.
	input.ChecksumMode = ""
	output, native, err = d.headObject(ctx, input, r)
	if err != nil {
		return nil, nil, err
	}
	now := d.account.clock.Now()
	d.noChecksums.Store(&now)
	return output, native, nil
}

// checksumsRemembered is how long headWithChecksum requests no checksum after a refusal.
const checksumsRemembered = 10 * time.Minute

// mayRefuseChecksum reports whether a HeadObject may have failed with err only because it asked for the
// checksum.
func (d *objectDriver) mayRefuseChecksum(err error, input *awss3.HeadObjectInput) bool {
	if s3error.Status(err) != http.StatusForbidden {
		return false
	}
	if input.ChecksumMode == "" || !d.account.profile.KMS {
		return false
	}
	// Otherwise the clock of this machine is the reason.
	return !serverclock.IsSkewed(s3error.Response(err).Response.Response)
}

// headObject sends a HeadObject. native is the SDK's output if r asks for native attributes, or
// else nil.
func (d *objectDriver) headObject(
	ctx context.Context, input *awss3.HeadObjectInput, r *driver.GetRequest,
) (out *awss3.GetObjectOutput, native any, err error) {
	if !r.NativeAttrs {
		out, err = d.bucket.objectAPI(ctx, r.Native...).HeadObject(ctx, input)
		return out, nil, err
	}

	// Native attributes are an output of the SDK's own client.
	output, err := d.account.client.HeadObject(ctx, input)
	if err != nil {
		return nil, nil, err
	}
	return rawclient.HeadOutput(output), output, nil
}
