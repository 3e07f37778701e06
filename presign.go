package storage

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/core/scope"
	"github.com/omnibucket/storage/internal/headertext"
)

const (
	minTTL     = time.Second
	defaultTTL = time.Hour
	maxTTL     = 7 * 24 * time.Hour // limit of signature version 4 on S3 and GCS; every driver applies it
)

type ttlOption time.Duration

// check returns the duration of the option, and sets err if no store permits it.
func (o ttlOption) check(err *error) time.Duration {
	ttl := time.Duration(o)
	if ttl < minTTL || ttl > maxTTL {
		fail(err, "WithTTL", "must be from 1 second to 7 days")
	}
	return ttl
}

func (o ttlOption) applySignedUpload(r *SignOptions)   { r.TTL = o.check(&r.err) }
func (o ttlOption) applySignedDownload(r *SignOptions) { r.TTL = o.check(&r.err) }
func (o ttlOption) applySignedRemove(r *SignOptions)   { r.TTL = o.check(&r.err) }
func (o ttlOption) applySignedPart(r *PartOptions)     { r.TTL = o.check(&r.err) }

// WithTTL sets the time for which a signed URL is valid, from 1 second to 7 days, by default 1
// hour. The URL never outlives the credentials that sign it: SignedURL.ExpiresAt is its end. If
// Google's IAM signs, or if the expiry of temporary credentials of S3 is unknown, the URL is valid
// for at most 12 hours. On AWS Lambda, in containers and in CI, AWS_SESSION_TOKEN is often set, and
// AWS_CREDENTIAL_EXPIRATION is not. The URL may then end earlier than ExpiresAt, because it ends
// with the credentials.
func WithTTL(d time.Duration) TTLOption { return ttlOption(d) }

// A TTLOption is [WithTTL].
type TTLOption interface {
	SignedUploadOption
	SignedPartOption
	SignedDownloadOption
	SignedRemoveOption
}

// WithStableFor makes every call, in every process, return the same URL until a window of time
// ends, so that browsers and caches can keep what they have read. Windows follow one another
// without a gap: windows of 24 hours begin at midnight UTC. The URL is valid from the beginning of its
// window, for the window plus the TTL of [WithTTL], so at least the TTL is left. window is at least
// 1 second, and window plus TTL is at most 7 days.
//
// If the store can replace the Cache-Control of the response, it sends "private" with a max-age of
// the window. During that time, browsers may show an old copy of an object that was overwritten or
// removed. Google cannot replace the header: set the Cache-Control of the object
// ([WithCacheControl]).
//
// All processes must sign with the same long-lived key. The call fails with Unsupported for a
// bucket without [StableURLs], with temporary credentials, and if Google's IAM or a user delegation
// key of Azure signs.
func WithStableFor(window time.Duration) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		if window < minTTL || window > maxTTL {
			fail(&r.err, "WithStableFor", "must be from 1 second to 7 days")
		}
		r.StableFor = window
	})
}

// Term returns the time from which a signed URL is valid, and for how long. now is the time of the
// signing. Code that signs URLs itself calls Term. Without a TTL, a URL is valid for an hour.
// StableFor divides time into windows of that length, and a URL is valid from the beginning of its
// window, for StableFor plus the TTL. If that is more than 7 days, Term fails with InvalidArgument.
func (r *SignOptions) Term(now time.Time) (from time.Time, lasts time.Duration, err error) {
	lasts = cmp.Or(r.TTL, defaultTTL)
	if r.StableFor == 0 {
		return now, lasts, nil
	}

	// A URL that is signed at the end of the window must still be valid for the TTL.
	lasts += r.StableFor
	if lasts > maxTTL {
		return now, 0, invalid(
			"WithStableFor",
			"and WithTTL must be at most 7 days together, and WithTTL is an hour by default",
		)
	}
	return now.UTC().Truncate(r.StableFor), lasts, nil
}

type signedDownloadOption func(*SignOptions)

func (o signedDownloadOption) applySignedDownload(r *SignOptions) { o(r) }

// WithResponseContentType makes the store serve the object with this media type, such as
// text/plain.
func WithResponseContentType(mediaType string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		if !headertext.ValidMediaType(mediaType) {
			fail(&r.err, "WithResponseContentType", "must be type/subtype")
		}
		r.ResponseType = mediaType
	})
}

// WithDownloadName makes a browser save the object under this name (RFC 6266). Of this option,
// [WithInlineName] and [WithResponseContentDisposition], the last one given wins.
func WithDownloadName(filename string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		checkFileName(r, "WithDownloadName", filename)
		r.ResponseName = filename
		r.ResponseContentDisposition = ""
	})
}

// WithInlineName makes a browser show the object, and save it under this name. Package serve still serves an object as
// an attachment if a browser could execute it.
func WithInlineName(filename string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		checkFileName(r, "WithInlineName", filename)
		r.ResponseName = ""
		r.ResponseContentDisposition = headertext.Disposition("inline", filename)
	})
}

func checkFileName(r *SignOptions, option, name string) {
	if name == "" || len(name) > headertext.MaxHeaderBytes || !headertext.Plain(name) {
		fail(&r.err, option, "must be text of 1 to 1,024 bytes without control characters")
	}
}

