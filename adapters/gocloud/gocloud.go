// Package gocloud turns any [storage.Bucket] into a bucket of the Go CDK (gocloud.dev/blob). Code
// that was written for the Go CDK runs unchanged on the stores of this library.
//
//	b := gocloud.OpenBucket(bucket) // in place of s3blob.OpenBucket and the like
//
// If the program opens its bucket by address, import this package and change the address:
//
//	b, err := blob.OpenBucket(ctx, "omnibucket://s3/my-bucket?region=eu-west-1")
//
// # What changes in meaning
//
//   - Errors wrap a *[storage.Error]. ErrorAs finds it, and also the error of the provider's SDK.
//     gcerrors.Code returns its category.
//   - Reads continue after a lost connection, and never mix two revisions of an object. But Seek of
//     a blob.Reader opens the object again, and then reads its current revision. For random access
//     to one revision, get the *storage.Bucket from As and use storage.NewReaderAt.
//   - If the key does not exist, Delete fails with NotFound, as the Go CDK requires. The library's
//     Remove would succeed, so Delete makes one more request to find out.
//   - On S3, a copy has the default storage class of the bucket, as with s3blob.
//   - If the content type is empty or has no slash, it becomes application/octet-stream. On a store
//     without [storage.ContentProperties], the extension of the key decides the type.
//   - If BufferSize is at least 5 MiB and the store supports multipart uploads, it sets the size of
//     a part, in whole MiB. Otherwise it has no effect.
//   - Signed URLs for DELETE, and signed URLs that enforce an absent content type, fail with
//     Unimplemented. Some stores need headers with a signed PUT, such as Azure's x-ms-blob-type. A
//     URL cannot contain them, so call the library's SignedUploadURL instead.
//   - Keys that the library does not permit ("a//b", "dir/", control characters) are escaped in the
//     same way as the Go CDK's own drivers do: "__0x2f__" is a slash. There is one difference:
//     after a slash or dot at the end of a key, "__0x__" is added. Names of metadata that the
//     library does not permit become hexadecimal digits after "x-hex-".
//   - If another program, such as one with s3blob, has stored such a key without escapes, the
//     adapter finds the object by a listing. A write stores a second object with the escaped key,
//     so a listing has the key twice. Delete removes both.
//   - If the store does not list in byte order, listing fails with Unsupported.
//
// The method As of a bucket accepts a *[storage.Bucket], or a pointer to the provider's client,
// such as an **s3.Client. As of attributes and readers accepts a **[storage.Attrs], and As of list
// entries a *[storage.ListEntry]. The functions BeforeRead, BeforeWrite, BeforeCopy, BeforeList and
// BeforeSign receive a pointer to the options of the call, which is one of these:
// **[]storage.DownloadOption, **[]storage.UploadOption, **[]storage.CopyOption,
// **[]storage.ListOption, **[]storage.SignedDownloadOption or **[]storage.SignedUploadOption.
package gocloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"

	"github.com/omnibucket/storage"
)

// Scheme is the scheme of the addresses that blob.OpenBucket accepts if the program imports this
// package.
const Scheme = "omnibucket"

func init() { blob.DefaultURLMux().RegisterBucket(Scheme, URLOpener{}) }

// OpenBucket returns b as a bucket of the Go CDK. Closing the result does not close b.
func OpenBucket(b storage.Bucket) *blob.Bucket { return blob.NewBucket(&bucket{Bucket: b}) }

// A URLOpener opens addresses with the scheme "omnibucket" for blob.OpenBucket. Each such address
// contains an address for [storage.Open]:
//
//   - "omnibucket://s3/my-bucket?region=eu-west-1" opens "s3://my-bucket?region=eu-west-1".
//   - "omnibucket://file//var/data" opens "file:///var/data".
//
// The program must import the provider's package, as it does for storage.Open.
type URLOpener struct {
	Options []storage.OpenOption
}

// OpenBucketURL opens the bucket whose address follows the scheme of u. Closing the result closes that
// bucket.
func (o URLOpener) OpenBucketURL(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	rest, ok := strings.CutPrefix(u.EscapedPath(), "/")
	if u.Host == "" || !ok {
		return nil, fmt.Errorf(
			"open bucket %s: the address must be as in %s://s3/my-bucket?region=eu-west-1",
			u.Redacted(),
			Scheme,
		)
	}

	address := u.Host + "://" + rest
	if u.RawQuery != "" {
		address += "?" + u.RawQuery
	}
	b, err := storage.Open(ctx, address, o.Options...)
	if err != nil {
		return nil, err
	}
	return blob.NewBucket(&bucket{Bucket: b, owned: true}), nil
}

