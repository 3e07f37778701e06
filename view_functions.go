package storage

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/internal/removal"
	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/uploadtoken"
)

// A view has all optional interfaces. Each method calls the function of its name on the bucket that
// is shown, which finds out whether that can do it.

func (v *view) Supports(features Features) bool { return Supports(v.to, features) }

// Close does nothing: the bucket belongs to others too.
func (v *view) Close() error { return nil }

func (v *view) ListPage(ctx context.Context, token string, opts ...ListOption) (*Page, error) {
	to, ok := find[PageLister](v.to)
	if !ok || v.check(scope.List, "ListPage") != nil { // which List tells
		return listForeignPage(ctx, v, token, opts)
	}
	var r ListOptions
	if err := r.Apply(opts...); err != nil {
		return nil, located(v, "ListPage", "", ownError(err))
	}
	v.inward(&r)
	for {
		page, err := to.ListPage(ctx, token, wholeList(r))
		if err != nil {
			return nil, v.outward(err)
		}
		if v.scope.Prefix == "" {
			return page, nil
		}
		inner := &Page{Token: page.Token} // the bucket may keep its own
		for _, entry := range page.Entries {
			if key, ok := v.shown(entry.Key); ok {
				entry.Key = key
				inner.Entries = append(inner.Entries, entry)
			}
		}
		if len(inner.Entries) > 0 || inner.Token == "" {
			return inner, nil
		}
		token, r.StartAfter = page.Token, ""
	}
}

func (v *view) Versions(ctx context.Context, opts ...ListOption) iter.Seq2[VersionEntry, error] {
	return listed(v, "Versions", opts, func(e *VersionEntry) *string { return &e.Key }, func(o ListOption) iter.Seq2[VersionEntry, error] { return Versions(ctx, v.to, o) })
}

func (v *view) Tags(ctx context.Context, key string, opts ...AttrsOption) (map[string]string, error) {
	return through(v, scope.Attrs, "Tags", func() (map[string]string, error) { return Tags(ctx, v.to, v.scope.Key(key), opts...) })
}

func (v *view) SetTags(ctx context.Context, key string, tags map[string]string, opts ...SetOption) error {
	return v.change(scope.Upload, "SetTags", func() error { return SetTags(ctx, v.to, v.scope.Key(key), tags, opts...) })
}

func (v *view) SetRetention(ctx context.Context, key string, r Retention, opts ...RetentionOption) error {
	return v.change(scope.Upload, "SetRetention", func() error { return SetRetention(ctx, v.to, v.scope.Key(key), r, opts...) })
}

func (v *view) SetLegalHold(ctx context.Context, key string, hold bool, opts ...SetOption) error {
	return v.change(scope.Upload, "SetLegalHold", func() error { return SetLegalHold(ctx, v.to, v.scope.Key(key), hold, opts...) })
}

func (v *view) Restore(ctx context.Context, key string, opts ...RestoreOption) error {
	return v.change(scope.Upload, "Restore", func() error { return Restore(ctx, v.to, v.scope.Key(key), opts...) })
}

// change calls a function that changes an object, if the view permits it.
func (v *view) change(may scope.Permission, op string, call func() error) error {
	if err := v.check(may, op); err != nil {
		return err
	}
	return v.outward(call())
}

func (v *view) SignedUploadForm(ctx context.Context, key string, minSize, maxSize int64, opts ...SignedUploadOption) (*SignedForm, error) {
	return through(v, scope.SignUpload, "SignedUploadForm", func() (*SignedForm, error) {
		return SignedUploadForm(ctx, v.to, v.scope.Key(key), minSize, maxSize, opts...)
	})
}

func (v *view) BeginUpload(ctx context.Context, key string, opts ...MultipartOption) (MultipartUpload, error) {
	return v.upload("BeginUpload", func() (MultipartUpload, error) { return BeginUpload(ctx, v.to, v.scope.Key(key), opts...) })
}

func (v *view) ContinueUpload(ctx context.Context, token string, opts ...MultipartOption) (MultipartUpload, error) {
	return v.upload("ContinueUpload", func() (MultipartUpload, error) { return ContinueUpload(ctx, v.to, token, opts...) })
}

func (v *view) ContinueListedUpload(ctx context.Context, entry UploadEntry, opts ...MultipartOption) (MultipartUpload, error) {
	entry.Key = v.scope.Key(entry.Key)
	return v.upload("ContinueListedUpload", func() (MultipartUpload, error) { return ContinueListedUpload(ctx, v.to, entry, opts...) })
}

// upload calls a function that returns an upload in progress, and returns what the view shows of it.
func (v *view) upload(op string, call func() (MultipartUpload, error)) (MultipartUpload, error) {
	u, err := through(v, scope.Upload, op, call)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(u.Key(), v.scope.Prefix) {
		return nil, located(v, op, "", invalid("token", uploadtoken.OtherBucket))
	}
	return &viewUpload{MultipartUpload: u, view: v}, nil
}

// PutSignedPart is PutPart of an upload in progress.
func (v *view) PutSignedPart(ctx context.Context, key, upload string, number int, body io.Reader, opts ...PartOption) (*UploadedPart, error) {
	return through(v, scope.Upload, "PutPart", func() (*UploadedPart, error) {
		return PutSignedPart(ctx, v.to, v.scope.Key(key), upload, number, body, opts...)
	})
}

