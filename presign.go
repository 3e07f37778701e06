package storage

import (
	"cmp"
	"context"
	"mime"
	"net/http"
	"time"

	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/unexported"
	"github.com/omnibucket/storage/internal/urlpath"
)

const (
	minTTL = time.Second
	maxTTL = 7 * 24 * time.Hour // the limit of SigV4 and of GCS V4, held on every driver
)

const defaultTTL = time.Hour

type ttlOption time.Duration

func (o ttlOption) check(s *unexported.Settings) time.Duration {
	if d := time.Duration(o); d < minTTL || d > maxTTL {
		fail(s, "WithTTL", "must be from 1 second to 7 days")
	}
	return time.Duration(o)
}
func (o ttlOption) applySignedUpload(r *SignOptions)   { r.TTL = o.check(&r.set) }
func (o ttlOption) applySignedDownload(r *SignOptions) { r.TTL = o.check(&r.set) }
func (o ttlOption) applySignedPart(r *PartOptions)     { r.TTL = o.check(&r.set) }

// WithTTL sets how long a signed address is valid: from 1 second to 7 days, else signing
// fails with InvalidArgument. The default is 1 hour. If the credentials expire earlier, so
// does the address; [SignedURL].ExpiresAt tells when.
//
// AWS Lambda, containers and CI pass credentials in AWS_SESSION_TOKEN without the time at
// which they expire. Then the address is signed for at most 12 hours, and may expire earlier
// with its session. Set AWS_CREDENTIAL_EXPIRATION to that time.
func WithTTL(d time.Duration) TTLOption { return ttlOption(d) }

type signedDownloadOption func(*SignOptions)

func (o signedDownloadOption) applySignedDownload(r *SignOptions) { o(r) }

// WithResponseContentType makes the store serve the object with this media type. If it is not
// type/subtype, signing fails with InvalidArgument.
func WithResponseContentType(mediaType string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		if !headertext.ValidMediaType(mediaType) {
			fail(&r.set, "WithResponseContentType", "must be type/subtype")
		}
		r.ResponseType = mediaType
	})
}

// WithDownloadName makes a browser save the object under this name (Content-Disposition:
// attachment, RFC 6266). [WithInlineName] makes it show the object. WithDownloadName,
// WithInlineName and [WithResponseContentDisposition] exclude each other: the last one wins.
func WithDownloadName(filename string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		if !validFileName(filename) {
			fail(&r.set, "WithDownloadName", "must be text of 1 to 1,024 bytes without control characters")
		}
		r.ResponseName, r.ResponseContentDisposition = filename, ""
	})
}

// WithInlineName makes a browser show the object, and save it under this name
// (Content-Disposition: inline, RFC 6266). The handler of package serve still serves as an
// attachment what a browser could execute. WithInlineName, [WithDownloadName] and
// [WithResponseContentDisposition] exclude each other: the last one wins.
func WithInlineName(filename string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		if !validFileName(filename) {
			fail(&r.set, "WithInlineName", "must be text of 1 to 1,024 bytes without control characters")
			return
		}
		r.ResponseName, r.ResponseContentDisposition = "", headertext.Disposition("inline", filename)
	})
}

func validFileName(name string) bool {
	return name != "" && len(name) <= headertext.MaxHeaderBytes && headertext.Plain(name)
}

// WithResponseContentDisposition makes the store serve the object with this
// Content-Disposition (RFC 6266). With "inline", or `inline; filename="report.pdf"`, a browser
// shows the object, and uses the name to save it. It must be ASCII of at most 1,024 bytes and
// begin with a disposition type, else signing fails with InvalidArgument. The handler of
// package serve still serves as an attachment what a browser could execute.
func WithResponseContentDisposition(disposition string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		if _, _, err := mime.ParseMediaType(disposition); err != nil || !headertext.ValidHeader(disposition) {
			fail(&r.set, "WithResponseContentDisposition", `must be as in inline; filename="report.pdf", in ASCII, of at most 1,024 bytes; a file name beyond that is written as filename*=UTF-8''...`)
		}
		r.ResponseName, r.ResponseContentDisposition = "", disposition
	})
}

