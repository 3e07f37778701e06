package s3

import (
	"context"
	"net/http"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
)

// Put is one PutObject. Its body goes out as it is: no trailer, no chunks, and
// unhashed but for the checksum that is known already.
func (d *driver) Put(ctx context.Context, r *storage.PutRequest) (*storage.Attrs, error) {
	if len(r.Native) > 0 {
		return nil, storage.Unsupported
	}
	in := &awss3.PutObjectInput{
		Bucket:             d.name(),
		Key:                &r.Key,
		Body:               r.Body,
		ContentLength:      &r.Size,
		ContentType:        httpheader.Optional(r.ContentType),
		ContentEncoding:    httpheader.Optional(r.ContentEncoding),
		ContentDisposition: httpheader.Optional(r.ContentDisposition),
		ContentLanguage:    httpheader.Optional(r.ContentLanguage),
		CacheControl:       httpheader.Optional(r.CacheControl),
		Metadata:           d.profile.storedNames(r.Metadata),
		StorageClass:       types.StorageClass(r.StorageClass),
		ACL:                acl(r.PublicRead),
		ChecksumCRC32C:     d.crcHeader(r.CRC32C),
	}
	in.IfMatch, in.IfNoneMatch = conditions(r.Condition)
	var out *awss3.PutObjectOutput
	err := writes(ctx, func(ctx context.Context) (err error) {
		out, err = d.objectAPI(ctx).PutObject(ctx, in, d.withBody)
		return err
	})
	if err != nil {
		return nil, d.writeError(err, r.Condition)
	}
	return &storage.Attrs{
		ETag:     quoteETag(out.ETag),
		Revision: quoteETag(out.ETag),
		Version:  versionID(out.VersionId),
		CRC32C:   fullObjectCRC(out.ChecksumCRC32C, out.ChecksumType),
	}, nil
}

// withBody is how a request with an object's bytes differs from the SDK's.
func (a *account) withBody(o *awss3.Options) {
	o.APIOptions = append(o.APIOptions, withUnsignedPayload)
	if a.needsMD5() {
		o.APIOptions = append(o.APIOptions, withContentMD5)
	}
}

// writeFailed is what a failed write means where it had a condition: to update
// what is not there is 404 on S3, and on older servers a condition that holds
// not is 304.
func (d *driver) writeError(err error, c storage.Condition) error {
	e := asError(err)
	if c == (storage.Condition{}) {
		return e
	}
	missing := e.Status == http.StatusNotFound && c.Revision != "" && !isCode(e.Err, "NoSuchBucket", "NoSuchUpload")
	if missing || e.Code == storage.NotModified {
		e.Code, e.Hint = storage.PreconditionFailed, ""
	}
	return e
}