// A bucket implements the Go CDK's driver on a [storage.Bucket].
type bucket struct {
	storage.Bucket
	owned bool // true if Close closes the Bucket
}

// Close closes the bucket of this library, if the adapter has opened it.
func (b *bucket) Close() error {
	if b.owned {
		return storage.Close(b.Bucket)
	}
	return nil
}

// As sets target to the [storage.Bucket] or to the provider's client, whichever has the type that target
// points to. It returns false if neither has that type.
func (b *bucket) As(target any) bool {
	if p, ok := target.(*storage.Bucket); ok {
		*p = b.Bucket
		return true
	}

	// The type of the client is not known here, so reflection compares it with that of *target.
	client, ok := storage.As[any](b.Bucket)
	if !ok {
		return false
	}
	pointer := reflect.ValueOf(target)
	if pointer.Kind() != reflect.Pointer {
		return false
	}
	if !reflect.TypeOf(client).AssignableTo(pointer.Type().Elem()) {
		return false
	}
	pointer.Elem().Set(reflect.ValueOf(client))
	return true
}

// ErrorAs sets target, a pointer, to the first error in err that has the type to which it points. That
// is the *storage.Error or the provider's error that it wraps. ErrorAs returns false if there is none.
func (b *bucket) ErrorAs(err error, target any) bool {
	// errors.As panics if target is not a pointer to an interface or to an error type.
	typ := reflect.TypeOf(target)
	if typ.Kind() != reflect.Pointer {
		return false
	}
	pointee := typ.Elem()
	if pointee.Kind() != reflect.Interface && !pointee.Implements(reflect.TypeFor[error]()) {
		return false
	}

	return errors.As(err, target)
}

// ErrorCode returns the code of an error in the Go CDK.
func (b *bucket) ErrorCode(err error) gcerrors.ErrorCode {
	switch storage.CodeOf(err) {
	case storage.ObjectNotFound, storage.BucketNotFound:
		return gcerrors.NotFound
	case storage.BucketExists:
		return gcerrors.AlreadyExists
	case storage.InvalidArgument,
		storage.RangeNotSatisfiable,
		storage.TooLarge,
		storage.BodyFailed,
		storage.ChecksumMismatch:
		return gcerrors.InvalidArgument
	case storage.PreconditionFailed,
		storage.Changed,
		storage.Locked,
		storage.Archived,
		storage.BucketNotEmpty,
		storage.NotModified:
		return gcerrors.FailedPrecondition
	case storage.PermissionDenied, storage.Unauthenticated:
		return gcerrors.PermissionDenied
	case storage.Unsupported, storage.NotPublic:
		return gcerrors.Unimplemented
	case storage.RateLimited:
		return gcerrors.ResourceExhausted
	case storage.Canceled:
		return gcerrors.Canceled
	case storage.DeadlineExceeded:
		return gcerrors.DeadlineExceeded
	case storage.Internal:
		return gcerrors.Internal
	}
	return gcerrors.Unknown
}

// runCallback runs a callback of the Go CDK, such as BeforeWrite, unless it is nil. A callback that passes a **[]T to
// its As function gets a pointer to opts, and so may change the options.
func runCallback[T any](callback func(asFunc func(any) bool) error, opts *[]T) error {
	if callback == nil {
		return nil
	}
	return callback(func(target any) bool {
		p, ok := target.(**[]T)
		if !ok {
			return false
		}
		*p = opts
		return true
	})
}

// Attributes returns the attributes of an object.
func (b *bucket) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	a, err := withStoredKey(ctx, b.Bucket, key, func(key string) (*storage.Attrs, error) {
		return b.Attrs(ctx, key)
	})
	if err != nil {
		return nil, err
	}
	return &driver.Attributes{
		CacheControl:       a.CacheControl,
		ContentDisposition: a.ContentDisposition,
		ContentEncoding:    a.ContentEncoding,
		ContentLanguage:    a.ContentLanguage,
		ContentType:        a.ContentType,
		Metadata:           unescapeMetadata(a.Metadata),
		ModTime:            a.Modified,
		Size:               a.Size,
		MD5:                a.MD5,
		ETag:               a.ETag,
		AsFunc:             attrsAs(a),
	}, nil
}