// WithMethod signs for GET, which is the default, or HEAD; any other method is
// InvalidArgument. An address for HEAD returns the object's attributes and cannot read its
// bytes; if the store cannot enforce that (Azure), signing fails with Unsupported. Sign one
// address for each method: S3 refuses HEAD at an address for GET.
func WithMethod(method string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		if method != http.MethodGet && method != http.MethodHead {
			fail(&r.set, "WithMethod", "must be GET or HEAD")
		}
		r.Method = method
	})
}

// A signOp is one call that signs.
type signOp struct {
	op    operation
	req   SignRequest
	given SignOptions
}

// SignedUploadURL returns a request that anyone can make to store one object.
func (b *bucket) SignedUploadURL(ctx context.Context, key string, opts ...SignedUploadOption) (*SignedURL, error) {
	s := &signOp{}
	e := s.openUpload(b, "SignedUploadURL", key, http.MethodPut, opts)
	if e == nil && s.req.MaxSize >= 0 {
		e = s.op.core.need(SignedSize, "WithSize on a signed upload")
	}
	return s.sign(ctx, e)
}

// SignedDownloadURL returns a request that anyone can make to read the object.
func (b *bucket) SignedDownloadURL(ctx context.Context, key string, opts ...SignedDownloadOption) (*SignedURL, error) {
	s := &signOp{}
	r := &s.req
	_ = s.given.ApplyDownload(opts...) // open returns its error
	e := s.open(b, scope.SignDownload, "SignedDownloadURL", key, cmp.Or(s.given.Method, http.MethodGet))
	if e == nil {
		e = s.op.core.checkReadKey(s.op.key)
	}
	if e == nil && r.Method == http.MethodHead {
		if e = s.op.core.need(SignedHead, "a signed HEAD"); e != nil {
			e.Hint = "leave out WithMethod: a signature of this store has no method, and an address that reads serves HEAD too"
		}
	}
	if e == nil {
		e = s.op.core.needVersion(&s.given.set)
	}
	if e == nil {
		r.Native, e = s.op.core.natives(s.given.set.Natives)
	}
	return s.sign(ctx, e)
}

// A FormSigner is a bucket that signs forms: one from [New], or a type of your own, for which
// [SignedUploadForm] calls this method.
type FormSigner interface {
	SignedUploadForm(ctx context.Context, key string, minSize, maxSize int64, opts ...SignedUploadOption) (*SignedForm, error)
}

// SignedUploadForm signs a form. The store enforces that the body has from minSize to maxSize
// bytes and one content type: that of [WithContentType], else that of the key's extension,
// else "application/octet-stream". It fails with Unsupported on Azure, which has no such form,
// on a bucket that is no [FormSigner], and with [IfAbsent]: forms have no conditions.
func SignedUploadForm(ctx context.Context, b SignedUploader, key string, minSize, maxSize int64, opts ...SignedUploadOption) (*SignedForm, error) {
	f, e := need[FormSigner](b, "SignedUploadForm")
	if e != nil {
		return nil, located(b, "SignedUploadForm", key, e)
	}
	return f.SignedUploadForm(ctx, key, minSize, maxSize, opts...)
}

func (b *bucket) SignedUploadForm(ctx context.Context, key string, minSize, maxSize int64, opts ...SignedUploadOption) (*SignedForm, error) {
	s := &signOp{}
	e := s.openUpload(b, "SignedUploadForm", key, http.MethodPost, opts)
	switch {
	case e != nil:
	case s.req.MaxSize >= 0:
		e = invalid("WithSize", "does not fit a form, which has bounds of its own")
	case minSize < 0 || maxSize < minSize:
		e = invalid("minSize and maxSize", "must satisfy 0 <= minSize <= maxSize")
	default:
		e = s.op.core.need(SignedForms, "SignedUploadForm")
	}
	s.req.MinSize, s.req.MaxSize = minSize, maxSize
	return run(ctx, &s.op, e, func(ctx context.Context) (*SignedForm, *Error) {
		return request(ctx, &s.op, func(ctx context.Context) (*SignedForm, error) { return s.op.core.driver.SignForm(ctx, &s.req) })
	})
}

