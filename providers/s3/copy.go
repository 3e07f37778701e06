package s3

import (
	"context"
	"net/http"
	"strings"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
	"github.com/omnibucket/storage/internal/transport"
)

// Copy is one CopyObject, or, of an object that is too large for one, an upload
// whose parts are copied in parallel.
func (d *driver) Copy(ctx context.Context, r *storage.CopyRequest) (*storage.Attrs, error) {
	if len(r.Native) > 0 || r.Condition != (storage.Condition{}) && !d.profile.Conditions.Copy {
		return nil, storage.Unsupported // streamed by the core, through an upload that keeps the condition
	}
	if source := r.Source.Attrs; source != nil && source.Size > orDefault(d.copyLimit, d.profile.copyLimit()) {
		if !d.profile.CopyParts {
			return nil, storage.Unsupported
		}
		return d.copyParts(ctx, r, source.Size)
	}
	attrs, err := d.copyObject(ctx, r)
	if err == nil {
		return attrs, nil
	}
	if isTooLargeToCopy(err) && d.profile.CopyParts {
		size, err := d.sizeOf(ctx, r.Source)
		if err != nil {
			return nil, err
		}
		return d.copyParts(ctx, r, size)
	}
	return nil, d.copyFailed(ctx, err, r.Source, r.Condition)
}

const (
	// patience is how long the server may work on what it moves by itself, at
	// most. It answers at the end, and many send no byte before.
	patience = 15 * time.Minute
	slowly   = 6 << 20 // bytes a second that a server moves at least: 5 GiB within patience
)

// patiently is for the requests that move so many bytes on the server, -1: nobody
// knows. One that is given up is begun anew, while the server still works on the
// first; an answer that was lost should not be waited for much longer.
func patiently(ctx context.Context, bytes int64) context.Context {
	wait := patience
	if bytes >= 0 {
		wait = min(wait, transport.DefaultAnswer+time.Duration(bytes/slowly)*time.Second)
	}
	return transport.WithAnswer(ctx, wait)
}

// sourceBytes is the size of a source that somebody has looked at; else -1.
func sourceBytes(r storage.ObjectRef) int64 {
	if r.Attrs == nil {
		return -1
	}
	return r.Attrs.Size
}

func (d *driver) copyObject(ctx context.Context, r *storage.CopyRequest) (*storage.Attrs, error) {
	in := &awss3.CopyObjectInput{
		Bucket:            d.name(),
		Key:               &r.Key,
		CopySource:        copySource(r.Source),
		CopySourceIfMatch: httpheader.Optional(r.Source.Revision),
		StorageClass:      types.StorageClass(r.StorageClass), // never copied: the default is the bucket's
		ACL:               acl(r.PublicRead),
		MetadataDirective: types.MetadataDirectiveCopy,
	}
	if d.profile.Checksum == ChecksumFullObject {
		in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32c
	}
	in.IfMatch, in.IfNoneMatch = conditions(r.Condition)
	// A copy onto itself that changes nothing is refused, and to say the same
	// again is a change.
	if r.Replace || r.Source.Bucket == d.bucket && r.Source.Key == r.Key {
		in.MetadataDirective = types.MetadataDirectiveReplace
		in.ContentType = httpheader.Optional(r.ContentType)
		in.ContentEncoding = httpheader.Optional(r.ContentEncoding)
		in.ContentDisposition = httpheader.Optional(r.ContentDisposition)
		in.ContentLanguage = httpheader.Optional(r.ContentLanguage)
		in.CacheControl = httpheader.Optional(r.CacheControl)
		in.Metadata = d.profile.storedNames(r.Metadata)
	}
	var out *awss3.CopyObjectOutput
	err := writes(ctx, func(ctx context.Context) (err error) {
		out, err = d.client.CopyObject(patiently(ctx, sourceBytes(r.Source)), in)
		return err
	})
	if err != nil {
		return nil, err
	}
	attrs := &storage.Attrs{Version: version(out.VersionId)}
	if result := out.CopyObjectResult; result != nil {
		attrs.ETag, attrs.Revision = quoted(result.ETag), quoted(result.ETag)
		attrs.Modified = modified(result.LastModified)
		attrs.CRC32C = wholeCRC(result.ChecksumCRC32C, result.ChecksumType)
	}
	return attrs, nil
}

// isTooLargeToCopy is asked of a refused CopyObject, rather than the size of
// every source before it.
func isTooLargeToCopy(err error) bool {
	if isCode(err, "EntityTooLarge") {
		return true
	}
	_, message := codeAndMessage(err)
	return isCode(err, "InvalidRequest") && strings.Contains(message, "maximum allowable size")
}

// copyFailed tells a changed source from a condition of the destination, which
// have one answer.
func (d *driver) copyFailed(ctx context.Context, err error, source storage.ObjectRef, c storage.Condition) error {
	e := asError(err)
	switch {
	case e.Status == http.StatusNotFound && !isCode(e.Err, "NoSuchBucket", "NoSuchUpload"):
		e.Code = storage.Changed // it was there a moment ago
	case e.Code == storage.PreconditionFailed, e.Code == storage.NotModified:
		e.Code = storage.Changed
	default:
		return e
	}
	if c == (storage.Condition{}) {
		return e
	}
	source.Attrs = nil                                     // what they were
	if _, lookup := d.sizeOf(ctx, source); lookup == nil { // the source is as it was
		e.Code, e.Hint = storage.PreconditionFailed, ""
	} else if asError(lookup).Code != storage.Changed {
		return lookup
	}
	return e
}

// sizeOf is the source's, at the revision and version that are copied; Changed
// where it is another, or gone.
func (d *driver) sizeOf(ctx context.Context, source storage.ObjectRef) (int64, error) {
	if source.Attrs != nil {
		return source.Attrs.Size, nil
	}
	out, err := d.headSource(ctx, source)
	if err != nil {
		e := translate(err)
		switch e.Status {
		case http.StatusNotFound, http.StatusPreconditionFailed, http.StatusMethodNotAllowed:
			e.Code = storage.Changed
		}
		return 0, e
	}
	if out.ContentLength == nil {
		return 0, errNoLength()
	}
	return *out.ContentLength, nil
}

// headSource looks in the region of the source's bucket, which may be another
// than this one's: a look into a wrong one is answered with the right one.
func (d *driver) headSource(ctx context.Context, source storage.ObjectRef) (*awss3.HeadObjectOutput, error) {
	in := &awss3.HeadObjectInput{
		Bucket:    &source.Bucket,
		Key:       &source.Key,
		VersionId: httpheader.Optional(source.Version),
		IfMatch:   httpheader.Optional(source.Revision),
	}
	out, err := d.client.HeadObject(ctx, in)
	region := headerOf(err, "X-Amz-Bucket-Region")
	if err == nil || source.Bucket == d.bucket || region == "" || region == d.region || !d.amazon() {
		return out, err
	}
	return d.client.HeadObject(ctx, in, func(o *awss3.Options) { o.Region = region })
}