// attrsAs returns the As function of attributes in the Go CDK: a program that passes it a **storage.Attrs gets a.
func attrsAs(a *storage.Attrs) func(any) bool {
	return func(target any) bool {
		p, ok := target.(**storage.Attrs)
		if !ok {
			return false
		}
		*p = a
		return true
	}
}

// Copy copies an object within the bucket.
func (b *bucket) Copy(ctx context.Context, dst, src string, o *driver.CopyOptions) error {
	// The caller gets no attributes, and without them S3 needs one request fewer.
	opts := []storage.CopyOption{storage.WithoutAttrs()}
	if err := runCallback(o.BeforeCopy, &opts); err != nil {
		return err
	}
	_, err := withStoredKey(ctx, b.Bucket, src, func(key string) (*storage.Attrs, error) {
		return storage.Copy(ctx, b.Bucket, escapeKey(dst), b.Bucket, key, opts...)
	})
	return err
}

// Delete removes an object, and fails with NotFound if it does not exist.
func (b *bucket) Delete(ctx context.Context, key string, o *driver.DeleteOptions) error {
	var opts []storage.RemoveOption
	if err := runCallback(o.BeforeDelete, &opts); err != nil {
		return err
	}
	_, err := withStoredKey(ctx, b.Bucket, key, func(key string) (struct{}, error) {
		return struct{}{}, b.removeExisting(ctx, key, opts)
	})
	if err != nil {
		return err
	}

	// Another program may have stored an object under the same key without escapes. Remove it as well, because
	// otherwise the deleted key would still be there.
	isEscaped := escapeKey(key) != key
	if isEscaped && isListed(ctx, b.Bucket, key) {
		return b.removeExisting(ctx, key, opts)
	}
	return nil
}

// removeExisting removes an object, and fails with ObjectNotFound if it does not exist.
func (b *bucket) removeExisting(ctx context.Context, key string, opts []storage.RemoveOption) error {
	if _, err := b.Attrs(ctx, key); err != nil {
		return err
	}
	return b.Remove(ctx, key, opts...)
}

// SignedURL returns a signed URL for a GET or PUT request.
func (b *bucket) SignedURL(ctx context.Context, key string, o *driver.SignedURLOptions) (string, error) {
	key = escapeKey(key)
	switch {
	case o.Method == http.MethodGet:
		return b.signedDownload(ctx, key, o)
	case o.Method == http.MethodPut && !o.EnforceAbsentContentType:
		return b.signedUpload(ctx, key, o)
	}
	return "", newUnsupported("SignedURL", "a signed URL is for GET, or for PUT with or without a content type")
}

// signedDownload returns a signed URL for a GET request.
func (b *bucket) signedDownload(ctx context.Context, key string, o *driver.SignedURLOptions) (string, error) {
	opts := []storage.SignedDownloadOption{storage.WithTTL(o.Expiry)}
	if err := runCallback(o.BeforeSign, &opts); err != nil {
		return "", err
	}
	signedURL, err := b.SignedDownloadURL(ctx, key, opts...)
	if err != nil {
		return "", err
	}
	return signedURL.URL, nil
}

// signedUpload returns a signed URL for a PUT request.
func (b *bucket) signedUpload(ctx context.Context, key string, o *driver.SignedURLOptions) (string, error) {
	opts := []storage.SignedUploadOption{storage.WithTTL(o.Expiry)}
	if o.ContentType != "" {
		if !storage.Supports(b.Bucket, storage.SignedContentType) {
			// If the bucket cannot sign at all, its own error is clearer than the one below.
			if _, err := b.SignedUploadURL(ctx, key, opts...); err != nil {
				return "", err
			}
			return "", newUnsupported("SignedURL", "the store does not enforce the content type of a signed URL")
		}
		opts = append(opts, storage.WithContentType(o.ContentType))
	}
	if err := runCallback(o.BeforeSign, &opts); err != nil {
		return "", err
	}

	signedURL, err := b.SignedUploadURL(ctx, key, opts...)
	if err != nil {
		return "", err
	}
	return signedURL.URL, nil
}

// newUnsupported returns an error with the Code Unsupported, which says why.
func newUnsupported(op, why string) error {
	return &storage.Error{Code: storage.Unsupported, Op: op, Err: errors.New(why)}
}