// A viewUpload is what a view shows of an upload in progress.
type viewUpload struct {
	MultipartUpload
	view *view
}

func (u *viewUpload) Key() string {
	return strings.TrimPrefix(u.MultipartUpload.Key(), u.view.scope.Prefix)
}

func (u *viewUpload) String() string { return "upload of " + redact.Quoted(u.Key()) }

func (u *viewUpload) PutPart(ctx context.Context, number int, body io.Reader, opts ...PartOption) (*UploadedPart, error) {
	return through(u.view, scope.Upload, "PutPart", func() (*UploadedPart, error) { return u.MultipartUpload.PutPart(ctx, number, body, opts...) })
}

func (u *viewUpload) SignPart(ctx context.Context, number int, opts ...SignedPartOption) (*SignedURL, error) {
	return through(u.view, scope.Upload|scope.SignUpload, "SignPart", func() (*SignedURL, error) { return u.MultipartUpload.SignPart(ctx, number, opts...) })
}

func (u *viewUpload) Parts(ctx context.Context) ([]UploadedPart, error) {
	return through(u.view, scope.Upload, "Parts", func() ([]UploadedPart, error) { return u.MultipartUpload.Parts(ctx) })
}

func (u *viewUpload) Complete(ctx context.Context, opts ...CompleteOption) (*Attrs, error) {
	a, err := through(u.view, scope.Upload, "CompleteUpload", func() (*Attrs, error) { return u.MultipartUpload.Complete(ctx, opts...) })
	return u.view.attrs(a), err
}

func (u *viewUpload) Abort(ctx context.Context) error {
	return u.view.change(scope.Upload, "AbortUpload", func() error { return u.MultipartUpload.Abort(ctx) })
}

func (v *view) ListUploads(ctx context.Context, opts ...ListOption) iter.Seq2[UploadEntry, error] {
	return listed(v, "ListUploads", opts, func(e *UploadEntry) *string { return &e.Key }, func(o ListOption) iter.Seq2[UploadEntry, error] { return ListUploads(ctx, v.to, o) })
}

func (v *view) AbortUpload(ctx context.Context, entry UploadEntry) error {
	entry.Key = v.scope.Key(entry.Key)
	return v.change(scope.Upload, "AbortUpload", func() error { return AbortUpload(ctx, v.to, entry) })
}

// CopyFrom leaves the key in an error of the source as it is: that is none of the view.
func (v *view) CopyFrom(ctx context.Context, key string, src Downloader, srcKey string, opts ...CopyOption) (*Attrs, error) {
	if err := v.check(scope.Upload, "Copy"); err != nil {
		return nil, err
	}
	a, err := Copy(ctx, v.to, v.scope.Key(key), src, srcKey, opts...)
	if e := (*Error)(nil); errors.As(err, &e) && e.Key == v.scope.Key(key) {
		err = v.outward(err)
	}
	return v.attrs(a), err
}

func (v *view) Compose(ctx context.Context, key string, srcKeys []string, opts ...CopyOption) (*Attrs, error) {
	whole := slices.Clone(srcKeys)
	for i := range whole {
		whole[i] = v.scope.Prefix + whole[i]
	}
	a, err := through(v, scope.Upload|scope.Download, "Compose", func() (*Attrs, error) { return Compose(ctx, v.to, v.scope.Key(key), whole, opts...) })
	return v.attrs(a), err
}

func (v *view) Move(ctx context.Context, from, to string, opts ...CopyOption) (*Attrs, error) {
	a, err := through(v, scope.Upload|scope.Download|scope.Remove, "Move", func() (*Attrs, error) { return Move(ctx, v.to, v.scope.Key(from), v.scope.Key(to), opts...) })
	return v.attrs(a), err
}

func (v *view) RemoveAll(ctx context.Context, keys iter.Seq[string]) (removed int, err error) {
	to, ok := find[BatchRemover](v.to)
	if !ok || v.check(scope.Remove, "RemoveAll") != nil { // which each key tells
		return removeSingly(ctx, v, "RemoveAll", removal.Map(keys, entryOf))
	}
	removed, err = to.RemoveAll(ctx, removal.Map(keys, v.scope.Key))
	return removed, v.eachOutward(err)
}

func (v *view) RemoveVersions(ctx context.Context, versions iter.Seq[VersionEntry]) (removed int, err error) {
	to, ok := find[BatchRemover](v.to)
	if !ok || v.check(scope.Remove, "RemoveVersions") != nil {
		return removeSingly(ctx, v, "RemoveVersions", versions)
	}
	removed, err = to.RemoveVersions(ctx, removal.Map(versions, func(entry VersionEntry) VersionEntry {
		entry.Key = v.scope.Key(entry.Key)
		return entry
	}))
	return removed, v.eachOutward(err)
}

// eachOutward is outward for joined errors.
func (v *view) eachOutward(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return v.outward(err)
	}
	errs := slices.Clone(joined.Unwrap())
	for i := range errs {
		errs[i] = v.outward(errs[i])
	}
	return errors.Join(errs...)
}
