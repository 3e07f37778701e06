package storage

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/omnibucket/storage/internal/urlpath"
)

// signing is one operation that signs.
type signing struct {
	operation
	req SignRequest
}

// SignedUploadURL returns a request that anyone can make to store one object.
func (b *bucket) SignedUploadURL(ctx context.Context, key string, opts ...SignedUploadOption) (*SignedURL, error) {
	s := &signing{}
	s.req.MinSize, s.req.MaxSize = -1, -1
	e := s.openUpload(b, "SignedUploadURL", key, http.MethodPut, opts)
	if e == nil && s.req.MaxSize >= 0 {
		e = s.core.need(SignSize, "WithSize on a signed upload")
	}
	return s.sign(ctx, e)
}

// SignedDownloadURL returns a request that anyone can make to read the object.
func (b *bucket) SignedDownloadURL(ctx context.Context, key string, opts ...SignedDownloadOption) (*SignedURL, error) {
	s := &signing{}
	r := &s.req
	r.MinSize, r.MaxSize = -1, -1
	each(&r.set, opts, func(o SignedDownloadOption) { o.applySignedDownload(r) })
	e := s.open(b, maySignDownload, "SignedDownloadURL", key, cmp.Or(r.Method, http.MethodGet))
	if e == nil {
		e = checkReadKey(s.key)
	}
	if e == nil && r.Method == http.MethodHead {
		if e = s.core.need(SignHead, "a signed HEAD"); e != nil {
			e.Hint = "leave out WithMethod: this store's signatures name no method, and an address that reads answers HEAD too"
		}
	}
	if e == nil && r.set.version {
		e = s.core.need(KeepVersions, "WithVersion")
	}
	return s.sign(ctx, e)
}

// SignedUploadForm signs a form whose body the store bounds in size (bytes) and
// type: that of WithContentType, else by the key's extension, else
// "application/octet-stream". Unsupported on Azure, which has no such form, on a bucket that is not of
// New's, and with IfAbsent: forms know no condition.
func SignedUploadForm(ctx context.Context, b SignedUploader, key string, minSize, maxSize int64, opts ...SignedUploadOption) (*UploadForm, error) {
	own, ok := b.(*bucket)
	if !ok {
		e := unsupported("this bucket signs no forms", "")
		e.Op, e.Key = "SignedUploadForm", key
		return nil, e
	}
	s := &signing{}
	s.req.MinSize, s.req.MaxSize = -1, -1
	e := s.openUpload(own, "SignedUploadForm", key, http.MethodPost, opts)
	switch {
	case e != nil:
	case s.req.MaxSize >= 0:
		e = invalid("WithSize", "does not fit a form, which has bounds of its own")
	case minSize < 0 || maxSize < minSize:
		e = invalid("size", "must be bounds from 0 on, the smaller first")
	default:
		e = s.core.need(SignForms, "SignedUploadForm")
	}
	s.req.MinSize, s.req.MaxSize = minSize, maxSize
	var form *UploadForm
	if e == nil {
		ctx, e = s.begin(ctx)
	}
	if e == nil {
		e = s.call(ctx, func(ctx context.Context) (err error) {
			form, err = s.core.driver.SignForm(ctx, &s.req)
			return err
		})
	}
	if e != nil {
		return nil, s.end(e)
	}
	return form, s.end(nil)
}

// open checks what all signing has in common.
func (s *signing) open(b *bucket, may permission, op, key, method string) *Error {
	r := &s.req
	s.signs = true
	if e := s.prepare(b, may, op, key); e != nil {
		return e
	}
	if r.set.err != nil {
		return ownError(r.set.err)
	}
	if e := s.core.need(SignURLs, op); e != nil {
		e.Hint = s.core.desc.SigningHint
		if s.core.desc.SigningBase && s.core.signingBaseURL == "" {
			e.Hint = "open the bucket with WithSigningBaseURL, at which the handler of package serve answers"
		}
		return e
	}
	if r.TTL == 0 {
		r.TTL = defaultTTL
	}
	r.Key, r.Method, r.BaseURL = s.key, method, s.core.signingBaseURL
	return nil
}

func (s *signing) openUpload(b *bucket, op, key, method string, opts []SignedUploadOption) *Error {
	r := &s.req
	each(&r.set, opts, func(o SignedUploadOption) { o.applySignedUpload(r) })
	if e := s.open(b, maySignUpload, op, key, method); e != nil {
		return e
	}
	if e := checkWriteKey(s.key); e != nil {
		return e
	}
	if e := s.core.resolveWrite(&r.Properties, r.PublicRead, &r.Condition, &r.set); e != nil {
		return e
	}
	if r.Condition.Absent {
		if e := s.core.need(SignIfAbsent, "IfAbsent on a signed upload"); e != nil {
			return e
		}
	}
	r.Metadata = s.core.stored(r.Metadata, "")
	// A page sends a form's fields as they are and can add none. Whoever makes the
	// request of an address sends what type it likes, unless one was asked for.
	if r.ContentType == "" && method == http.MethodPost {
		r.ContentType = contentType("", s.key, func() []byte { return nil })
	}
	native, e := s.core.natives(r.set.natives)
	r.Native = native
	return e
}

func (s *signing) sign(ctx context.Context, e *Error) (*SignedURL, error) {
	var u *SignedURL
	if e == nil {
		ctx, e = s.begin(ctx)
	}
	if e == nil {
		e = s.call(ctx, func(ctx context.Context) (err error) {
			u, err = s.core.driver.Sign(ctx, &s.req)
			return err
		})
	}
	if e != nil {
		return nil, s.end(e)
	}
	u.ExpiresAt = u.ExpiresAt.UTC().Truncate(time.Second)
	return u, s.end(nil)
}

// PublicURL is the address at which a public object is served.
func (b *bucket) PublicURL(key string) (string, error) {
	o := &operation{}
	e := o.prepare(b, mayPublicURL, "PublicURL", key)
	if e == nil {
		e = checkReadKey(o.key)
	}
	if e == nil && (!b.core.public || b.core.publicBaseURL == "") {
		e = &Error{Code: NotPublic, Hint: "open the bucket with WithPublicBaseURL or WithPublic"}
		if b.core.desc.SigningBase {
			e.Hint = "open the bucket with WithPublic, and with WithPublicBaseURL or WithSigningBaseURL, where the handler of package serve answers"
		}
	}
	if e != nil {
		return "", o.end(e)
	}
	return b.core.publicBaseURL + urlpath.Escape(o.key), nil
}
