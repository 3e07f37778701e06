// Package gocloud makes a Go CDK bucket (gocloud.dev/blob) of any [storage.Bucket], so that code
// written for the Go CDK runs unchanged on the stores of this library.
//
//	b := gocloud.OpenBucket(bucket) // in place of s3blob.OpenBucket and the like
//
// or, if the program opens its bucket by address, with this package imported:
//
//	b, err := blob.OpenBucket(ctx, "omnibucket://s3/my-bucket?region=eu-west-1")
//
// # What changes in meaning
//
//   - Errors wrap a *[storage.Error]: ErrorAs finds it and the SDK's error below it, and gcerrors.Code tells its category.
//   - Reads continue after a lost connection and never join two revisions of an object. But Seek of
//     a blob.Reader opens the object again, and then reads the revision that is there: use
//     storage.NewReaderAt on the *storage.Bucket of As for random access to one revision.
//   - Delete of a key that does not exist fails with NotFound, as the Go CDK asks; the library's
//     Remove succeeds. Delete therefore makes one request more.
//   - Copy leaves the storage class to the destination on S3, as s3blob does.
//   - A content type that is not type/subtype, or none, becomes application/octet-stream. On a
//     store without [storage.ContentProperties], it is the one that the key's extension implies.
//   - BufferSize is the size of a part, in whole MiB, if it is at least 5 MiB and the store has parts.
//   - Signed URLs for DELETE, and those that demand that there is no content type, are
//     Unimplemented. Headers that a store needs with a signed PUT, such as Azure's
//     x-ms-blob-type, do not fit into a URL: take them from the library's SignedUploadURL.
//   - Keys that the library refuses ("a//b", "dir/", control characters) are escaped as the
//     Go CDK's own drivers escape: "__0x2f__" is a slash. A slash or dot at the end of a key stays,
//     and "__0x__" follows it. So are names of metadata, as hexadecimal digits after "x-hex-".
//   - If another program or s3blob has stored such a key as it is, the object is found too: the
//     adapter looks for the key in a listing. A write leaves that object as it is, so that a
//     listing has the key twice until Delete removes both.
//   - A store that lists in another order than that of bytes fails to list (Unsupported).
//
// As of a bucket takes a *[storage.Bucket], or a pointer to the provider's client, as an **s3.Client; that of
// attributes and readers a **[storage.Attrs]; that of list entries a *[storage.ListEntry]. The functions BeforeRead,
// BeforeWrite, BeforeCopy, BeforeList and BeforeSign get a pointer to the options of the call:
// **[]storage.DownloadOption, **[]storage.UploadOption, **[]storage.CopyOption, **[]storage.ListOption,
// **[]storage.SignedDownloadOption or **[]storage.SignedUploadOption.
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

// Scheme is the scheme of addresses that blob.OpenBucket takes once this package is imported.
const Scheme = "omnibucket"

func init() { blob.DefaultURLMux().RegisterBucket(Scheme, URLOpener{}) }

// OpenBucket returns b as a bucket of the Go CDK. Its Close leaves b open.
func OpenBucket(b storage.Bucket) *blob.Bucket { return blob.NewBucket(&bucket{Bucket: b}) }

// A URLOpener opens addresses as "omnibucket://s3/my-bucket?region=eu-west-1": the first part is
// the scheme of an address of [storage.Open], and what follows is its rest.
// "omnibucket://file//var/data" is "file:///var/data". The program imports the provider's package,
// as for storage.Open.
type URLOpener struct {
	Options []storage.OpenOption
}

