package storage

import (
	"context"
	"io"
	"iter"
	"strings"

	"github.com/omnibucket/storage/internal/core/scope"
	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/internal/uploadtoken"
)

// BeginUpload begins an upload of one object in parts, with its attributes. The default content type is that of the
// key's extension.
func BeginUpload(ctx context.Context, b Uploader, key string, opts ...MultipartOption) (MultipartUpload, error) {
	return openUpload(ctx, b, "BeginUpload", key, opts, func(f *front, o *UploadOptions) (MultipartUpload, error) {
		return f.core.BeginUpload(ctx, f.scope.Key(key), o)
	})
}

// ContinueUpload returns the upload with this Token, in any process. It makes no request, so only
// the next call shows whether the upload still exists. The token must be from this bucket, for a key
// within b's prefix. Give the [WithNative] options of BeginUpload again, because the token contains
// no encryption key.
func ContinueUpload(ctx context.Context, b Uploader, token string, opts ...MultipartOption) (MultipartUpload, error) {
	open := func(f *front, o *UploadOptions) (MultipartUpload, error) {
		if err := onlyNatives(opts); err != nil {
			return nil, f.refuse(ctx, Operation{Name: "ContinueUpload"}, locateError(f, "ContinueUpload", "", err))
		}
		return f.core.ContinueUpload(ctx, token, o)
	}
	return openUpload(ctx, b, "ContinueUpload", "", opts, open)
}

// ContinueListedUpload is like [ContinueUpload], for an upload that [ListUploads] has yielded. Give
// the options of BeginUpload again, but on S3 without attributes, tags and locks, because the store
// has them already. If the response to Complete is lost on S3, Complete fails with OutcomeUnknown,
// and a second Complete with ObjectNotFound.
func ContinueListedUpload(
	ctx context.Context, b Uploader, entry UploadEntry, opts ...MultipartOption,
) (MultipartUpload, error) {
	open := func(f *front, o *UploadOptions) (MultipartUpload, error) {
		entry.Key = f.scope.Key(entry.Key)
		return f.core.ContinueListedUpload(ctx, entry, o)
	}
	return openUpload(ctx, b, "ContinueListedUpload", entry.Key, opts, open)
}

// ListUploads yields the multipart uploads in progress, in no order. It yields at most one error,
// and nothing after it. Its only option is [WithPrefix].
func ListUploads(ctx context.Context, b Lister, opts ...ListOption) iter.Seq2[UploadEntry, error] {
	return listWith(ctx, b, "ListUploads", opts,
		func(c Core, o *ListOptions) iter.Seq2[UploadEntry, error] { return c.ListUploads(ctx, o) },
		func(entry *UploadEntry) *string { return &entry.Key })
}

// AbortUpload drops an upload that [ListUploads] has yielded, together with its parts, if it still
// exists. Calls that are still sending parts of the upload fail.
func AbortUpload(ctx context.Context, b Uploader, entry UploadEntry) error {
	f, err := frontOf(b, "AbortUpload", entry.Key)
	if err != nil {
		return err
	}
	if err := f.check(ctx, scope.Upload, "AbortUpload", entry.Key, nil); err != nil {
		return err
	}
	entry.Key = f.scope.Key(entry.Key)
	return f.errorInView(f.core.AbortUpload(ctx, entry))
}

// PutSignedPart stores a part, as MultipartUpload.PutPart does. An HTTP handler calls it for a
// request that SignPart has signed, and whose signature the handler has verified. upload is the
// store's name of the upload, as in driver.SignPartRequest.Upload.
func PutSignedPart(
	ctx context.Context, b Uploader, key, upload string, number int, body io.Reader, opts ...PartOption,
) (*UploadedPart, error) {
	f, err := frontOf(b, "PutSignedPart", key)
	if err != nil {
		return nil, err
	}
	o := &PartOptions{}
	// Errors and hooks name the operation PutPart, which this function does for the client.
	if err := f.check(ctx, scope.Upload, "PutPart", key, o.Apply(opts...)); err != nil {
		return nil, err
	}
	part, err := f.core.PutSignedPart(ctx, f.scope.Key(key), upload, number, body, o)
	return resultOrError(f, part, err, "PutPart", key)
}