// WithResponseContentDisposition makes the store serve the object with this Content-Disposition
// header, which is ASCII text of at most 1,024 bytes.
func WithResponseContentDisposition(disposition string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		if _, _, err := mime.ParseMediaType(disposition); err != nil || !headertext.ValidHeader(disposition) {
			fail(
				&r.err, "WithResponseContentDisposition",
				`must be as in inline; filename="report.pdf", in ASCII, of at most 1,024 bytes; a file name beyond that is written as filename*=UTF-8''...`,
			)
		}
		r.ResponseName = ""
		r.ResponseContentDisposition = disposition
	})
}

// WithMethod signs for the method GET, which is the default, or HEAD. A URL for HEAD returns
// attributes and cannot read bytes. On Azure, HEAD fails with Unsupported. Sign one URL for each
// method, because S3 refuses HEAD with a URL for GET.
func WithMethod(method string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		if method != http.MethodGet && method != http.MethodHead {
			fail(&r.err, "WithMethod", "must be GET or HEAD")
		}
		r.Method = method
	})
}

// SignedRemoveURL returns a request that anyone can make, until it expires, to remove the object.
// With [WithVersion], the request removes one version for good. Otherwise, in a bucket that keeps
// versions, it only hides the object, as Remove does. If the object does not exist, the request
// succeeds, except on Google and Azure, which respond with 404.
func SignedRemoveURL(ctx context.Context, b Remover, key string, opts ...SignedRemoveOption) (*SignedURL, error) {
	f, err := frontOf(b, "SignedRemoveURL", key)
	if err != nil {
		return nil, err
	}
	o := signPool.get()
	defer signPool.put(o)
	if err := f.check(ctx, scope.Remove, "SignedRemoveURL", key, o.ApplyRemove(opts...)); err != nil {
		return nil, err
	}
	signedURL, err := f.core.SignedRemoveURL(ctx, f.scope.Key(key), o)
	return resultOrError(f, signedURL, err, "SignedRemoveURL", key)
}

// SignedUploadForm returns a signed HTML form that uploads one object. The store accepts only a
// size from minSize to maxSize bytes, and only one content type: that of [WithContentType], or
// otherwise that of the key's extension, or "application/octet-stream". A condition is not
// permitted.
func SignedUploadForm(
	ctx context.Context, b SignedUploader, key string, minSize, maxSize int64, opts ...SignedUploadOption,
) (*SignedForm, error) {
	f, err := frontOf(b, "SignedUploadForm", key)
	if err != nil {
		return nil, err
	}
	o := signPool.get()
	defer signPool.put(o)
	if err := f.check(ctx, scope.SignUpload, "SignedUploadForm", key, o.ApplyUpload(opts...)); err != nil {
		return nil, err
	}
	form, err := f.core.SignedUploadForm(ctx, f.scope.Key(key), minSize, maxSize, o)
	return resultOrError(f, form, err, "SignedUploadForm", key)
}

// A SignedURL is a request that its holder can make without credentials. Its JSON form is for the
// client that makes the request. Its text form for logs shows no signature.
type SignedURL struct {
	URL       string      `json:"url"`
	Method    string      `json:"method"`    // GET, HEAD, PUT or DELETE
	Header    http.Header `json:"headers"`   // headers that the request must have; a browser can set all of them
	ExpiresAt time.Time   `json:"expiresAt"` // UTC; end of the TTL, or of the signing credentials if they end earlier
}

// String returns method and address, with the query masked, for logs.
func (u SignedURL) String() string { return u.Method + " " + maskQuery(u.URL) }

// GoString returns String, so that "%#v" shows no signature.
func (u SignedURL) GoString() string { return u.String() }

// LogValue returns the request without its signature.
func (u SignedURL) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("method", u.Method),
		slog.String("url", maskQuery(u.URL)),
		slog.Time("expiresAt", u.ExpiresAt),
	)
}

// Request returns the request with its headers, as http.NewRequest makes it.
func (u SignedURL) Request(ctx context.Context, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, u.Method, u.URL, body)
	if err != nil {
		return nil, &Error{Code: InvalidArgument, Op: "Request", Err: err}
	}
	for name, values := range u.Header {
		req.Header[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
	}
	return req, nil
}

// A SignedForm is an HTML form (POST policy) by which a browser uploads one object. The browser sends
// all Fields, and then the content as the last field, with the name "file". A script also needs a
// CORS rule of the bucket. The JSON form is for the client. Its text form for logs shows neither policy nor signature.
type SignedForm struct {
	URL       string            `json:"url"`
	Fields    map[string]string `json:"fields"`
	ExpiresAt time.Time         `json:"expiresAt"`
}

// String returns only the address.
func (f SignedForm) String() string { return http.MethodPost + " " + maskQuery(f.URL) }

// GoString returns String, so that "%#v" shows no signature.
func (f SignedForm) GoString() string { return f.String() }

// LogValue returns the form without policy and signature.
func (f SignedForm) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("url", maskQuery(f.URL)),
		slog.Time("expiresAt", f.ExpiresAt),
	)
}

// maskQuery replaces the query of a URL, which contains the signature.
func maskQuery(address string) string {
	if i := strings.IndexByte(address, '?'); i >= 0 {
		return address[:i] + "?REDACTED"
	}
	return address
}
