package s3

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
)

// Get is one GetObject.
func (d *driver) Get(ctx context.Context, r *storage.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	if len(r.Native) > 0 {
		return nil, nil, storage.Unsupported
	}
	in := &awss3.GetObjectInput{
		Bucket:       d.name(),
		Key:          &r.Key,
		VersionId:    httpheader.Optional(r.Version),
		Range:        httpheader.Optional(httpheader.Range(r, mostLast)),
		IfMatch:      httpheader.Optional(r.Condition.Revision),
		IfNoneMatch:  httpheader.Optional(r.Condition.NotRevision),
		ChecksumMode: d.checksumMode(),
	}
	out, err := d.objects(ctx).GetObject(ctx, in, withoutValidation)
	if err != nil {
		return nil, nil, d.readFailed(ctx, err, r)
	}
	attrs, err := d.attrsOfGet(out, r)
	if err != nil {
		_ = out.Body.Close()
		return nil, nil, err
	}
	return attrs, out.Body, nil
}

const mostLast = 1 << 50 // bytes; what servers read as a number for certain, and more than any object has

// errNoLength: an answer that was packed, or made anew, on its way. To take it
// for one of no bytes would lose them all.
func errNoLength() error {
	return &storage.Error{
		Code: storage.Internal, Err: errors.New("the answer has no Content-Length"),
		Hint: "the object's size is not known: does a proxy compress what passes through it?",
	}
}

func (d *driver) attrsOfGet(out *awss3.GetObjectOutput, r *storage.GetRequest) (*storage.Attrs, error) {
	ranged := httpheader.Range(r, mostLast) != ""
	if out.ContentLength == nil && (!ranged || out.ContentRange == nil) {
		return nil, errNoLength()
	}
	a := &storage.Attrs{
		Key:  r.Key,
		Size: aws.ToInt64(out.ContentLength),
		Properties: storage.Properties{
			ContentType:        aws.ToString(out.ContentType),
			ContentEncoding:    contentEncoding(out.ContentEncoding),
			ContentDisposition: aws.ToString(out.ContentDisposition),
			ContentLanguage:    aws.ToString(out.ContentLanguage),
			CacheControl:       aws.ToString(out.CacheControl),
			Metadata:           d.profile.plainNames(out.Metadata),
			StorageClass:       storageClass(string(out.StorageClass)),
		},
		ETag:     quoted(out.ETag),
		Revision: quoted(out.ETag),
		Version:  version(out.VersionId),
		Modified: modified(out.LastModified),
		CRC32C:   wholeCRC(out.ChecksumCRC32C, out.ChecksumType),
	}
	if !ranged {
		return a, nil
	}
	length := a.Size
	if length == 0 && out.ContentRange == nil {
		return a, nil // the last bytes of an empty object, on some servers
	}
	if out.ContentRange == nil {
		return nil, httpheader.RangeIgnored()
	}
	start, size, err := httpheader.ParseContentRange(*out.ContentRange)
	if err == nil {
		err = httpheader.CheckStart(r, start)
	}
	if err != nil {
		return nil, err
	}
	a.Size = size
	if length != size {
		a.CRC32C = nil // it may be one of this part of the object
	}
	return a, nil
}

// Head is one HeadObject.
func (d *driver) Head(ctx context.Context, r *storage.GetRequest) (*storage.Attrs, error) {
	if len(r.Native) > 0 {
		return nil, storage.Unsupported
	}
	out, err := d.objects(ctx).HeadObject(ctx, &awss3.HeadObjectInput{
		Bucket:       d.name(),
		Key:          &r.Key,
		VersionId:    httpheader.Optional(r.Version),
		IfMatch:      httpheader.Optional(r.Condition.Revision),
		IfNoneMatch:  httpheader.Optional(r.Condition.NotRevision),
		ChecksumMode: d.checksumMode(),
	})
	if err != nil {
		return nil, d.readFailed(ctx, err, r)
	}
	if out.ContentLength == nil {
		return nil, errNoLength()
	}
	return &storage.Attrs{
		Key:  r.Key,
		Size: *out.ContentLength,
		Properties: storage.Properties{
			ContentType:        aws.ToString(out.ContentType),
			ContentEncoding:    contentEncoding(out.ContentEncoding),
			ContentDisposition: aws.ToString(out.ContentDisposition),
			ContentLanguage:    aws.ToString(out.ContentLanguage),
			CacheControl:       aws.ToString(out.CacheControl),
			Metadata:           d.profile.plainNames(out.Metadata),
			StorageClass:       storageClass(string(out.StorageClass)),
		},
		ETag:     quoted(out.ETag),
		Revision: quoted(out.ETag),
		Version:  version(out.VersionId),
		Modified: modified(out.LastModified),
		CRC32C:   wholeCRC(out.ChecksumCRC32C, out.ChecksumType),
	}, nil
}

// readFailed is what a failed read means: a delete marker, whose own version is
// answered with 405, is an object that is not there.
func (d *driver) readFailed(ctx context.Context, err error, r *storage.GetRequest) error {
	switch status := statusOf(err); {
	case status == http.StatusMethodNotAllowed && (r.Version != "" || headerOf(err, "X-Amz-Delete-Marker") == "true"),
		status == http.StatusNotFound && headerOf(err, "X-Amz-Delete-Marker") == "true":
		e := translate(err)
		e.Code, e.Hint = storage.ObjectNotFound, ""
		return e
	case status == http.StatusNotFound:
		return d.notFound(ctx, err)
	case status == http.StatusBadRequest && r.Version != "" && isCode(err, "", "BadRequest"):
		e := translate(err) // of HEAD, which has no body
		e.Code, e.Hint = storage.InvalidArgument, ""
		return e
	}
	return translate(err)
}

// headBucket is nil where the bucket is there.
func (d *driver) headBucket(ctx context.Context) *storage.Error {
	_, err := d.client.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: d.name()})
	if err != nil {
		return translate(err)
	}
	return nil
}
