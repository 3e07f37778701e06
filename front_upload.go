package storage

import (
	"context"
	"io"
	"strings"

	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/uploadtoken"
)

// openUpload calls a function that returns an upload in progress, and returns what b shows of it.
func openUpload(
	b Uploader, op, key string, opts []MultipartOption, open func(*front, *UploadOptions) (MultipartUpload, error),
) (MultipartUpload, error) {
	f, e := need(b, op, key)
	if e != nil {
		return nil, e
	}
	given := uploadPool.get()
	defer uploadPool.put(given)
	if err := f.check(scope.Upload, op, key, given.ApplyMultipart(opts...)); err != nil {
		return nil, err
	}
	u, err := open(f, given)
	switch {
	case err != nil:
		return nil, f.outward(err)
	case u == nil:
		return nil, f.noAnswer(op, key)
	case !strings.HasPrefix(u.Key(), f.scope.Prefix):
		return nil, located(f, op, "", invalid("token", uploadtoken.OtherBucket))
	case f.scope.Whole():
		return u, nil
	}
	return &shownUpload{of: u, front: f}, nil
}

// onlyNatives refuses every option but those of WithNative.
func onlyNatives(opts []MultipartOption) *Error {
	for _, o := range opts {
		if _, ok := o.(NativeOption); !ok {
			return invalid("options", "must be native ones: the token has the others")
		}
	}
	return nil
}

// A shownUpload is what a narrowed bucket shows of an upload in progress.
type shownUpload struct {
	of    MultipartUpload
	front *front
}

func (u *shownUpload) Key() string { return strings.TrimPrefix(u.of.Key(), u.front.scope.Prefix) }

func (u *shownUpload) String() string { return "upload of " + redact.Quoted(u.Key()) }

func (u *shownUpload) GoString() string { return u.String() }

func (u *shownUpload) Token() string { return u.of.Token() }

func (u *shownUpload) Limits() PartLimits { return u.of.Limits() }

func (u *shownUpload) PutPart(
	ctx context.Context, number int, body io.Reader, opts ...PartOption,
) (*UploadedPart, error) {
	if err := u.front.check(scope.Upload, "PutPart", u.Key(), nil); err != nil {
		return nil, err
	}
	part, err := u.of.PutPart(ctx, number, body, opts...)
	return part, u.front.outward(err)
}

func (u *shownUpload) SignPart(ctx context.Context, number int, opts ...SignedPartOption) (*SignedURL, error) {
	if err := u.front.check(scope.Upload|scope.SignUpload, "SignPart", u.Key(), nil); err != nil {
		return nil, err
	}
	signed, err := u.of.SignPart(ctx, number, opts...)
	return signed, u.front.outward(err)
}

func (u *shownUpload) Parts(ctx context.Context) ([]UploadedPart, error) {
	parts, err := u.of.Parts(ctx)
	return parts, u.front.outward(err)
}

func (u *shownUpload) Complete(ctx context.Context, opts ...CompleteOption) (*Attrs, error) {
	a, err := u.of.Complete(ctx, opts...)
	return u.front.attrs(a), u.front.outward(err)
}

func (u *shownUpload) Abort(ctx context.Context) error { return u.front.outward(u.of.Abort(ctx)) }