// OpenBucketURL opens the bucket. Close of the result closes it.
func (o URLOpener) OpenBucketURL(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	rest, found := strings.CutPrefix(u.EscapedPath(), "/")
	if u.Host == "" || !found {
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

// A bucket is the driver.
type bucket struct {
	storage.Bucket
	owned bool // Close closes it
}

func (b *bucket) Close() error {
	if b.owned {
		return storage.Close(b.Bucket)
	}
	return nil
}

// As sets target to the bucket, or to the provider's client, as the Go CDK's own drivers do.
func (b *bucket) As(target any) bool {
	if p, ok := target.(*storage.Bucket); ok {
		*p = b.Bucket
		return true
	}
	client, ok := storage.As[any](b.Bucket)
	to := reflect.ValueOf(target)
	if !ok || to.Kind() != reflect.Pointer || !reflect.TypeOf(client).AssignableTo(to.Type().Elem()) {
		return false
	}
	to.Elem().Set(reflect.ValueOf(client))
	return true
}

// ErrorAs sets target to the *storage.Error, or to an error of the provider's SDK below it.
func (b *bucket) ErrorAs(err error, target any) bool {
	to := reflect.TypeOf(target) // errors.As panics unless it points to an error
	if to.Kind() != reflect.Pointer ||
		to.Elem().Kind() != reflect.Interface && !to.Elem().Implements(reflect.TypeFor[error]()) {
		return false
	}
	return errors.As(err, target)
}

// ErrorCode returns the category of an error.
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

// before calls a function of the caller's with the options of a call.
func before[T any](call func(func(any) bool) error, opts *[]T) error {
	if call == nil {
		return nil
	}
	return call(func(target any) bool {
		p, ok := target.(**[]T)
		if ok {
			*p = opts
		}
		return ok
	})
}

func (b *bucket) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	a, err := stored(ctx, b.Bucket, key, func(key string) (*storage.Attrs, error) { return b.Attrs(ctx, key) })
	if err != nil {
		return nil, err
	}
	return &driver.Attributes{
		CacheControl: a.CacheControl, ContentDisposition: a.ContentDisposition, ContentEncoding: a.ContentEncoding,
		ContentLanguage: a.ContentLanguage, ContentType: a.ContentType, Metadata: unescapeMetadata(a.Metadata),
		ModTime: a.Modified, Size: a.Size, MD5: a.MD5, ETag: a.ETag, AsFunc: attrsAs(a),
	}, nil
}

func attrsAs(a *storage.Attrs) func(any) bool {
	return func(target any) bool {
		p, ok := target.(**storage.Attrs)
		if ok {
			*p = a
		}
		return ok
	}
}

func (b *bucket) Copy(ctx context.Context, to, from string, o *driver.CopyOptions) error {
	opts := []storage.CopyOption{storage.WithoutAttrs()}
	if err := before(o.BeforeCopy, &opts); err != nil {
		return err
	}
	_, err := stored(ctx, b.Bucket, from, func(from string) (*storage.Attrs, error) {
		return storage.Copy(ctx, b.Bucket, escapeKey(to), b.Bucket, from, opts...)
	})
	return err
}

func (b *bucket) Delete(ctx context.Context, key string, o *driver.DeleteOptions) error {
	var opts []storage.RemoveOption
	if err := before(o.BeforeDelete, &opts); err != nil {
		return err
	}
	remove := func(key string) (any, error) {
		if _, err := b.Attrs(ctx, key); err != nil {
			return nil, err
		}
		return nil, b.Remove(ctx, key, opts...)
	}
	_, err := stored(ctx, b.Bucket, key, remove)
	if err != nil || escapeKey(key) == key || !listed(ctx, b.Bucket, key) {
		return err
	}
	// The key would still be there, because another program has stored it as it is.
	_, err = remove(key)
	return err
}

func (b *bucket) SignedURL(ctx context.Context, key string, o *driver.SignedURLOptions) (string, error) {
	key = escapeKey(key)
	switch {
	case o.Method == http.MethodGet:
		opts := []storage.SignedDownloadOption{storage.WithTTL(o.Expiry)}
		if err := before(o.BeforeSign, &opts); err != nil {
			return "", err
		}
		return addressOf(b.SignedDownloadURL(ctx, key, opts...))
	case o.Method == http.MethodPut && !o.EnforceAbsentContentType:
		opts := []storage.SignedUploadOption{storage.WithTTL(o.Expiry)}
		if o.ContentType != "" {
			if !storage.Supports(b.Bucket, storage.SignedContentType) {
				if _, err := b.SignedUploadURL(ctx, key, opts...); err != nil { // the bucket signs nothing: its error says why
					return "", err
				}
				return "", errUnsupported("SignedURL", "the store does not enforce the content type of a signed URL")
			}
			opts = append(opts, storage.WithContentType(o.ContentType))
		}
		if err := before(o.BeforeSign, &opts); err != nil {
			return "", err
		}
		return addressOf(b.SignedUploadURL(ctx, key, opts...))
	}
	return "", errUnsupported("SignedURL", "a signed URL is for GET, or for PUT with or without a content type")
}

func addressOf(u *storage.SignedURL, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return u.URL, nil
}

func errUnsupported(op, why string) error {
	return &storage.Error{Code: storage.Unsupported, Op: op, Err: errors.New(why)}
}