// open checks what all ways of signing have in common.
func (s *signOp) open(b *bucket, may scope.Permission, op, key, method string) *Error {
	r := &s.req
	s.op.signs = true
	if e := s.op.prepare(b, may, op, key); e != nil {
		return e
	}
	given := &s.given
	if given.set.Err != nil {
		return ownError(given.set.Err)
	}
	*r = SignRequest{
		Version: given.Version, TTL: given.TTL, Properties: given.Properties, Controls: given.Controls, Condition: given.Condition,
		MinSize: given.Size, MaxSize: given.Size, CRC32C: given.CRC32C,
		ResponseType: given.ResponseType, ResponseName: given.ResponseName, ResponseContentDisposition: given.ResponseContentDisposition,
	}
	if e := s.op.core.needSigning(SignedURLs, op); e != nil {
		return e
	}
	r.TTL = cmp.Or(r.TTL, defaultTTL)
	r.Key, r.Method, r.BaseURL = s.op.key, method, s.op.core.signingBaseURL
	return nil
}

// needSigning is need for features of signing: its hint tells what the bucket lacks.
func (c *core) needSigning(f Features, what string) *Error {
	e := c.need(f, what)
	if e != nil {
		e.Hint = c.desc.SigningHint
		if c.desc.NeedsSigningBase && c.signingBaseURL == "" {
			e.Hint = "open the bucket with WithSigningBaseURL, where the handler of package serve is mounted"
		}
	}
	return e
}

func (s *signOp) openUpload(b *bucket, op, key, method string, opts []SignedUploadOption) *Error {
	r := &s.req
	_ = s.given.ApplyUpload(opts...) // open returns its error
	if e := s.open(b, scope.SignUpload, op, key, method); e != nil {
		return e
	}
	if e := s.op.core.resolveWrite(s.op.key, &r.Properties, &r.Controls, &r.Condition, &s.given.set); e != nil {
		return e
	}
	if r.Condition.Absent {
		if e := s.op.core.need(SignedIfAbsent, "IfAbsent on a signed upload"); e != nil {
			return e
		}
	}
	if e := s.op.core.signedControls(&r.Controls); e != nil {
		return e
	}
	r.Metadata = s.op.core.metadata.Encode(r.Metadata, "")
	// A page sends the fields of a form unchanged, and can add none. A client of an address
	// sends the type that it likes, unless one was signed.
	if r.ContentType == "" && method == http.MethodPost {
		r.ContentType = contentType("", s.op.key, nil)
	}
	return nil
}

// signedControls refuses tags and locks that the store would not enforce: a client could leave
// them out.
func (c *core) signedControls(w *Controls) *Error {
	e := (*Error)(nil)
	switch {
	case len(w.Tags) > 0 && !c.has(SignedTags):
		e = c.need(SignedTags, "WithTags on a signed upload")
		e.Hint = "a signature of this store cannot enforce tags: call SetTags after the upload"
	case (w.LegalHold || w.Retention != (Retention{})) && !c.has(SignedLocks):
		e = c.need(SignedLocks, "a lock on a signed upload")
		e.Hint = "a signature of this store cannot enforce locks: call SetRetention or SetLegalHold after the upload"
	}
	return e
}

func (s *signOp) sign(ctx context.Context, e *Error) (*SignedURL, error) {
	return run(ctx, &s.op, e, func(ctx context.Context) (*SignedURL, *Error) {
		u, e := request(ctx, &s.op, func(ctx context.Context) (*SignedURL, error) { return s.op.core.driver.Sign(ctx, &s.req) })
		if e == nil {
			u.ExpiresAt = u.ExpiresAt.UTC().Truncate(time.Second)
		}
		return u, e
	})
}

// PublicURL returns the address at which a public object is served.
func (b *bucket) PublicURL(key string) (string, error) {
	o := &operation{}
	e := o.prepare(b, scope.PublicURL, "PublicURL", key)
	if e == nil {
		e = o.core.checkReadKey(o.key)
	}
	if e == nil && (!b.core.public || b.core.publicBaseURL == "") {
		e = &Error{Code: NotPublic, Hint: "open the bucket with WithPublicBaseURL or WithPublic"}
		if b.core.desc.NeedsSigningBase {
			e.Hint = "open the bucket with WithPublic, and with WithPublicBaseURL or WithSigningBaseURL, where the handler of package serve is mounted"
		}
	}
	if e != nil {
		return "", o.end(e)
	}
	return b.core.publicBaseURL + urlpath.Escape(o.key), nil
}