// AbandonUpload drops the parts of an upload that [WithResume] has recorded in the file at path,
// and removes the file. It succeeds if the file does not exist. It fails with InvalidArgument if
// WithResume has not written the file, or if the upload is to another bucket or to a key outside of
// the prefix of b. It fails with Locked if another call is using the file, and with Unsupported if
// a later version of this library has written it.
func AbandonUpload(ctx context.Context, b Uploader, path string) error {
	f, err := frontOf(b, "AbandonUpload", "")
	if err != nil {
		return err
	}
	if err := f.check(ctx, scope.Upload, "AbandonUpload", "", nil); err != nil {
		return err
	}
	return f.errorInView(f.core.AbandonUpload(ctx, path, f.scope.Prefix))
}

// openUpload begins or continues a multipart upload by the function open, if the permission and the
// options permit it. The result shows its key without the prefix of b.
func openUpload(
	ctx context.Context, b Uploader, op, key string, opts []MultipartOption,
	open func(*front, *UploadOptions) (MultipartUpload, error),
) (MultipartUpload, error) {
	f, err := frontOf(b, op, key)
	if err != nil {
		return nil, err
	}
	o := uploadPool.get()
	defer uploadPool.put(o)
	if err := f.check(ctx, scope.Upload, op, key, o.ApplyMultipart(opts...)); err != nil {
		return nil, err
	}

	// The Core works with complete keys, which begin with the prefix of b.
	o.state.View = f.scope.Prefix
	upload, err := open(f, o)
	if err != nil {
		return nil, f.errorInView(err)
	}
	if upload == nil {
		return nil, f.noAnswer(op, key)
	}

	// The token of an upload may come from another part of the bucket, which b must not reach.
	if !strings.HasPrefix(upload.Key(), f.scope.Prefix) {
		return nil, locateError(f, op, "", invalid("token", uploadtoken.OtherBucket))
	}
	if f.scope.Whole() {
		return upload, nil
	}
	// b has a prefix, or not all permissions.
	return &shownUpload{inner: upload, front: f}, nil
}

// onlyNatives returns an error if there is an option other than WithNative.
func onlyNatives(opts []MultipartOption) *Error {
	for _, o := range opts {
		if _, ok := o.(NativeOption); !ok {
			return invalid("options", "must be native ones: the token has the others")
		}
	}
	return nil
}

// A shownUpload wraps a multipart upload of a bucket that may have a prefix. It removes the prefix
// from the key of the upload, and from the keys in errors.
type shownUpload struct {
	inner MultipartUpload
	front *front
}

func (u *shownUpload) Key() string { return strings.TrimPrefix(u.inner.Key(), u.front.scope.Prefix) }

func (u *shownUpload) String() string { return "upload of " + redact.Quoted(u.Key()) }

func (u *shownUpload) GoString() string { return u.String() }

func (u *shownUpload) Token() string { return u.inner.Token() }

func (u *shownUpload) Limits() PartLimits { return u.inner.Limits() }

// PutPart sends a part of the inner upload, if the scope of the view permits it.
func (u *shownUpload) PutPart(
	ctx context.Context, number int, body io.Reader, opts ...PartOption,
) (*UploadedPart, error) {
	if err := u.front.check(ctx, scope.Upload, "PutPart", u.Key(), nil); err != nil {
		return nil, err
	}
	part, err := u.inner.PutPart(ctx, number, body, opts...)
	return resultOrError(u.front, part, err, "PutPart", u.Key())
}

// SignPart signs a part of the inner upload, if the scope of the view permits it.
func (u *shownUpload) SignPart(ctx context.Context, number int, opts ...SignedPartOption) (*SignedURL, error) {
	if err := u.front.check(ctx, scope.Upload|scope.SignUpload, "SignPart", u.Key(), nil); err != nil {
		return nil, err
	}
	signedURL, err := u.inner.SignPart(ctx, number, opts...)
	return resultOrError(u.front, signedURL, err, "SignPart", u.Key())
}

func (u *shownUpload) Parts(ctx context.Context) ([]UploadedPart, error) {
	parts, err := u.inner.Parts(ctx)
	return parts, u.front.errorInView(err)
}

func (u *shownUpload) Complete(ctx context.Context, opts ...CompleteOption) (*Attrs, error) {
	a, err := u.inner.Complete(ctx, opts...)
	return u.front.attrsOrError(a, err, "Complete", u.Key())
}

func (u *shownUpload) Abort(ctx context.Context) error {
	return u.front.errorInView(u.inner.Abort(ctx))
}
