package storage

import (
	"context"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/scope"
)

const (
	minTTL = time.Second
	maxTTL = 7 * 24 * time.Hour // the limit of SigV4 and of GCS V4, held on every driver
)

type ttlOption time.Duration

func (o ttlOption) check(failed *error) time.Duration {
	if d := time.Duration(o); d < minTTL || d > maxTTL {
		fail(failed, "WithTTL", "must be from 1 second to 7 days")
	}
	return time.Duration(o)
}
func (o ttlOption) applySignedUpload(r *SignOptions)   { r.TTL = o.check(&r.err) }
func (o ttlOption) applySignedDownload(r *SignOptions) { r.TTL = o.check(&r.err) }
func (o ttlOption) applySignedPart(r *PartOptions)     { r.TTL = o.check(&r.err) }

// WithTTL sets how long a signed address is valid: from 1 second to 7 days, by default 1 hour,
// and no longer than the credentials; see [SignedURL].ExpiresAt. It is at most 12 hours if
// Google's IAM signs, and with AWS_SESSION_TOKEN, as on AWS Lambda, in containers and in CI.
// There it may be less if AWS_CREDENTIAL_EXPIRATION is not set.
func WithTTL(d time.Duration) interface {
	SignedUploadOption
	SignedPartOption
	SignedDownloadOption
} {
	return ttlOption(d)
}

type signedDownloadOption func(*SignOptions)

func (o signedDownloadOption) applySignedDownload(r *SignOptions) { o(r) }

// WithResponseContentType makes the store serve this type/subtype.
func WithResponseContentType(mediaType string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		if !headertext.ValidMediaType(mediaType) {
			fail(&r.err, "WithResponseContentType", "must be type/subtype")
		}
		r.ResponseType = mediaType
	})
}

// WithDownloadName makes a browser save the object under this name (RFC 6266). If
// [WithInlineName] or [WithResponseContentDisposition] is given too, the last option wins.
func WithDownloadName(filename string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		checkFileName(r, "WithDownloadName", filename)
		r.ResponseName, r.ResponseContentDisposition = filename, ""
	})
}

// WithInlineName makes a browser show the object, and save it under this name. Package
// serve still serves as an attachment what a browser could execute.
func WithInlineName(filename string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		checkFileName(r, "WithInlineName", filename)
		r.ResponseName, r.ResponseContentDisposition = "", headertext.Disposition("inline", filename)
	})
}

func checkFileName(r *SignOptions, option, name string) {
	if name == "" || len(name) > headertext.MaxHeaderBytes || !headertext.Plain(name) {
		fail(&r.err, option, "must be text of 1 to 1,024 bytes without control characters")
	}
}

// WithResponseContentDisposition makes the store serve the object with this
// Content-Disposition: ASCII of at most 1,024 bytes. See [WithInlineName].
func WithResponseContentDisposition(disposition string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		if _, _, err := mime.ParseMediaType(disposition); err != nil || !headertext.ValidHeader(disposition) {
			fail(
				&r.err, "WithResponseContentDisposition",
				`must be as in inline; filename="report.pdf", in ASCII, of at most 1,024 bytes; a file name beyond that is written as filename*=UTF-8''...`,
			)
		}
		r.ResponseName, r.ResponseContentDisposition = "", disposition
	})
}

// WithMethod signs for GET, which is the default, or HEAD, which returns attributes and
// cannot read bytes; that is Unsupported on Azure. Sign one address for each method: S3
// refuses HEAD at an address for GET.
func WithMethod(method string) SignedDownloadOption {
	return signedDownloadOption(func(r *SignOptions) {
		if method != http.MethodGet && method != http.MethodHead {
			fail(&r.err, "WithMethod", "must be GET or HEAD")
		}
		r.Method = method
	})
}

// SignedUploadForm signs a form. The store enforces a size from minSize to maxSize bytes
// and one content type: that of [WithContentType], else of the key's extension, else
// "application/octet-stream". A condition does not fit.
func SignedUploadForm(
	ctx context.Context, b SignedUploader, key string, minSize, maxSize int64, opts ...SignedUploadOption,
) (*SignedForm, error) {
	f, e := need(b, "SignedUploadForm", key)
	if e != nil {
		return nil, e
	}
	given := signPool.get()
	defer signPool.put(given)
	if err := f.check(scope.SignUpload, "SignedUploadForm", key, given.ApplyUpload(opts...)); err != nil {
		return nil, err
	}
	form, err := f.core.SignedUploadForm(ctx, f.scope.Key(key), minSize, maxSize, given)
	return form, f.outward(err)
}

// A SignedURL is a request that its holder can make without credentials. Its JSON is for a
// client; as text it shows no signature.
type SignedURL struct {
	URL       string      `json:"url"`
	Method    string      `json:"method"`    // GET, HEAD or PUT
	Header    http.Header `json:"headers"`   // the request must have these; a browser can set all of them
	ExpiresAt time.Time   `json:"expiresAt"` // UTC; the end of the TTL or of the signing credentials, if that is earlier
}

// String returns method and address, with the query masked, for logs.
func (u SignedURL) String() string { return u.Method + " " + maskQuery(u.URL) }

// GoString returns String.
func (u SignedURL) GoString() string { return u.String() }

// LogValue returns the request without its signature.
func (u SignedURL) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("method", u.Method),
		slog.String("url", maskQuery(u.URL)),
		slog.Time("expiresAt", u.ExpiresAt),
	)
}

// Request returns the request with its headers, made as by http.NewRequest.
func (u SignedURL) Request(ctx context.Context, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, u.Method, u.URL, body)
	if err != nil {
		return nil, &Error{Code: InvalidArgument, Op: "Request", Err: err}
	}
	for name, values := range u.Header {
		r.Header[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
	}
	return r, nil
}

// A SignedForm is a browser form (POST policy) that uploads one object. Its JSON is for a
// client; as text it shows neither policy nor signature.
type SignedForm struct {
	URL       string            `json:"url"`
	Fields    map[string]string `json:"fields"`
	ExpiresAt time.Time         `json:"expiresAt"`
}

// String returns only the address.
func (f SignedForm) String() string { return http.MethodPost + " " + maskQuery(f.URL) }

// GoString returns String.
func (f SignedForm) GoString() string { return f.String() }

// LogValue returns the form without policy and signature.
func (f SignedForm) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("url", maskQuery(f.URL)),
		slog.Time("expiresAt", f.ExpiresAt),
	)
}

func maskQuery(address string) string {
	if i := strings.IndexByte(address, '?'); i >= 0 {
		return address[:i] + "?REDACTED"
	}
	return address
}
